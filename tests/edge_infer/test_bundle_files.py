"""The folder of a bundle: waited for while a writer replaces it, and read with its limits, without parsing a file."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_infer import bundle_files as bundle_files_module
from edge_infer.bundle_files import MAX_BUNDLE_BYTES, read_bundle_files, while_it_stays
from edge_infer.contract import BUNDLE_FILES, MAX_SCOPE_BYTES, SCOPE_FILE
from edge_infer.errors import (
    BundleIncomplete,
    BundleIntegrity,
    ContentRefused,
)

CONTENTS = {name: f"content of {name}".encode() for name in BUNDLE_FILES}
CPUS = Path("/sys/devices/system/cpu/online")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a bundle's files, none of which could be parsed."""
    path = tmp_path / "bundle"
    path.mkdir()
    for name, data in CONTENTS.items():
        (path / name).write_bytes(data)
    return path


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were asked for; none is made."""
    asked: list[float] = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


@pytest.fixture
def as_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no paths relative to an open folder, and no opening without waiting."""
    monkeypatch.setattr(os, "supports_dir_fd", frozenset())
    monkeypatch.delattr(os, "O_NONBLOCK", raising=False)


class Loader:
    """Fails until it was asked ``fails`` times, and does something each time."""

    def __init__(self, fails: int, then: Callable[[], object] = lambda: None) -> None:
        self.places: list[Path] = []
        self._fails = fails
        self._then = then

    def __call__(self, place: Path) -> str:
        self.places.append(place)
        self._then()
        if len(self.places) <= self._fails:
            raise BundleIncomplete("not now")
        return "loaded"


def aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def test_a_folder_that_stays_is_loaded_once(tmp_path: Path, pauses: list[float]) -> None:
    good, bad = Loader(fails=0), Loader(fails=1)
    assert while_it_stays(tmp_path, good) == "loaded"
    with pytest.raises(BundleIncomplete, match="not now"):
        while_it_stays(tmp_path, bad)
    assert good.places == bad.places == [tmp_path]
    assert pauses == []


@pytest.mark.parametrize("name", ["none", "a" * 300])
def test_a_folder_missing_at_three_looks_is_missing(
    tmp_path: Path, pauses: list[float], name: str
) -> None:
    load = Loader(fails=100)
    with pytest.raises(BundleIncomplete, match="not now"):
        while_it_stays(tmp_path / name, load)
    assert load.places == [tmp_path / name] * 3
    assert len(pauses) == 2


def test_a_folder_missing_at_two_looks_may_be_there_at_the_third(
    tmp_path: Path, pauses: list[float]
) -> None:
    assert while_it_stays(tmp_path / "none", Loader(fails=2)) == "loaded"
    assert len(pauses) == 2


@pytest.mark.parametrize("is_there_before", [True, False])
def test_a_folder_seen_before_or_after_loading_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there_before: bool
) -> None:
    folder = tmp_path / "bundle"
    if is_there_before:
        folder.mkdir()
    come, go = folder.mkdir, folder.rmdir
    load = Loader(fails=6, then=go if is_there_before else come)
    monkeypatch.setattr(time, "sleep", lambda _: (come if is_there_before else go)())
    assert while_it_stays(folder, load) == "loaded"


def test_a_writer_that_takes_longer_than_a_second_counts_as_killed(
    tmp_path: Path, pauses: list[float]
) -> None:
    folder = tmp_path / "bundle"
    aside(folder).mkdir()
    places = []

    def load(place: Path) -> str:
        places.append(place)
        if place == folder:
            raise BundleIncomplete("not there")
        return "the former one"

    assert while_it_stays(folder, load) == "the former one"
    assert places[-1] == aside(folder)
    assert places.count(aside(folder)) == 1
    assert sum(pauses) == pytest.approx(1)
    assert min(pauses) > 0


def test_a_folder_that_is_there_is_loaded_however_often_it_is_replaced_and_never_the_former_one(
    tmp_path: Path, pauses: list[float]
) -> None:
    folder, other, third = (tmp_path / name for name in ("bundle", "other", "third"))
    for each in (folder, other, aside(folder)):
        each.mkdir()

    def exchange() -> None:
        folder.rename(third)
        other.rename(folder)
        third.rename(other)

    load = Loader(fails=100, then=exchange)
    with pytest.raises(BundleIncomplete):
        while_it_stays(folder, load)
    assert set(load.places) == {folder}
    assert sum(pauses) == pytest.approx(1)


def test_the_files_are_read_by_name(folder: Path) -> None:
    (folder / ".gitattributes").write_bytes(b"*.onnx filter=lfs\n")
    assert read_bundle_files(folder) == CONTENTS


@pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="open folders have no descriptor")
def test_all_files_come_from_the_folder_that_was_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def replaced(place: int) -> object:
        folder.rename(folder.with_name("moved"))
        folder.mkdir()
        return scandir(place)

    monkeypatch.setattr(os, "scandir", replaced)
    assert read_bundle_files(folder) == CONTENTS


@pytest.mark.usefixtures("as_on_windows")
def test_without_descriptors_of_folders_the_files_are_read_by_path(folder: Path) -> None:
    assert read_bundle_files(folder) == CONTENTS
    (folder / "README.md").unlink()
    (folder / "README.md").mkdir()
    with pytest.raises(BundleIntegrity, match=r"README\.md is not a regular file"):
        read_bundle_files(folder)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (["model.onnx"], "model.onnx"),
        (["model.onnx", "README.md"], "README.md, model.onnx"),
    ],
)
def test_all_missing_files_are_named(folder: Path, gone: list[str], said: str) -> None:
    for name in gone:
        (folder / name).unlink()
    with pytest.raises(BundleIncomplete) as caught:
        read_bundle_files(folder)
    assert caught.value.message == f"{folder}: bundle lacks {said}"
    assert caught.value.hint == "copy the whole folder"


@pytest.mark.parametrize("count", [1, 5, 6])
def test_the_first_five_that_do_not_belong_there_are_named(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"{number}.bin").touch()
    with pytest.raises(BundleIntegrity) as caught:
        read_bundle_files(folder)
    named = caught.value.message.rpartition(": ")[2].split(", ")
    assert named == ["0.bin", "1.bin", "2.bin", "3.bin", "4.bin"][:count]
    assert caught.value.hint.startswith("remove it")


def test_a_broken_link_is_named(folder: Path) -> None:
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("gone")
    with pytest.raises(BundleIncomplete, match=r"README\.md is a broken link") as caught:
        read_bundle_files(folder)
    assert caught.value.hint == "copy the whole folder"


def test_a_missing_folder_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(BundleIncomplete) as caught:
        read_bundle_files(tmp_path / "none")
    assert caught.value.message.endswith("none: bundle cannot be read (No such file or directory)")
    assert "brain-export" in caught.value.hint


def test_an_error_of_the_system_without_a_reason_is_shown_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise OSError("the disk is odd")

    monkeypatch.setattr(os, "scandir", broken)
    with pytest.raises(BundleIncomplete, match=r"cannot be read \(the disk is odd\)"):
        read_bundle_files(folder)


def grow(path: Path, size: int) -> None:
    """Make a file of that size that takes no room."""
    with path.open("ab") as file:
        file.truncate(size)


@pytest.mark.parametrize("surplus", [0, 1])
def test_512_mib_together_is_the_most(
    folder: Path, monkeypatch: pytest.MonkeyPatch, surplus: int
) -> None:
    most = 512 * 1024 * 1024
    others = sum(len(data) for name, data in CONTENTS.items() if name != "model.onnx")
    grow(folder / "model.onnx", most - others + surplus)
    monkeypatch.setattr(bundle_files_module, "_read", lambda *_: b"")
    if not surplus:
        assert set(read_bundle_files(folder)) == set(CONTENTS)
        return
    with pytest.raises(ContentRefused, match=r"has 536,870,913 bytes, .* at most 536,870,912$"):
        read_bundle_files(folder)
    assert most == MAX_BUNDLE_BYTES


@pytest.mark.parametrize("surplus", [0, 1])
def test_one_mib_is_the_most_for_the_scope_check(folder: Path, surplus: int) -> None:
    (folder / SCOPE_FILE).touch()
    grow(folder / SCOPE_FILE, 1024 * 1024 + surplus)
    if not surplus:
        assert read_bundle_files(folder)[SCOPE_FILE] == bytes(MAX_SCOPE_BYTES)
        return
    with pytest.raises(ContentRefused, match=r"scope\.bin has 1,048,577 bytes, .* 1,048,576$"):
        read_bundle_files(folder)


@pytest.mark.skipif(not CPUS.exists(), reason="a file that is shorter than it says")
def test_a_file_that_ends_before_it_says_is_refused(folder: Path) -> None:
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to(CPUS)
    with pytest.raises(BundleIntegrity, match=r"README\.md has changed while it was read"):
        read_bundle_files(folder)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="lists what is open")
def test_a_file_replaced_between_looking_and_opening_is_refused_and_closed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    look = os.stat

    def replaced(name: str, **place: Any) -> os.stat_result:
        found = look(name, **place)
        if name == "model.onnx":
            (folder / name).unlink()
            (folder / name).mkdir()
        return found

    before = held()
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", replaced)
        with pytest.raises(BundleIntegrity, match=r"model\.onnx is not a regular file") as caught:
            read_bundle_files(folder)
    assert caught.value.hint == "copy the bundle again, as regular files"
    assert held() == before
