"""A ZIP of a study is read without unpacking it; what would do harm is refused before it is read."""

import gc
import io
import os
import struct
import zipfile
from pathlib import Path

import pytest
from dicom_files import file_bytes, mr_slice
from tiny_bundle import GOLDEN

from edge_infer.errors import (
    BrainError,
    CorruptImage,
    InputOverLimit,
    NoInputs,
    UnreadableInput,
    UnsupportedImage,
)
from edge_infer.series import archive
from edge_infer.series.archive import Archive
from edge_infer.series.study import open_study

DICOM = file_bytes(mr_slice(GOLDEN[0].astype("uint16")))


def zipped(path: Path, members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as written:
        for name, data in members.items():
            written.writestr(name, data)
    return path


def names(path: Path) -> list[str]:
    return [member.name.partition("!")[2] for member in Archive(path).members()]


def refusal_of(path: Path) -> BrainError:
    (refused,) = open_study([path]).refused
    return refused.error


def test_members_are_listed_without_folders_hidden_files_and_additions(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "a.zip",
        {
            "b/2": b"x",
            "b/1": b"x",
            "b/": b"",
            ".hidden": b"",
            "b/.DS_Store": b"",
            "__MACOSX/1": b"",
        },
    )
    assert names(path) == ["b/1", "b/2"]


def test_names_with_tricks_are_only_names(tmp_path: Path) -> None:
    tricks = ["../../outside.dcm", "/etc/absolute.dcm", "C:\\windows.dcm", "a\x1b[2J.dcm"]
    path = zipped(tmp_path / "a.zip", dict.fromkeys(tricks, DICOM))
    before = sorted(tmp_path.rglob("*"))
    study = open_study([path])
    (series,) = study.series
    assert len(series.slices) == 1  # four files of one slice
    assert series.slices[0].read().source.image.size == (32, 32)
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "outside.dcm").exists()


def test_a_damaged_or_missing_archive_is_an_error(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1": DICOM})
    data = path.read_bytes()
    for cut in (4, len(data) // 2, len(data) - 10):
        path.write_bytes(data[:cut])
        assert isinstance(refusal_of(path), CorruptImage)
    with pytest.raises(UnreadableInput):
        Archive(tmp_path / "none.zip")
    with pytest.raises(UnreadableInput, match="not a regular file"):
        Archive(tmp_path)


def test_damage_within_a_member_is_its_own_error(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1": DICOM, "2": DICOM}, method=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    study = open_study([path])
    assert [type(refused.error) for refused in study.refused] == [CorruptImage]
    assert study.slices == 1


def test_too_many_members_or_too_much_in_all_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "a.zip", {str(number): b"x" for number in range(6)})
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    assert isinstance(refusal_of(path), InputOverLimit)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 6)
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 5)
    assert isinstance(refusal_of(path), InputOverLimit)
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 6)
    with pytest.raises(NoInputs):
        open_study([path])


def test_a_bomb_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "a.zip", {"bomb": b"DICM" * 2**20, "1": DICOM})
    study = open_study([path])
    (refused,) = study.refused
    assert "more than 250 times its size" in refused.error.message
    assert study.slices == 1
    monkeypatch.setattr(archive, "MAX_SCAN_BYTES", 1000)
    assert {type(each.error) for each in open_study([path]).refused} == {InputOverLimit}


def test_a_member_that_lies_about_its_size_gives_no_more(tmp_path: Path) -> None:
    """The index says 600 bytes, and 4 MiB are packed."""
    path = zipped(tmp_path / "a.zip", {"1": b"\0" * 128 + b"DICM" + b"\0" * 2**22})
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.index(signature) + place
        struct.pack_into("<I", data, at, 600)
    path.write_bytes(data)
    error = refusal_of(path)
    assert isinstance(error, CorruptImage)


def test_archives_within_archives_are_refused(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as written:
        written.writestr("1", DICOM)
    path = zipped(tmp_path / "a.zip", {"inner": inner.getvalue(), "1": DICOM})
    study = open_study([path])
    assert study.slices == 1
    assert "is an archive within an archive" in study.refused[0].error.message


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1": DICOM}, method=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(signature) + place] |= 1
    path.write_bytes(data)
    error = refusal_of(path)
    assert isinstance(error, UnsupportedImage)
    assert "is encrypted" in error.message


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 97])
def test_other_ways_of_compression_are_named_and_not_tried(tmp_path: Path, method: int) -> None:
    known = zipfile.ZIP_STORED if method == 97 else method
    path = zipped(tmp_path / "a.zip", {"1": DICOM}, method=known)
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        struct.pack_into("<H", data, data.index(signature) + place, method)
    path.write_bytes(data)
    assert "compressed in a way that is not read" in refusal_of(path).message


def test_an_archive_is_closed_once_nobody_can_ask_for_a_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1": DICOM})
    opened = Archive(path)
    (member,) = opened.members()
    file, packed = member.file, opened.zip
    del opened, member
    gc.collect()
    assert file.read() == DICOM
    del file
    gc.collect()
    assert packed.fp is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.zip")
    assert isinstance(refusal_of(tmp_path / "a.zip"), UnreadableInput)


def test_stored_and_deflated_members_give_the_same_slice(tmp_path: Path) -> None:
    digests = set()
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = zipped(tmp_path / f"{method}.zip", {"1": DICOM}, method=method)
        (series,) = open_study([path]).series
        digests.add(series.slices[0].read().source.sha256)
        assert series.slices[0].name == f"{path}!1"
    assert len(digests) == 1
