"""Reading and decoding count too: an image that takes too long is given up, whatever it waits for."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_bundle import scan

from edge_infer import reading_time
from edge_infer.classifier import Classifier
from edge_infer.errors import CorruptImage, TimedOut
from edge_infer.image_file import ImageSource, SourceImage, open_source
from edge_infer.reading_time import MAX_LEFT_BEHIND, read_within


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A decoder that never comes back from images of bytes, until the test is over."""
    release = threading.Event()

    def decode(source: ImageSource) -> SourceImage:
        if isinstance(source, bytes):
            release.wait(60)
        return open_source(source)

    monkeypatch.setattr("edge_infer.classifier.open_source", decode)
    yield release
    release.set()
    wait_until_none_is_left()


def wait_until_none_is_left() -> None:
    ends = time.monotonic() + 30
    while reading_time._left_behind.count and time.monotonic() < ends:
        time.sleep(0.01)
    assert reading_time._left_behind.count == 0


def test_a_slow_decoder_is_given_up_in_time_and_others_are_answered(
    bundle_path: Path, scan_path: Path, slow: threading.Event
) -> None:
    classifier = Classifier.load(bundle_path, timeout_s=1)
    started = time.monotonic()
    outcomes = list(classifier.predict_each([b"slow", scan_path], batch_size=2))
    assert time.monotonic() - started < 20  # a loaded machine; the decoder would take 60
    assert isinstance(outcomes[0].error, TimedOut)
    assert outcomes[0].error.message == "<bytes>: no answer within 1 s"
    assert outcomes[1].prediction is not None
    assert not slow.is_set()


def test_few_threads_are_left_behind_and_their_places_come_back(
    bundle_path: Path, scan_path: Path, slow: threading.Event
) -> None:
    classifier = Classifier.load(bundle_path, timeout_s=0.2)
    before = threading.active_count()
    errors = [outcome.error for outcome in classifier.predict_each([b"slow"] * 10)]
    assert all(isinstance(error, TimedOut) for error in errors)
    assert "earlier images are still being read" in str(errors[-1])
    assert threading.active_count() - before <= MAX_LEFT_BEHIND
    slow.set()
    wait_until_none_is_left()
    assert Classifier.load(bundle_path, timeout_s=60).predict(scan_path).label


def test_errors_and_answers_are_those_without_a_limit(bundle_path: Path, scan_path: Path) -> None:
    limited, free = Classifier.load(bundle_path, timeout_s=600), Classifier.load(bundle_path)
    assert limited.predict(scan_path) == free.predict(scan_path)
    with pytest.raises(CorruptImage):
        limited.predict(b"no image")
    with pytest.raises(TypeError):
        limited.predict(3)  # type: ignore[arg-type]


def test_an_open_file_that_blocks_is_given_up(bundle_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as pipe, os.fdopen(writing, "wb") as data:
        with pytest.raises(TimedOut, match="<file>"):
            Classifier.load(bundle_path, timeout_s=0.3).predict(pipe)
        data.close()  # lets the thread end
        wait_until_none_is_left()


def test_without_a_limit_no_thread_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(threading, "Thread")
    assert read_within(None, lambda: 7, "x") == 7


def test_work_that_ends_late_is_dropped_and_a_forked_child_starts_anew() -> None:
    release = threading.Event()
    with pytest.raises(TimedOut):
        read_within(0.05, lambda: release.wait(60), "x")
    assert reading_time._left_behind.count == 1
    child = os.fork()
    if child == 0:
        os._exit(reading_time._left_behind.count)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    release.set()
    wait_until_none_is_left()


def test_the_command_gives_a_silent_pipe_up_and_ends(bundle_path: Path, scan_path: Path) -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "edge_infer", "--timeout", "0.5", "--bundle", str(bundle_path)]
    try:
        finished = subprocess.run(
            [*command, "-", str(scan_path)],
            stdin=reading,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert finished.returncode == 100
    assert "<stdin>: no answer within 0.5 s" in finished.stderr
    assert finished.stdout.startswith(f"{scan_path}: ")
    assert "Traceback" not in finished.stderr
    assert "Fatal" not in finished.stderr


def test_the_graph_gets_the_time_that_reading_has_left(bundle_path: Path) -> None:
    classifier = Classifier.load(bundle_path, timeout_s=5)
    ready = classifier._prepare(scan())
    ready.timings_ms["read"] = 4000.0
    assert 0.5 < (classifier._rest([ready]) or 0) <= 1.0
