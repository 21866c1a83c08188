"""Each process of a run that reads images gives freed memory back before it reads any."""

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_infer import batch_cli
from edge_infer.batch import alone_process, run, worker_setup


class Reached(Exception):
    """What comes after it."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the modules that asked for it."""
    names: list[str] = []
    for module in (batch_cli, alone_process, worker_setup):
        monkeypatch.setattr(
            module, "return_freed_memory", lambda name=module.__name__: names.append(name)
        )
    return names


def raise_reached(*_: object) -> None:
    raise Reached


def test_the_command_does(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(run, "run_batch", raise_reached)
    CliRunner().invoke(batch_cli.main, [str(tmp_path), "--output", str(tmp_path / "out")])
    assert asked == ["edge_infer.batch_cli"]


def test_a_worker_does(asked: list[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        worker_setup.dask_setup(None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert asked == ["edge_infer.batch.worker_setup"]


def test_the_process_of_one_unit_does(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone_process, "private_streams", raise_reached)
    with pytest.raises(Reached):
        alone_process.main()
    assert asked == ["edge_infer.batch.alone_process"]
