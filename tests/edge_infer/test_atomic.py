import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
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
    for name in ("none/out.bin", "folder", "pipe", "link"):
        with pytest.raises(CannotWrite):
            write_bytes_atomically(tmp_path / name, b"x")
    with pytest.raises(CannotWrite):
        write_bytes_atomically(Path("/dev/null"), b"x")
    assert names(tmp_path) == before


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


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("good")
    with pytest.raises(CannotWrite), replace_folder_atomically(target):
        pass
    assert target.read_text() == "good"


def test_a_second_writer_of_the_same_folder_is_told(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    with replace_folder_atomically(target):
        with pytest.raises(OutputLocked) as caught, replace_folder_atomically(target):
            pass
        assert caught.value.exit_code == 41
        with replace_folder_atomically(tmp_path / "other"):
            pass
    assert names(tmp_path) == ["bundle", "other"]


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
    with pytest.raises(
        CannotWrite, match=r"holds files that do not belong to a bundle, such as mine\.txt"
    ):
        refuse_other_content(folder, {"model.onnx"}, what="a bundle")


@pytest.mark.parametrize("name", [".", "..", "/", "a/.."])
def test_a_folder_without_a_name_of_its_own_is_not_replaced(name: str) -> None:
    with pytest.raises(CannotWrite, match="has no name of its own"):
        refuse_other_content(Path(name), (), what="a bundle")
