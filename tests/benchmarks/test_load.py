"""A run is clean only if nothing else used the machine."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.load import Snapshot, take_snapshot, unclean_reasons

BEFORE = Snapshot(at=0.0, busy=1000.0, stolen=5.0, own=50.0, cores=2)


def after(*, others: float = 0.0, stolen: float = 0.0) -> Snapshot:
    """A hundred seconds later on two cores, of which we used 150 CPU seconds."""
    return Snapshot(
        at=100.0, busy=1150.0 + others, stolen=5.0 + stolen, own=200.0, cores=BEFORE.cores
    )


def test_our_own_work_leaves_a_run_clean() -> None:
    reasons, figures = unclean_reasons(0.1, BEFORE, after(others=2.0))
    assert reasons == []
    assert figures["others_share"] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("load", "later", "said"),
    [
        (0.9, after(), "the load was 0.90"),
        (0.1, after(others=20.0), "other processes took 10 %"),
        (0.1, after(stolen=6.0), "the host withheld 3.0 %"),
        (0.1, None, "does not report"),
    ],
)
def test_a_loaded_machine_is_named(load: float, later: Snapshot | None, said: str) -> None:
    reasons, _ = unclean_reasons(load, BEFORE, later)
    assert len(reasons) == 1
    assert said in reasons[0]


@pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="needs /proc")
def test_the_work_of_a_running_and_of_an_ended_child_is_ours() -> None:
    before = take_snapshot()
    burn = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
    with subprocess.Popen(
        [sys.executable, "-c", burn + "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout
        child.stdout.readline()
        running = take_snapshot([child.pid])
        child.communicate(b"\n")
    ended = take_snapshot([child.pid])
    assert before
    assert running
    assert ended
    assert running.own - before.own > 0.25
    assert ended.own - before.own > 0.25
    assert ended.own - running.own < 0.25  # counted once, not twice
    assert ended.at <= time.monotonic()
    assert ended.cores == os.cpu_count()
