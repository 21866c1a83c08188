"""Whatever is done to a log shows: in the log itself, or beside a head that was kept elsewhere."""

import random
from pathlib import Path

import pytest
from audit_logs import ATTACKS, drawn_log, lines_of, rechained, written

from edge_infer.audit.rotated import files_of
from edge_infer.audit.verifying import Examined, KeptHead, examine
from edge_infer.errors import BundleIncompatible, UnreadableInput


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_log(tmp_path_factory.mktemp("log") / "audit.jsonl", 1)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_log(tmp_path_factory.mktemp("other") / "audit.jsonl", 2)


def head_of(log: Path) -> KeptHead:
    found = examine(files_of(log))
    assert found.link
    return KeptHead(sha256=found.link.head, count=found.link.seq + 1)


def checked(lines: list[list[bytes]], folder: Path, *heads: KeptHead) -> Examined:
    return examine(files_of(written(lines, folder / "audit.jsonl")), heads)


def test_a_log_that_nobody_touched_is_whole(log: Path) -> None:
    found = examine(files_of(log), [head_of(log)])
    assert found.broken is None
    assert list(found.files.values()) == [11, 11, 11]
    assert found.starts_after is None
    assert found.outcomes["header"] == 3
    assert sum(found.outcomes.values()) == 33


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("seed", range(8))
def test_tampering_is_found_beside_a_head_that_was_kept(
    log: Path, other: Path, tmp_path: Path, name: str, seed: int
) -> None:
    whole = lines_of(log)
    draw = random.Random(seed)  # noqa: S311 -- places, no secrets
    attacked = ATTACKS[name](lines_of(log), lines_of(other), draw)
    if attacked == whole:
        pytest.skip("this draw changed nothing")
    assert checked(attacked, tmp_path, head_of(log)).broken is not None


@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (lambda lines: lines[0].pop(3), 4, "what was between is missing"),
        (lambda lines: lines[0].insert(3, lines[0][1]), 4, "out of order, or was put in"),
        (lambda lines: lines[0].__setitem__(3, lines[0][3].replace(b'"image"', b'"imagf"')), 5, "one of the two"),
        (lambda lines: lines[0].__setitem__(3, b"{}\n"), 4, "has no seq"),
        (lambda lines: lines[0].__setitem__(3, b"rubbish\n"), 4, "is no JSON object"),
        (lambda lines: lines[0].__setitem__(3, lines[0][0]), 4, "a header within a file"),
        (lambda lines: lines[0].pop(0), 1, "does not begin with a header"),
        (lambda lines: lines[0].__setitem__(-1, lines[0][-1][:-1]), 11, "has no end"),
        (lambda lines: lines[0].__setitem__(0, lines[0][0].replace(b'"seq":0', b'"seq":7')), 1, "others come before"),
    ],
)  # fmt: skip
def test_the_first_bad_line_is_named(
    log: Path, tmp_path: Path, change: object, line: int, why: str
) -> None:
    lines = lines_of(log)
    change(lines)  # type: ignore[operator]
    broken = checked(lines, tmp_path).broken
    assert broken is not None
    assert (broken.file.name, broken.line) == ("audit.jsonl.000001", line)
    assert why in broken.why


def test_what_only_a_kept_head_shows_is_not_claimed_without_one(log: Path, tmp_path: Path) -> None:
    cut = lines_of(log)
    del cut[-1][-3:]
    assert checked(cut, tmp_path).broken is None
    broken = checked(cut, tmp_path, head_of(log)).broken
    assert broken is not None
    assert "33 records had been written, and 30 are left" in broken.why
    anew = lines_of(log)
    anew[0][1] = anew[0][1].replace(b'"image"', b'"imagf"')
    assert checked(rechained(anew), tmp_path).broken is None
    assert checked(rechained(anew), tmp_path, head_of(log)).broken is not None


def test_a_head_of_last_week_is_found_in_a_log_that_went_on(log: Path) -> None:
    early = examine(files_of(log)[:1])
    assert early.link
    kept = KeptHead(sha256=early.link.head, count=early.link.seq + 1)
    assert examine(files_of(log), [kept, head_of(log)]).broken is None
    wrong = examine(files_of(log), [KeptHead(sha256=early.link.head, count=12)])
    assert wrong.broken is not None
    assert "of 12 records, and here of 11" in wrong.broken.why


def test_older_files_may_be_gone_and_that_is_said(log: Path) -> None:
    found = examine(files_of(log)[1:], [head_of(log)])
    assert found.broken is None
    assert found.first_seq == 11
    first = examine(files_of(log)[:1])
    assert first.link
    assert found.starts_after == first.link.head


def test_a_record_that_was_not_written_to_its_end_is_no_tampering(
    log: Path, tmp_path: Path
) -> None:
    lines = lines_of(log)
    lines[-1][-1] = lines[-1][-1][:50]
    found = checked(lines, tmp_path)
    assert (found.broken, found.torn_bytes, found.records) == (None, 50, 32)


def test_what_cannot_be_checked_is_an_error(log: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput):
        examine([tmp_path / "none"])
    lines = lines_of(log)
    lines[0][0] = lines[0][0].replace(b'"version":1', b'"version":2')
    with pytest.raises(BundleIncompatible, match="version 2, expected 1"):
        checked(lines, tmp_path)


@pytest.mark.parametrize("changed", [b'"version":0', b'"version":true', b'"version":"1"'])
def test_a_changed_header_is_tampering_and_no_other_version(
    log: Path, tmp_path: Path, changed: bytes
) -> None:
    lines = lines_of(log)
    lines[0][0] = lines[0][0].replace(b'"version":1', changed)
    found = checked(lines, tmp_path)
    assert found.broken is not None
    assert found.broken.why == "the header is none of an audit log"
