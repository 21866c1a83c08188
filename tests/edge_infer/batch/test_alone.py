"""A unit in a process of its own: what ends that process is told apart from the unit."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from batch_runs import archive_of

from edge_infer.batch import alone
from edge_infer.batch.alone import answer_alone
from edge_infer.batch.loading import BundleSource, package_versions
from edge_infer.batch.run_file import Request, RunFile
from edge_infer.batch.units import Unit
from edge_infer.bundle import load_bundle
from edge_infer.errors import BundleIntegrity, InferenceFailed

#: A process that ends in the way that is given after it.
_ENDS = """
import os, sys
sys.stdin.readline()
if sys.argv[2] == "ready":
    print('{"is_ready": true}', flush=True)
os.kill(os.getpid(), int(sys.argv[1]))
"""


@pytest.fixture
def run(bundle_path: Path) -> RunFile:
    bundle = load_bundle(bundle_path)
    request = Request(
        inputs=(),
        lists=(),
        manifest_sha256=bundle.manifest["manifest_sha256"],
        versions=package_versions(),
        scope="enforce",
        despite=(),
        timeout_s=None,
        formats=("jsonl",),
        embeddings=True,
        partition_size=1,
    )
    shape: dict[str, Any] = {"model": "tiny", "precision": "fp32", "labels": bundle.labels}
    return RunFile(run_id="run", request=request, units=1, partitions=1, **shape)


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    archive_of(tmp_path / "archive", 1)
    return Unit(kind="image", source=str(tmp_path / "archive" / "scan000.png"))


def ends_by(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, *, when: str = "ready"
) -> None:
    monkeypatch.setattr(alone, "_PAUSE_S", 0)
    monkeypatch.setattr(alone, "_COMMAND", ["-c", _ENDS, str(int(number)), when])


def test_it_is_answered_there(run: RunFile, unit: Unit, bundle_path: Path) -> None:
    rows = answer_alone(run, BundleSource(bundle=str(bundle_path)), 7, unit)
    assert [(row["unit"], row["row"], row["state"]) for row in rows] == [(7, 0, "answered")]
    assert len(rows[0]["embedding"]) == 16


def test_an_error_of_the_bundle_is_none_of_the_unit(
    run: RunFile, unit: Unit, trusting_path: Path
) -> None:
    with pytest.raises(BundleIntegrity):
        answer_alone(run, BundleSource(bundle=str(trusting_path)), 7, unit)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_is_of_the_unit(
    run: RunFile, unit: Unit, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    ends_by(monkeypatch, number)
    (row,) = answer_alone(run, BundleSource(), 7, unit)
    assert (row["unit"], row["state"], row["code"]) == (7, "failed", "process_died")
    assert row["message"].endswith(f"({number.name})")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_people_and_job_schedulers_send_is_not(
    run: RunFile, unit: Unit, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("who started the tests has it ignored, as nohup does, and so do their children")
    ends_by(monkeypatch, number)
    with pytest.raises(InferenceFailed, match=number.name):
        answer_alone(run, BundleSource(), 7, unit)


def test_an_end_before_the_unit_is_read_is_not(
    run: RunFile, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_by(monkeypatch, signal.SIGKILL, when="before")
    with pytest.raises(InferenceFailed, match="before it was asked"):
        answer_alone(run, BundleSource(), 7, unit)


def test_it_is_ended_if_nobody_waits_for_it(
    run: RunFile, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def interrupt(process: Any, _asked: object) -> None:
        started.append(process.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(alone, "_asked", interrupt)
    with pytest.raises(KeyboardInterrupt):
        answer_alone(run, BundleSource(), 7, unit)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)
