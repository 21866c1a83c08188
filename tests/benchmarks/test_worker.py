"""The worker's protocol: lines of JSON, errors as text, no process left behind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.peer_environments import PEERS, peer_python
from benchmarks.worker_process import Worker, cold_start, worker_environment
from edge_infer import machine
from edge_infer.errors import InferenceFailed, MissingDependency, TimedOut

ROOT = Path(__file__).parents[2]


@pytest.fixture
def peak() -> Iterator[Worker]:
    with Worker("peak", {"adapter": "matmul_peak", "precision": "int8"}) as worker:
        yield worker


def test_a_loaded_engine_is_timed_as_often_as_asked(peak: Worker) -> None:
    loaded = peak.ask("load")
    assert loaded["import_seconds"] > 0
    assert loaded["versions"]["onnxruntime"]
    taken = peak.ask("query", n=5, untimed=2)["ms"]
    assert len(taken) == 5
    assert all(0 < value < 10_000 for value in taken)


def test_an_engine_s_error_comes_back_in_words_and_the_worker_goes_on(peak: Worker) -> None:
    with pytest.raises(InferenceFailed, match="peak: RuntimeError: the engine is not loaded"):
        peak.ask("query", n=1, untimed=0)
    assert peak.ask("load")["load_seconds"] > 0


def test_an_unknown_engine_is_an_error_and_no_figure() -> None:
    with (
        Worker("nonsense", {"adapter": "nonsense"}) as worker,
        pytest.raises(InferenceFailed, match="nonsense: ModuleNotFoundError"),
    ):
        worker.ask("load")


def test_a_worker_that_dies_is_reported_with_its_status(peak: Worker) -> None:
    os.kill(peak.pid, 9)
    with pytest.raises(InferenceFailed, match="ended with status -9"):
        peak.ask("load")


def test_a_worker_that_does_not_reply_is_ended(peak: Worker) -> None:
    with pytest.raises(TimedOut, match="no reply to 'load'"):
        peak.ask("load", timeout=0.001)
    peak.close()
    assert not Path(f"/proc/{peak.pid}").exists()


def test_a_closed_worker_leaves_no_process(peak: Worker) -> None:
    peak.ask("load")
    peak.close()
    assert not Path(f"/proc/{peak.pid}").exists()


def test_a_new_process_without_an_answer_is_an_error() -> None:
    with pytest.raises(InferenceFailed, match="no answer from a new process"):
        cold_start("nonsense", {"adapter": "nonsense"}, "scan.jpg")


def test_what_an_engine_prints_does_not_reach_the_protocol() -> None:
    program = """
import sys, types
from benchmarks.worker.__main__ import main

class Adapter:
    distributions = ()
    def __init__(self, config): pass
    def import_libraries(self): print("a banner", flush=True)
    def load(self): sys.__stdout__.write("another\\n"); sys.__stdout__.flush()

noisy = types.ModuleType("noisy"); noisy.Adapter = Adapter
sys.modules["benchmarks.adapters.noisy"] = noisy
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps({"adapter": "noisy"})],
        input=json.dumps({"do": "load"}) + "\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done
    assert json.loads(lines[0])["load_seconds"] >= 0
    assert "a banner" in done.stderr


def test_pools_of_idle_workers_sleep_and_nothing_looks_for_a_host() -> None:
    environment = worker_environment(2)
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_no_more_cores_are_usable_than_the_quota_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 3, 7, 1}, raising=False)
    for quota, cores in ((None, 4), (1.5, 2), (0.1, 1), (9.0, 4)):
        monkeypatch.setattr(machine, "cpu_quota", lambda quota=quota: quota)
        assert machine.usable_cores() == cores


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_that_is_not_installed_is_missing_with_the_command_that_installs_it(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(MissingDependency) as caught:
        peer_python(name, tmp_path)
    assert caught.value.hint == f"brain-bench peers install {name}"


@pytest.mark.parametrize("name", PEERS)
def test_a_lock_pins_every_package_and_names_no_host(name: str) -> None:
    text = (ROOT / f"benchmarks/peers/{name}.txt").read_text(encoding="utf-8")
    packages = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert packages
    assert [line for line in packages if line.count("==") != 1] == []
    assert "://" not in text
    assert "@" not in text
