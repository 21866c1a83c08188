"""examples/slurm, tried without SLURM: by the variables that it sets for each task of an array."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batch_rows import batch_row, failed_row, written
from drawn_heads import heads

from edge_infer.batch.row import Row
from edge_infer.batch.summary import summarize

SCRIPT = Path(__file__).parents[2] / "examples" / "slurm" / "brain-batch.sh"
IMAGES, PARTITION = 11, 2
SHARDS = 2


@pytest.fixture
def task(tmp_path: Path) -> dict[str, str]:
    """The environment of a task: an archive, a folder for results, and the command on the path."""
    archive = tmp_path / "archive"
    archive.mkdir()
    drawn = heads()
    for number in range(IMAGES):
        drawn[number % len(drawn)].save(archive / f"{number:02d}.png")
    (archive / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    commands = tmp_path / "bin"
    commands.mkdir()
    command = commands / "brain-batch"
    command.write_text(
        f"#!{sys.executable}\nimport os, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "from edge_infer.batch_cli import main\nmain()\n"
    )
    command.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "ARCHIVE": str(archive),
        "RESULTS": str(tmp_path / "results"),
        "SHARDS": str(SHARDS),
        "BATCH_OPTIONS": f"--partition-size {PARTITION} --format jsonl",
    }


def started(task: dict[str, str], number: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["bash", str(SCRIPT)],
        env={**task, "SLURM_ARRAY_TASK_ID": str(number)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def rows(task: dict[str, str]) -> list[dict[str, object]]:
    parts = sorted(Path(task["RESULTS"], "parts").glob("*.jsonl"))
    return [json.loads(line) for part in parts for line in part.read_text().splitlines()]


def test_the_tasks_of_an_array_started_at_once_answer_each_image_once(task: dict[str, str]) -> None:
    for status, said in [ended(process) for process in [started(task, 1), started(task, 2)]]:
        assert status == 0, said
    found = rows(task)
    assert [row["unit"] for row in found] == list(range(IMAGES + 1))
    assert [row["state"] for row in found].count("failed") == 1
    assert json.loads(Path(task["RESULTS"], "summary.json").read_text())


@pytest.mark.slow
def test_a_task_that_slurm_ends_before_its_time_stops_and_goes_on_when_it_is_started_again(
    task: dict[str, str], tmp_path: Path
) -> None:
    archive, more = Path(task["ARCHIVE"]), 120
    for number in range(IMAGES, more):
        os.link(archive / f"{number % IMAGES:02d}.png", archive / f"{number:03d}.png")
    process = started(task, 1)
    parts = Path(task["RESULTS"], "parts")
    deadline = time.monotonic() + 60
    while not any(parts.glob("part-*.jsonl")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) != 0
    with pytest.raises(ProcessLookupError):  # nothing is left behind
        os.kill(int((tmp_path / "pid").read_text()), 0)
    process.communicate()
    assert 0 < len(rows(task)) < more / SHARDS
    for number in (1, 2):
        status, said = ended(started(task, number))
        assert status == 0, said
    assert [row["unit"] for row in rows(task)] == list(range(more + 1))


@pytest.mark.parametrize("missing", ["ARCHIVE", "RESULTS", "SHARDS"])
def test_a_task_without_its_settings_says_which_is_missing(
    task: dict[str, str], missing: str
) -> None:
    status, said = ended(started({key: task[key] for key in task if key != missing}, 1))
    assert status != 0
    assert missing in said


def test_another_failure_than_files_that_cannot_be_classified_fails_the_task(
    task: dict[str, str],
) -> None:
    status, _ = ended(started({**task, "ARCHIVE": task["ARCHIVE"] + "-elsewhere"}, 1))
    assert status not in (0, 100)


def played(task: dict[str, str], tmp_path: Path, lines: str) -> dict[str, str]:
    """Have a command played that notes what it is given."""
    command = tmp_path / "bin" / "brain-batch"
    command.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{tmp_path}/given\n{lines}\n")
    return {**task, "BATCH_OPTIONS": "--embeddings --workers 1"}


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({"LIST": "my studies.txt"}, ["--list", "my studies.txt"]),
        ({"ARCHIVE": "an archive", "LIST": "b"}, ["an archive", "--list", "b"]),
        ({"ARCHIVE": "a", "LIST": ""}, ["a"]),
    ],
)
def test_a_list_is_given_as_one(
    task: dict[str, str], tmp_path: Path, settings: dict[str, str], given: list[str]
) -> None:
    task = played({key: task[key] for key in task if key != "ARCHIVE"}, tmp_path, "")
    status, said = ended(started(task | settings | {"RESULTS": "r s"}, 2))
    assert status == 0, said
    more = ["--output", "r s", "--shard", f"2/{SHARDS}", "--embeddings", "--workers", "1"]
    assert (tmp_path / "given").read_text().splitlines() == [*given, *more]


@pytest.mark.parametrize(
    ("rows_of_all", "expected"),
    [
        ([failed_row(0), failed_row(1)], 100),
        ([failed_row(0), batch_row(1)], 0),
        ([failed_row(0), batch_row(1, decision="abstain")], 0),
        ([], 100),
    ],
    ids=["all failed", "one accepted", "one not accepted", "no summary"],
)
def test_the_last_task_fails_only_if_nothing_has_an_answer(
    task: dict[str, str], tmp_path: Path, rows_of_all: list[Row], expected: int
) -> None:
    results = Path(task["RESULTS"])
    if rows_of_all:
        written(results, 0, rows_of_all, formats=("jsonl",))
        summarize(results)
    status, _ = ended(started(played(task, tmp_path, "exit 100"), 1))
    assert status == expected
