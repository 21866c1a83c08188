"""Records are appended whole or not at all, by threads and processes alike, and no other file is harmed."""

import contextlib
import errno
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from audit_logs import answers_and_records, lines_of

from edge_infer.audit import file as audit_file
from edge_infer.audit import locking
from edge_infer.audit.file import AuditFile
from edge_infer.audit.rotated import files_of
from edge_infer.audit.verifying import examine
from edge_infer.errors import CannotWrite, OutputLocked


def entry(name: object = "x") -> dict[str, Any]:
    return {"kind": "run", "input_sha256": None, "error": str(name)}


def opened(path: Path, **options: Any) -> AuditFile:
    return AuditFile(path, program="test", **options)


def names_in(path: Path) -> list[str]:
    records = [json.loads(line) for file in lines_of(path) for line in file]
    return [record.get("error", record["kind"]) for record in records]


def require_whole(path: Path) -> None:
    found = examine(files_of(path))
    assert found.broken is None
    assert found.torn_bytes == 0


def test_each_line_holds_the_digest_of_the_line_before(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = opened(path)
    log.append([entry(1), entry(2)])
    log.append([entry(3)])
    (lines,) = lines_of(path)
    records = [json.loads(line) for line in lines]
    assert [record["seq"] for record in records] == [0, 1, 2, 3]
    digests = [hashlib.sha256(line).hexdigest() for line in lines]
    assert [record["prev"] for record in records] == [None, *digests[:-1]]
    assert (log.link.seq, log.link.head) == (3, digests[-1])
    assert records[0]["format"] == "brain-edge-audit"


def test_threads_and_several_writers_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    logs = [opened(path, max_bytes=4096) for _ in range(3)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: logs[number % 3].append([entry(number)]), range(60)))
    require_whole(path)
    assert len(files_of(path)) > 1
    told = [name for name in names_in(path) if name != "header"]
    assert sorted(told, key=int) == [str(number) for number in range(60)]


def test_what_threads_want_at_once_is_flushed_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path / "audit.jsonl")
    flushes, first, go_on = [], threading.Event(), threading.Event()

    def flush(descriptor: int) -> None:
        flushes.append(descriptor)
        first.set()
        go_on.wait(10)

    monkeypatch.setattr(audit_file, "_flush", flush)
    with ThreadPoolExecutor(9) as pool:
        pool.submit(log.append, [entry("first")])
        assert first.wait(10)
        others = [pool.submit(log.append, [entry(number)]) for number in range(8)]
        while len(log._waiting) < 8:
            pass
        assert not any(one.done() for one in others)  # nobody goes on before the flush
        go_on.set()
        for one in others:
            one.result(10)
    assert len(flushes) == 2
    require_whole(tmp_path / "audit.jsonl")


def test_a_log_is_rotated_by_size_and_by_call_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = opened(path, max_bytes=4096)
    for number in range(25):
        log.append([entry(number), entry(number)])
    assert path.stat().st_size <= 4096
    sized = files_of(path)
    assert len(sized) > 2
    assert log.rotate().name == f"audit.jsonl.{len(sized):06d}"
    opened(path).append([entry("last")])
    require_whole(path)
    headers = [json.loads(file[0]) for file in lines_of(path)]
    assert [header["file"] for header in headers] == list(range(1, len(sized) + 2))


@pytest.fixture
def open_now(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """As on Windows: a file that is open, which is when it is in this list, cannot be renamed."""
    held: list[Path] = []
    rename = Path.rename

    @contextlib.contextmanager
    def noted(path: Path) -> Iterator[int]:
        with locking.locked_file(path) as descriptor:
            held.append(path)
            try:
                yield descriptor
            finally:
                held.remove(path)

    def refuse_open(path: Path, target: Path) -> Path:
        if path in held:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return rename(path, target)

    monkeypatch.setattr(AuditFile, "_can_move", False)
    monkeypatch.setattr(audit_file, "locked_file", noted)
    monkeypatch.setattr(Path, "rename", refuse_open)
    return held


def test_a_log_is_rotated_by_call_where_an_open_file_cannot_be_renamed(
    tmp_path: Path, open_now: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    log, other = opened(path), opened(path)
    log.append([entry(1)])
    refused = Path.rename

    def append_first(one: Path, target: Path) -> Path:
        other.append([entry(2)])  # between the close and the rename
        return refused(one, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", append_first)
        assert log.rotate().name == "audit.jsonl.000001"
    other.append([entry(3)])
    open_now.append(path)  # another program has it open for a moment
    monkeypatch.setattr(audit_file.time, "sleep", lambda _: open_now.clear())
    assert log.rotate().name == "audit.jsonl.000002"
    log.append([entry(4)])
    require_whole(path)
    assert names_in(path) == ["header", "1", "2", "header", "3", "header", "4"]


def test_a_log_that_stays_open_is_not_rotated_and_the_reason_is_told(
    tmp_path: Path, open_now: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    log = opened(path)
    open_now.append(path)
    monkeypatch.setattr(audit_file, "_MOVED_WITHIN_S", 0.0)
    with pytest.raises(CannotWrite, match="Windows renames no file that a program has open"):
        log.rotate()
    open_now.clear()
    log.append([entry(1)])
    require_whole(path)
    assert names_in(path) == ["header", "1"]
    assert files_of(path) == [path]


def test_a_lost_file_is_continued_behind_the_newest_of_the_older_ones(tmp_path: Path) -> None:
    """As where a program was killed between the rename and the new header."""
    path = tmp_path / "audit.jsonl"
    log = opened(path)
    log.append([entry(1)])
    path.rename(tmp_path / "audit.jsonl.000001")
    log.append([entry(2)])
    require_whole(path)
    assert names_in(path) == ["header", "1", "header", "2"]


@pytest.mark.parametrize("kept", [1, 60, -1])
def test_a_torn_end_is_mended_and_that_is_recorded(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "audit.jsonl"
    log = opened(path)
    log.append([entry("whole")])
    log.append([entry("torn")])
    (lines,) = lines_of(path)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:kept])
    opened(path).append([entry("next")])
    require_whole(path)
    is_record = kept == -1  # which lacked its line end only
    assert names_in(path) == ["header", "whole", *["torn"] * is_record, "mended", "next"]
    mended = json.loads(lines_of(path)[0][-2])
    assert mended["dropped_bytes"] == (0 if is_record else kept)
    if not is_record:
        assert mended["dropped_sha256"] == hashlib.sha256(lines[-1][:kept]).hexdigest()


def test_what_is_cut_off_may_be_longer_than_what_is_recorded_of_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    opened(path).append([entry("x" * 2000)])
    path.write_bytes(path.read_bytes()[:-10])
    opened(path)
    require_whole(path)
    assert names_in(path) == ["header", "mended"]


def test_no_older_file_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = opened(path)
    (tmp_path / "audit.jsonl.000001").write_bytes(b"of another log")
    with pytest.raises(CannotWrite, match="cannot be rotated"):
        log.rotate()
    assert (tmp_path / "audit.jsonl.000001").read_bytes() == b"of another log"
    log.append([entry(1)])
    assert names_in(path.rename(tmp_path / "moved")) == ["header", "1"]


def test_records_that_nobody_wrote_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path / "audit.jsonl")
    monkeypatch.setattr(
        log, "_write_all", lambda _batches: None
    )  # as if its thread was interrupted
    with pytest.raises(CannotWrite):
        log.append([entry(1)])


def test_a_writer_that_goes_on_mends_what_another_left(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = opened(path)
    with path.open("ab") as file:
        file.write(b'{"seq":1,"prev":"')
    log.append([entry("next")])
    require_whole(path)
    assert names_in(path) == ["header", "mended", "next"]


@pytest.mark.parametrize("start", [b"", b'{"form', b'{"format":"brain-edge-audit","ver', b"\0\0\0"])
def test_a_header_that_was_not_finished_is_written_again(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(start)
    opened(path).append([entry("next")])
    require_whole(path)
    assert names_in(path) == ["header", "next"]


@pytest.mark.parametrize(
    "content",
    [b'{"status":"ok"}\n', b"source,label\n1,2\n", b"no line end", b'{"format":"other"}\n', b"\n"],
)
def test_a_file_that_is_no_audit_log_is_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    with pytest.raises(CannotWrite, match="no audit log"):
        opened(path)
    assert path.read_bytes() == content


def test_a_log_with_a_damaged_last_line_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    opened(path).append([entry(1)])
    path.write_bytes(path.read_bytes() + b'{"seq":2}\n')
    content = path.read_bytes()
    with pytest.raises(CannotWrite, match="its last line has no"):
        opened(path)
    assert path.read_bytes() == content


def test_only_regular_files_are_logs(tmp_path: Path) -> None:
    for path in (Path(os.devnull), tmp_path, tmp_path / "none" / "audit.jsonl"):
        with pytest.raises(CannotWrite):
            opened(path)
    real = tmp_path / "real" / "audit.jsonl"
    real.parent.mkdir()
    (tmp_path / "link").symlink_to(real)
    log = opened(tmp_path / "link")
    log.rotate()
    assert (tmp_path / "link").is_symlink()
    assert [file.name for file in files_of(real)] == ["audit.jsonl.000001", "audit.jsonl"]


@pytest.mark.parametrize("fault", ["write", "flush"])
def test_what_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = tmp_path / "audit.jsonl"
    log = opened(path)
    log.append([entry(1)])
    before, real = path.read_bytes(), os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 60:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, bytes(data)[: len(data) // 2])

    def fails(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        if fault == "write":
            patched.setattr(os, "write", half)
        else:
            patched.setattr(audit_file, "_flush", fails)
        with pytest.raises(CannotWrite, match="audit log cannot be written") as error:
            log.append([entry(2)])
        assert error.value.exit_code == 40
    assert path.read_bytes() == before
    log.append([entry(3)])
    require_whole(path)
    assert names_in(path) == ["header", "1", "3"]


def test_a_record_that_is_no_json_is_told_to_whom_it_concerns(tmp_path: Path) -> None:
    log = opened(tmp_path / "audit.jsonl")
    with pytest.raises(ValueError, match="Out of range float"):
        log.append([{"kind": "run", "error": float("nan")}])
    log.append([entry(1)])
    require_whole(tmp_path / "audit.jsonl")


def test_a_log_that_another_process_holds_is_waited_for_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    log = opened(path)
    with locking.locked_file(path):
        monkeypatch.setattr(
            audit_file, "locked_file", lambda one: locking.locked_file(one, within_s=0.05)
        )
        with pytest.raises(OutputLocked) as error:
            log.append([entry(1)])
        assert error.value.exit_code == 41
    log.append([entry(2)])
    assert names_in(path) == ["header", "2"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_writes_on_even_if_a_thread_was_writing(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = opened(path)
    with log._writing:  # as held by a thread that does not exist in the child
        child = os.fork()
        if child == 0:
            log.append([entry("child")])
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    log.append([entry("parent")])
    require_whole(path)
    assert names_in(path) == ["header", "child", "parent"]


@pytest.mark.parametrize("seed", [3, 8])
def test_every_answer_that_was_given_has_its_record_after_kills(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "audit.jsonl"
    answers, records = answers_and_records(path, [10 * seed, 10 * seed + 1], 0.1)
    assert answers
    assert sorted(records) == sorted(set(records))
    assert answers <= set(records)
    assert len(set(records) - answers) <= 2  # recorded, and then killed before the answer
    require_whole(path)
