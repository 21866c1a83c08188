"""``brain-batch`` as a command, with processes that are killed."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from batch_rows import batch_row, failed_row, planned, written
from batch_runs import (
    answered_in,
    archive_of,
    batch,
    batch_process,
    deadly_path,
    is_alive,
    kill,
    rows_of,
    wait_for,
    workers_of,
)
from click.testing import CliRunner

from edge_infer.batch.summary import summarize
from edge_infer.batch_cli import _text, main

UNITS = 300


@pytest.fixture
def words(tmp_path: Path, bundle_path: Path) -> list[object]:
    """A command on images in partitions of twenty; give it ``--output``."""
    archive = archive_of(tmp_path / "archive", UNITS)
    size = ("--partition-size", 20)
    return [archive, "--bundle", bundle_path, "--format", "jsonl", *size]


def unbroken(words: list[object], output: Path) -> list[str]:
    assert batch(*words, "--output", output, "--workers", 1).returncode == 0
    return rows_of(output)


def test_two_workers_give_the_rows_of_one(words: list[object], tmp_path: Path) -> None:
    ended = batch(*words, "--output", tmp_path / "out", "--workers", 2)
    assert ended.returncode == 0, ended.stderr
    assert f"{UNITS} images and slices answered" in ended.stdout
    assert "Research use only" in ended.stdout
    assert ended.stderr.splitlines() == [f"{UNITS} units in 15 partitions", "starting 2 workers"]
    assert rows_of(tmp_path / "out") == unbroken(words, tmp_path / "one")
    assert not (tmp_path / "out" / "work").exists()


@pytest.mark.slow
def test_killed_workers_are_replaced_and_an_image_that_kills_them_is_a_row(
    words: list[object], tmp_path: Path
) -> None:
    archive_of(tmp_path / "archive", 1, names="deadly")
    site = deadly_path(tmp_path / "site")
    output = tmp_path / "out"
    process = batch_process(*words, "--output", output, "--workers", 2, PYTHONPATH=site)
    wait_for(lambda: answered_in(output) > 25)
    killed = workers_of(process.pid)
    for worker in killed:
        kill(worker)
    out, err = process.communicate(timeout=60)
    assert killed
    assert process.returncode == 100, err
    assert f"{UNITS} images and slices answered" in out
    assert "1 failed" in out
    rows = rows_of(output)
    assert json.loads(rows[0])["code"] == "process_died"
    assert len(rows) == UNITS + 1


@pytest.mark.slow
def test_a_killed_driver_leaves_no_process_and_the_same_command_goes_on(
    words: list[object], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    process = batch_process(*words, "--output", output, "--workers", 2)
    wait_for(lambda: answered_in(output) > 25)
    workers = workers_of(process.pid)
    kill(process.pid)
    process.communicate()
    assert len(workers) == 2
    wait_for(lambda: not any(map(is_alive, workers)), 20)
    assert answered_in(output) < UNITS
    ended = batch(*words, "--output", output, "--workers", 2)
    assert ended.returncode == 0, ended.stderr
    assert rows_of(output) == unbroken(words, tmp_path / "one")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "to_all"),
    [(signal.SIGINT, 130, True), (signal.SIGINT, 130, False), (signal.SIGTERM, 143, False)],
)
def test_an_interrupted_run_ends_at_once_in_one_line_and_goes_on(
    words: list[object], tmp_path: Path, number: signal.Signals, status: int, to_all: bool
) -> None:
    output = tmp_path / "out"
    process = batch_process(*words, "--output", output, "--workers", 2)
    wait_for(lambda: answered_in(output) > 25)
    workers = workers_of(process.pid)
    # A terminal sends Ctrl-C to all processes of the group.
    (os.killpg if to_all else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=15)
    assert process.returncode == status
    assert err.splitlines()[2:] == ["interrupted" if status == 130 else "terminated"]
    assert not any(map(is_alive, workers))
    assert not (output / "work" / "engine").exists()
    assert batch(*words, "--output", output).returncode == 0
    assert rows_of(output) == unbroken(words, tmp_path / "one")


def test_a_process_without_workers_that_is_killed_twice_by_an_image_goes_on_without_it(
    words: list[object], tmp_path: Path
) -> None:
    archive_of(tmp_path / "archive", 1, names="deadly")
    site = deadly_path(tmp_path / "site")
    all_words = [*words, "--output", tmp_path / "out", "--workers", 1]
    assert batch(*all_words, PYTHONPATH=site).returncode == -signal.SIGKILL
    assert batch(*all_words, PYTHONPATH=site).returncode == 100
    assert json.loads(rows_of(tmp_path / "out")[0])["code"] == "process_died"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--shard", "0/3"], "is not I/N"),
        (["--shard", "4/3"], "is not I/N"),
        (["--shard", "3"], "is not I/N"),
        (["--shard", "1/3", "--workers", "2"], "exclude each other"),
        (["--cluster", "tls://10.0.0.2:8786"], "--tls-key"),
        (["--cluster", "scheduler.example:8786"], "--tls-key"),
        (["--cluster", "tls://[::1"], "--tls-key"),
        (["--cluster", "127.0.0.1:1", "--tls-ca", "ca.pem"], "belong together"),
        (["--tls-ca", "ca.pem"], "are for --cluster"),
    ],
)
def test_options_that_do_not_fit_are_a_usage_error(
    tmp_path: Path, more: list[str], message: str
) -> None:
    ended = CliRunner().invoke(main, ["scans", "--output", str(tmp_path / "out"), *more])
    assert ended.exit_code == 2
    assert message in ended.output
    assert not (tmp_path / "out").exists()


def test_one_of_a_kind_is_said_in_the_singular(tmp_path: Path) -> None:
    rows = [batch_row(0), failed_row(1, "scan_refused", kind="refused")]
    written(tmp_path, 0, rows, formats=("jsonl",))
    planned(tmp_path, units=2, partitions=1)
    said = _text(summarize(tmp_path), tmp_path)
    assert "1 image or slice answered" in said
    assert "1 file refused\n" in said


def test_inputs_are_not_shown_as_required() -> None:
    assert "[INPUT]..." in CliRunner().invoke(main, ["--help"]).output.splitlines()[0]


def test_without_an_input_it_says_so(tmp_path: Path) -> None:
    ended = CliRunner().invoke(main, ["--output", str(tmp_path / "out")])
    assert ended.exit_code == 2
    assert "INPUT" in ended.output


@pytest.mark.parametrize(
    ("package", "hint"), [("distributed", "--workers 1"), ("pyarrow.parquet", "--format jsonl")]
)
def test_a_missing_package_is_named_with_its_extra_and_what_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, hint: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    archive = str(archive_of(tmp_path / "archive", 1))
    ended = CliRunner().invoke(main, [archive, "--output", str(tmp_path / "out"), "--workers", "2"])
    assert ended.exit_code == 87
    assert "brain-edge[scale]" in ended.output
    assert hint in ended.output
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, words: list[object]) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    ended = batch(*words, "--output", tmp_path / "locked" / "out", "--workers", 1)
    assert ended.returncode == 40
    assert "cannot be written" in ended.stderr
