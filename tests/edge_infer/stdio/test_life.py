"""Waiting, cancelling, ending: what a host can do with requests that were accepted, and with the worker."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stdio_worker import Event, HostedWorker, encoded

from edge_infer.stdio.protocol import MAX_REQUESTS

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")


def first(worker: HostedWorker, wanted: Callable[[Event], bool]) -> Event:
    """The next line that is wanted."""
    while not wanted(event := worker.event()):
        pass
    return event


def code(event: Event) -> str:
    return str(event["error"]["code"])


def test_a_series_tells_its_progress_and_a_ping_is_answered_meanwhile(
    worker: HostedWorker, long_series: Path
) -> None:
    worker.send({"id": 1, "method": "classify", "path": str(long_series)})
    first(worker, lambda event: event["event"] == "progress")
    worker.send({"id": 2, "method": "ping"})
    events = worker.until(1)

    pong = next(place for place, one in enumerate(events) if one["event"] == "pong")
    assert (events[pong]["waiting"], events[pong]["running"]) == (0, 1)
    steps = [(one["done"], one["total"]) for one in events if one["event"] == "progress"]
    assert steps[-1] == (200, 200)
    assert [done for done, _ in steps] == list(range(201 - len(steps), 201))
    assert pong < [one["event"] for one in events].index("result")
    assert sum(one["event"] == "result" for one in events) == 101


def test_what_waits_and_what_runs_can_be_cancelled(
    worker: HostedWorker, long_series: Path, image: bytes
) -> None:
    worker.send({"id": 1, "method": "classify", "path": str(long_series)})
    worker.send({"id": 2, "method": "classify"}, image)
    worker.send({"id": 3, "method": "classify"}, image)
    first(worker, lambda event: event["event"] == "progress")
    for identity in (2, "unknown", 1):
        worker.send({"id": identity, "method": "cancel"})
    events = worker.until(3)

    ends = [(one["id"], one["event"]) for one in events if one["event"] in ("error", "done")]
    assert ends == [(2, "error"), (1, "error"), (3, "done")]
    assert {code(one) for one in events if one["event"] == "error"} == {"cancelled"}
    assert [one["id"] for one in events if one["event"] == "result"] == [3]
    worker.send({"id": 1, "method": "cancel"})  # crossed with the end: nothing is said
    worker.send({"id": 4, "method": "ping"})
    assert worker.event()["id"] == 4


def test_an_id_is_refused_while_it_is_in_use_and_free_after_its_last_line(
    worker: HostedWorker, long_series: Path, image: bytes
) -> None:
    worker.send({"id": 1, "method": "classify", "path": str(long_series)})
    worker.send({"id": 1, "method": "classify"}, image)
    error = first(worker, lambda event: event["event"] == "error")
    assert (error["id"], code(error)) == (None, "duplicate_id")
    worker.send({"id": 1, "method": "nonsense"})
    error = first(worker, lambda event: event["event"] == "error")
    assert (error["id"], code(error)) == (None, "unknown_method")
    worker.until(1)
    for _ in range(100):
        worker.send({"id": 1, "method": "classify"}, image)
        assert len(worker.answers(1)) == 1


def test_more_requests_than_the_limit_are_refused_as_busy_and_the_others_answered(
    worker: HostedWorker, long_series: Path, image: bytes
) -> None:
    worker.send({"id": "long", "method": "classify", "path": str(long_series)})
    for number in range(MAX_REQUESTS + 5):
        worker.send({"id": number, "method": "classify"}, image)
    events = worker.until(MAX_REQUESTS - 2)

    busy = [one["id"] for one in events if one["event"] == "error"]
    assert {code(one) for one in events if one["event"] == "error"} == {"busy"}
    assert busy == list(range(MAX_REQUESTS - 1, MAX_REQUESTS + 5))
    done = [one["id"] for one in events if one["event"] == "done"]
    assert done == ["long", *range(MAX_REQUESTS - 1)]


@pytest.mark.parametrize("says_so", [True, False])
def test_at_the_end_all_that_was_accepted_is_answered(
    own_worker: HostedWorker, image: bytes, says_so: bool
) -> None:
    for number in range(20):
        own_worker.send({"id": number, "method": "classify"}, image)
    if says_so:
        own_worker.write(encoded({"id": "end", "method": "shutdown"}) + b"never read\n")
        events, status = own_worker.rest(), own_worker.ended()[0]
        assert events.pop() == {"event": "done", "id": "end"}
    else:
        events, status = own_worker.close()
    assert [one["id"] for one in events if one["event"] == "done"] == list(range(20))
    assert status == 0


@posix
@pytest.mark.parametrize(
    ("number", "status", "words"),
    [(signal.SIGTERM, 143, b"terminated\n"), (signal.SIGINT, 130, b"interrupted\n")],
)
def test_a_signal_ends_all_requests_with_an_error_and_then_the_worker(
    own_worker: HostedWorker,
    long_series: Path,
    image: bytes,
    number: int,
    status: int,
    words: bytes,
) -> None:
    own_worker.send({"id": 1, "method": "classify", "path": str(long_series)})
    own_worker.send({"id": 2, "method": "classify"}, image)
    first(own_worker, lambda event: event["event"] == "progress")
    own_worker.process.send_signal(number)
    events = own_worker.rest()

    assert [(one["id"], code(one)) for one in events if one["event"] == "error"] == [
        (1, "stopping"),
        (2, "stopping"),
    ]
    assert own_worker.ended() == (status, words)


@posix
def test_a_signal_ends_an_idle_worker_and_one_whose_host_does_not_read(bundle: Path) -> None:
    for write in (0, 500):
        with HostedWorker("--bundle", bundle, reads=False) as worker:
            worker.stdout.readline()
            # 500 such answers do not fit into a pipe.
            worker.write(encoded({"id": "x" * 200, "method": "ping"}) * write)
            time.sleep(0.2)
            worker.process.terminate()
            assert worker.process.wait(30) == 143


@posix
def test_a_host_that_is_gone_ends_the_worker(bundle: Path, long_series: Path) -> None:
    with HostedWorker("--bundle", bundle, reads=False) as worker:
        worker.stdout.readline()
        for number in range(50):
            worker.send({"id": number, "method": "classify", "path": str(long_series)})
        started = time.monotonic()
        worker.stdin.close()
        worker.stdout.close()
        assert worker.process.wait(30) == 141
        assert time.monotonic() - started < 5  # and not after 50 series


@posix
def test_a_host_that_reads_late_gets_every_answer_and_costs_no_memory(
    bundle: Path,
) -> None:
    requests, answered = 3000, []
    with HostedWorker("--bundle", bundle, reads=False) as worker:
        assert json.loads(worker.stdout.readline())["event"] == "ready"
        before = worker.memory_kib()
        words = "x" * 190
        lines = b"".join(encoded({"id": f"{words}{n}", "method": "ping"}) for n in range(requests))
        writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=worker.stdin)
        assert writer.stdin
        feeding = threading.Thread(target=lambda: (writer.stdin.write(lines), writer.stdin.close()))
        feeding.start()
        time.sleep(0.5)
        assert worker.memory_kib() - before < 4000
        worker.start_reading()
        feeding.join()
        writer.wait()
        answered = [one["id"] for one in worker.close()[0]]
    assert answered == [f"{words}{n}" for n in range(requests)]
