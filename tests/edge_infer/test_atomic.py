import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_infer import atomic
from edge_infer.atomic import replace_folder_atomically, write_bytes_atomically
from edge_infer.errors import CannotWrite, OutputLocked
from edge_infer.lock_file import locked


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
