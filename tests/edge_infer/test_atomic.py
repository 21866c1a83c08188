import errno
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_infer import atomic, kept_modes
from edge_infer.atomic import (
    refuse_other_content,
    replace_folder_atomically,
    write_bytes_atomically,
)
from edge_infer.errors import CannotWrite, OutputLocked
from edge_infer.lock_file import locked
from edge_infer.stale_files import create_temporary


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def replace_with_new(target: Path, fault: str) -> None:
    with replace_folder_atomically(target) as temporary:
        (temporary / "new").write_text("new")
        if fault == "body":
            no_space()


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_written_and_replaced_without_remains(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    for data in (b"first", b"second"):
        write_bytes_atomically(path, data)
        assert path.read_bytes() == data
    assert names(tmp_path) == ["out.bin"]


def test_a_full_disk_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"good")
    monkeypatch.setattr(atomic.os, "fsync", no_space)
    with pytest.raises(CannotWrite, match="No space left") as caught:
        write_bytes_atomically(path, b"never")
    assert caught.value.exit_code == 40
    assert path.read_bytes() == b"good"
    assert names(tmp_path) == ["out.bin"]


def test_a_missing_folder_a_folder_a_pipe_and_a_link_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("elsewhere")
    before = names(tmp_path)
    for name in ("folder", "pipe", "link"):
        with pytest.raises(CannotWrite) as caught:
            write_bytes_atomically(tmp_path / name, b"x")
        assert caught.value.message == f"{tmp_path / name}: exists and is not a regular file"
    with pytest.raises(CannotWrite, match="No such file"):
        write_bytes_atomically(tmp_path / "none" / "out.bin", b"x")
    with pytest.raises(CannotWrite):
        write_bytes_atomically(Path("/dev/null"), b"x")
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    "write",
    [
        lambda target: write_bytes_atomically(target, b"x"),
        lambda target: replace_with_new(target, "none"),
    ],
    ids=["file", "folder"],
)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("the disk is gone"), "the disk is gone"),
    ],
)
def test_what_cannot_be_written_is_named_with_the_reason(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path], None],
    error: OSError,
    reason: str,
) -> None:
    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(CannotWrite) as caught:
        write(tmp_path / "new")
    assert caught.value.message == f"{tmp_path / 'new'}: cannot be written ({reason})"
    assert caught.value.hint == "check that its folder exists, is writable and has space left"
    assert names(tmp_path) == []


class Flushes:
    """Look at what is flushed to the disk: which file, opened how, and what the target is at that time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, look: Callable[[], object]) -> None:
        self.seen: list[tuple[int, object]] = []
        self.flags: list[int] = []
        self._fsync, self._look = os.fsync, look
        monkeypatch.setattr(atomic.os, "fsync", self._flush)

    def _flush(self, descriptor: int) -> None:
        self.seen.append((os.fstat(descriptor).st_ino, self._look()))
        self.flags.append(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE)
        self._fsync(descriptor)


def test_a_file_is_on_the_disk_before_it_has_its_name_and_then_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    flushes = Flushes(monkeypatch, path.read_bytes)
    write_bytes_atomically(path, b"new")
    assert flushes.seen == [(path.stat().st_ino, b"old"), (tmp_path.stat().st_ino, b"new")]


def test_all_of_a_folder_is_on_the_disk_before_it_has_its_name_and_then_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").touch()
    flushes = Flushes(monkeypatch, lambda: names(target))
    with replace_folder_atomically(target) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "deep").write_text("deep")
        (temporary / "flat").write_text("flat")
        (temporary / "flat").chmod(0o400)
    inodes = {path.stat().st_ino for path in (target, *target.rglob("*"))}
    assert len(inodes) == 4
    *before, last = flushes.seen
    assert {inode for inode, _ in before} == inodes
    assert all(held == ["old"] for _, held in before)
    assert last == (tmp_path.stat().st_ino, ["flat", "inner"])
    assert set(flushes.flags) == {os.O_RDONLY}  # as files may be for reading only


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_is_replaced_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(atomic, "exchange_paths", lambda *_: False)
    target = tmp_path / "made" / "bundle"
    for round_ in ("one", "two"):
        with replace_folder_atomically(target) as temporary:
            (temporary / round_).write_text(round_)
            assert temporary.parent == target.parent
    assert names(target) == ["two"]
    assert names(target.parent) == ["bundle"]


@pytest.mark.parametrize("fault", ["body", "flush", "second rename"])
def test_a_failed_replacement_leaves_the_old_folder_and_no_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "good").write_text("good")
    if fault == "flush":
        monkeypatch.setattr(atomic.os, "fsync", no_space)
    if fault == "second rename":
        monkeypatch.setattr(atomic, "exchange_paths", lambda *_: False)
        rename = Path.rename

        def refuse_new(path: Path, to: Path) -> Path:
            return no_space() if path.suffix == ".tmp" else rename(path, to)  # type: ignore[func-returns-value]

        monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(CannotWrite):
        replace_with_new(target, fault)
    assert names(target) == ["good"]
    assert names(tmp_path) == ["bundle"]


def test_a_bug_in_the_body_is_passed_on_and_harms_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replace_folder_atomically(tmp_path / "new"):
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_an_error_of_ours_in_the_body_is_passed_on_as_it_is(tmp_path: Path) -> None:
    error = CannotWrite("another thing", hint="look there")
    with pytest.raises(CannotWrite) as caught, replace_folder_atomically(tmp_path / "new"):
        raise error
    assert caught.value is error
    assert names(tmp_path) == []


def test_parents_of_a_new_folder_are_created(tmp_path: Path) -> None:
    target = tmp_path / "some" / "more" / "bundle"
    with replace_folder_atomically(target) as temporary:
        (temporary / "new").touch()
    assert names(target) == ["new"]


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    target, link = tmp_path / "file", tmp_path / "link"
    target.write_text("good")
    link.symlink_to(target)
    for given in (target, link):
        with pytest.raises(CannotWrite) as caught, replace_folder_atomically(given):
            pass
        assert caught.value.message == f"{given}: exists and is not a folder"
        assert caught.value.hint == "name another output"
    assert target.read_text() == "good"


def test_the_content_of_a_linked_folder_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "bundle", tmp_path / "link"
    target.mkdir()
    link.symlink_to(target)
    replace_with_new(link, "none")
    assert link.is_symlink()
    assert names(target) == ["new"]


def test_a_second_writer_of_the_same_folder_is_told(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with replace_folder_atomically(target):
        with pytest.raises(OutputLocked) as caught, replace_folder_atomically(target):
            pass
        assert caught.value.exit_code == 41
        with replace_folder_atomically(tmp_path / "other"):
            pass
    assert names(tmp_path) == ["bundle", "other"]


@pytest.mark.parametrize("longer", ["site-1.0.1", "site-1.0.new", "site-1.0.0123456789abcdef"])
def test_a_writer_leaves_the_temporary_folder_of_a_longer_name_alone(
    tmp_path: Path, longer: str
) -> None:
    with replace_folder_atomically(tmp_path / longer) as temporary:
        (temporary / "whole").write_text("whole")
        for _ in range(2):  # a new one, and one that is replaced
            with replace_folder_atomically(tmp_path / "site-1.0"):
                pass
        assert names(temporary) == ["whole"]
    assert names(tmp_path) == ["site-1.0", longer]
    assert names(tmp_path / longer) == ["whole"]


def test_the_lock_and_the_remains_of_a_killed_writer_go(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from edge_infer.atomic import replace_folder_atomically\n"
        "with replace_folder_atomically(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 2  # the lock file and the temporary folder
    with replace_folder_atomically(target) as temporary:
        (temporary / "whole").write_text("whole")
    assert names(tmp_path) == ["bundle"]
    assert names(target) == ["whole"]


def test_a_folder_moved_aside_by_a_killed_writer_is_put_back(tmp_path: Path) -> None:
    (tmp_path / ".bundle.old").mkdir()
    (tmp_path / ".bundle.old" / "good").write_text("good")
    with pytest.raises(ZeroDivisionError), replace_folder_atomically(tmp_path / "bundle"):
        raise ZeroDivisionError
    assert names(tmp_path) == ["bundle"]
    assert names(tmp_path / "bundle") == ["good"]


def test_a_folder_moved_aside_goes_where_its_successor_is_whole(tmp_path: Path) -> None:
    for name, content in ((".bundle.old", "former"), ("bundle", "good")):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).touch()
    with pytest.raises(ZeroDivisionError), replace_folder_atomically(tmp_path / "bundle"):
        raise ZeroDivisionError
    assert names(tmp_path) == ["bundle"]
    assert names(tmp_path / "bundle") == ["good"]


def test_only_what_a_killed_writer_of_this_folder_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".bundle.0123456789abcdef.tmp"  # as every version so far names it
    left.mkdir()
    (left / "half").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (tmp_path / ".bundle.1123456789abcdef.tmp").symlink_to(elsewhere)
    (tmp_path / ".bundle.2123456789abcdef.tmp").touch()
    kept = [
        ".bundle.3123456789abcde.tmp",
        ".bundle.4123456789abcdef0.tmp",
        ".bundle.5123456789abcdeg.tmp",
        ".bundles.6123456789abcdef.tmp",
        ".bundle.7123456789abcdef.tmp.tmp",
    ]
    for name in kept:
        (tmp_path / name).mkdir()
    before = names(tmp_path)
    replace_with_new(tmp_path / "bundle", "none")
    assert names(tmp_path) == sorted({*before, "bundle"} - {left.name})
    assert names(elsewhere) == ["precious"]


def test_what_is_removed_is_open_to_its_owner_and_to_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / ".bundle.0123456789abcdef.tmp"
    left.mkdir()
    (left / "half").touch()
    left.chmod(0o555)  # its owner could not empty it
    seen, remove = [], shutil.rmtree

    def look(folder: Path, *, ignore_errors: bool = False) -> None:
        if folder == left:
            seen.append(mode(folder))
        remove(folder, ignore_errors=ignore_errors)

    monkeypatch.setattr(atomic.shutil, "rmtree", look)
    replace_with_new(tmp_path / "bundle", "none")
    assert seen == [0o700]
    assert names(tmp_path) == ["bundle"]


def test_a_lock_file_without_a_holder_is_no_lock(tmp_path: Path) -> None:
    lock = tmp_path / ".x.lock"
    lock.touch()
    with locked(lock, tmp_path / "x"):
        pass
    assert names(tmp_path) == []


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from edge_infer import atomic
atomic.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
atomic.write_bytes_atomically(Path(sys.argv[1]), b"half a heatmap")
"""


@pytest.mark.parametrize("other", ["one.png", "another.png"])
def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path: Path, other: str) -> None:
    write_bytes_atomically(tmp_path / other, b"first")
    command = [sys.executable, "-c", KILLED_WRITER, str(tmp_path / "one.png")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len([name for name in names(tmp_path) if name.endswith(".tmp")]) == 1
    write_bytes_atomically(tmp_path / other, b"second")
    assert names(tmp_path) == [other]


def test_what_a_living_writer_is_writing_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    descriptor, ours = create_temporary(tmp_path / "other.png", 0o666)
    kept = [ours.name, ".notes.tmp", ".a.0123456789abcdef.tmp.txt", "a.0123456789abcdef.tmp"]
    for name in kept[1:]:
        (tmp_path / name).touch()
    linked = tmp_path / ".link.0123456789abcdef.tmp"
    linked.symlink_to(".notes.tmp")
    write_bytes_atomically(tmp_path / "out.png", b"x")
    assert names(tmp_path) == sorted([*kept, linked.name, "out.png"])
    os.close(descriptor)


def test_many_writers_of_a_folder_do_not_sweep_each_other(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda number: write_bytes_atomically(tmp_path / f"{number}.png", b"x"), range(200)
            )
        )
    assert len(names(tmp_path)) == 200


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask_022() -> Iterator[None]:
    former = os.umask(0o022)
    yield
    os.umask(former)


@pytest.mark.usefixtures("umask_022")
def test_a_replaced_file_keeps_its_mode_and_a_new_one_honours_the_umask(tmp_path: Path) -> None:
    private, new = tmp_path / "private", tmp_path / "new"
    private.touch(mode=0o600)
    for path in (private, new):
        write_bytes_atomically(path, b"x")
    assert (mode(private), mode(new)) == (0o600, 0o644)


@pytest.mark.usefixtures("umask_022")
def test_a_file_is_as_private_as_its_former_self_before_it_holds_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.touch(mode=0o600)
    seen = []

    def look(descriptor: int, *_: object) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))

    monkeypatch.setattr(atomic, "keep_file_mode", look)
    monkeypatch.setattr(atomic.os, "fsync", look)
    write_bytes_atomically(private, b"x")
    assert seen[:2] == [0o600, 0o600]


@pytest.mark.usefixtures("umask_022")
@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_replaced_folder_keeps_its_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(atomic, "exchange_paths", lambda *_: False)
    target = tmp_path / "bundle"
    for number in range(2):
        with replace_folder_atomically(target) as temporary:
            assert mode(temporary) == (0o700 if number else 0o755)
            (temporary / "kept").touch()
            (temporary / f"new-{number}").touch()
        if number == 0:
            assert (mode(target), mode(target / "kept")) == (0o755, 0o644)
            (target / "kept").chmod(0o440)
            target.chmod(0o2750)
    assert mode(target) == 0o2750
    assert (mode(target / "kept"), mode(target / "new-1")) == (0o440, 0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser gives files away")
def test_a_replaced_file_and_folder_keep_their_owner_and_group(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder"):
        os.chown(tmp_path / name, 12345, 54321)
    write_bytes_atomically(tmp_path / "file", b"x")
    with replace_folder_atomically(tmp_path / "folder"):
        pass
    for name in ("file", "folder"):
        status = (tmp_path / name).stat()
        assert (status.st_uid, status.st_gid) == (12345, 54321)


@pytest.mark.usefixtures("umask_022")
def test_a_group_that_cannot_be_kept_is_given_no_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.touch()
    shared.chmod(0o660)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(kept_modes.os, "fchown", refuse)
    write_bytes_atomically(shared, b"x")
    assert mode(shared) == 0o600


def test_a_folder_with_something_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    refuse_other_content(folder, {"model.onnx"}, what="a bundle")
    refuse_other_content(tmp_path / "new", {"model.onnx"}, what="a bundle")
    (folder / "model.onnx").write_bytes(b"older")
    refuse_other_content(folder, {"model.onnx"}, what="a bundle")
    (folder / "mine.txt").write_text("precious")
    (folder / "zebra.txt").touch()
    with pytest.raises(CannotWrite) as caught:
        refuse_other_content(folder, {"model.onnx"}, what="a bundle")
    assert caught.value.message == (
        f"{folder}: holds files that do not belong to a bundle, such as mine.txt"
    )
    assert caught.value.hint == "name a new folder: everything in it would be replaced"


def test_a_folder_that_cannot_be_listed_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> Iterator[Path]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(CannotWrite) as caught:
        refuse_other_content(tmp_path, (), what="a bundle")
    assert caught.value.message == f"{tmp_path}: cannot be written (Permission denied)"


@pytest.mark.parametrize("name", [".", "..", "/", "a/.."])
def test_a_folder_without_a_name_of_its_own_is_not_replaced(name: str) -> None:
    with pytest.raises(CannotWrite, match="has no name of its own") as caught:
        refuse_other_content(Path(name), (), what="a bundle")
    assert caught.value.hint == "name a folder for a bundle"
