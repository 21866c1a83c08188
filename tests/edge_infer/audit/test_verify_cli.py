"""brain-doctor audit says whether a log is whole, and ends accordingly; brain-doctor is what it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from audit_logs import drawn_log
from click.testing import CliRunner, Result

from edge_infer.doctor_cli import main


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return drawn_log(tmp_path / "audit.jsonl", 1, records=3, files=2)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def spoil(log: Path) -> None:
    older = log.with_name("audit.jsonl.000001")
    older.write_bytes(older.read_bytes().replace(b'"score":', b'"score" :', 1))


def test_a_whole_log_and_its_head(log: Path) -> None:
    result = run("audit", log)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "audit.jsonl.000001, 4 records" in result.stdout
    assert result.stdout.endswith("Whole.\n")
    head = run("audit", log, "--print-head").stdout
    assert head.startswith("8:")
    assert f"head     {head}" in result.stdout
    told = json.loads(run("audit", "--json", "--head", head.strip(), log).stdout)
    assert (told["status"], told["count"], told["records"]) == ("whole", 8, 8)
    assert f"8:{told['head']}\n" == head
    assert told["outcomes"]["header"] == 2
    assert run("audit", log, "--head", "9" * 64).exit_code == 31


def test_a_changed_log_ends_with_31_and_names_the_line(log: Path) -> None:
    spoil(log)
    result = run("audit", log)
    assert result.exit_code == 31
    assert "audit.jsonl.000001: line 3" in result.stderr
    assert "Whole." not in result.stdout
    told = json.loads(run("audit", "--json", log).stdout)
    assert (told["status"], told["broken"]["line"]) == ("broken", 3)
    assert run("audit", "--print-head", log).stdout == ""
    assert run("audit", "--rotate", log).exit_code == 31
    assert not log.with_name("audit.jsonl.000002").exists()


@pytest.mark.parametrize("steps", [1, 2])
def test_behind_a_link_the_older_files_are_checked_too(
    log: Path, tmp_path: Path, steps: int
) -> None:
    link = log
    for step in range(steps):
        (tmp_path / f"elsewhere{step}").mkdir()
        former, link = link, tmp_path / f"elsewhere{step}" / f"linked{step}.jsonl"
        link.symlink_to(former)
    result = run("audit", link)
    assert result.exit_code == 0
    assert "audit.jsonl.000001, 4 records" in result.stdout
    assert "older files were not given" not in result.stdout
    assert "audit.jsonl.000002" in run("audit", link, "--rotate").stderr
    spoil(log)
    assert run("audit", link).exit_code == 31


def test_files_may_be_named_one_by_one_and_their_order_counts(log: Path) -> None:
    older = log.with_name("audit.jsonl.000001")
    aside = log.with_name("this-month.jsonl")
    log.rename(aside)
    assert run("audit", older, aside).exit_code == 0
    assert run("audit", aside, older).exit_code == 31
    alone = run("audit", aside)
    assert alone.exit_code == 0
    assert "older files were not given" in alone.stdout


def test_a_log_is_rotated_by_call(log: Path) -> None:
    result = run("audit", "--rotate", log)
    assert result.exit_code == 0
    assert "audit.jsonl.000002" in result.stderr
    assert run("audit", log).stdout.count("file ") == 3


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "audit"],
        ["--threads", "1", "audit"],
        ["audit", "--print-head", "--json"],
        ["audit", "--head", "abc"],
        ["audit", "--rotate", "again.jsonl"],
        ["nothing"],
    ],
)
def test_wrong_usage_is_refused(log: Path, words: list[str]) -> None:
    assert run(*words, log).exit_code == 2


def test_what_cannot_be_read_has_its_own_status(tmp_path: Path) -> None:
    assert run("audit", tmp_path / "none").exit_code == 20
    assert run("audit").exit_code == 2


def test_it_runs_without_numpy(log: Path) -> None:
    code = (
        "import sys\n"
        "from edge_infer.doctor_cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'numpy', 'PIL', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    command = [sys.executable, "-c", code, "audit", str(log)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
