"""Inputs become units: each image and each study once, in the same order, whatever lies between them."""

import gc
import io
import os
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from dicom_files import file_bytes, mr_slice

from edge_infer.batch import scan_groups
from edge_infer.batch.folders import FolderWalk
from edge_infer.batch.left_out import Left, LeftOut
from edge_infer.batch.listing import Listing, list_units
from edge_infer.batch.locations import located
from edge_infer.batch.units import Unit
from edge_infer.errors import DataRefused, MissingDependency, NoInputs
from edge_infer.folder_walk import Walk, is_litter

PIXELS = np.zeros((32, 32), dtype=np.uint16)
#: What ``kind_of`` takes for a DICOM file and a NIfTI volume; nothing more is looked at to list them.
DICOM = bytes(128) + b"DICM" + bytes(64)
NIFTI = (348).to_bytes(4, "little") + bytes(340) + b"n+1\0" + bytes(160)


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def named(units: Sequence[Unit], folder: Path) -> list[tuple[str, ...]]:
    """Kind, source and members of units, without the folder."""
    start = f"{folder}/"
    return [
        (one.kind, one.source.removeprefix(start), *(m.removeprefix(start) for m in one.members))
        for one in units
    ]


def test_images_come_by_their_endings_and_scans_by_their_content(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "b.PNG": b"",
            "a.jpeg": b"no image at all",
            "volume": NIFTI,
            "notes.txt": b"x",
            "study/2": DICOM,
            "study/1": DICOM,
            "study/report.pdf": b"%PDF",
            "study/deeper/IM0": DICOM,
            "study/key.jpg": b"",
        },
    )
    listing = list_units([tmp_path])
    assert named(list(listing), tmp_path) == [
        ("image", "a.jpeg"),
        ("image", "b.PNG"),
        ("study", "volume"),
        ("image", "study/key.jpg"),
        ("study", "study", "study/1", "study/2"),
        ("study", "study/deeper/IM0"),
    ]
    assert listing.left_out == ("2 without an image's ending (notes.txt, report.pdf)",)
    assert listing.left_out_counts == {"other": 2}


def test_heatmaps_litter_and_archives_in_folders_are_no_units(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "a.png": b"",
            "a.heatmap.png": b"",
            ".hidden.png": b"",
            "__MACOSX/a.png": b"",
            "Thumbs.db": b"",
            "letter.docx": b"PK\x03\x04",
        },
    )
    listing = list_units([tmp_path])
    assert named(list(listing), tmp_path) == [("image", "a.png")]
    assert listing.left_out == (
        "1 named as heatmaps are, *.heatmap.png (a.heatmap.png)",
        "1 ZIP archive in a folder: name it to read it (letter.docx)",
    )


@pytest.mark.parametrize("kind", Left)
def test_what_is_left_out_is_counted_in_words_that_fit(kind: Left) -> None:
    one, two = LeftOut(), LeftOut()
    for left in (one, two, two):
        left.add(kind, "a")
    plurals = ("archives", "folders", "them")
    assert not any(word in one.phrases[0].replace("heatmaps", "") for word in plurals)
    assert two.phrases == (f"2 {kind.value} (a, a)",)


def test_what_is_named_itself_is_looked_into_whatever_it_is_called(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "scan.png": DICOM,
            ".hidden": b"",
            "a.heatmap.png": b"",
            "b.zip": b"no archive",
            "v.nii": NIFTI,
        },
    )
    inputs = [
        tmp_path / name
        for name in (".hidden", "a.heatmap.png", "b.zip", "missing", "v.nii", "scan.png")
    ]
    assert named(list(list_units(inputs)), tmp_path) == [
        ("image", ".hidden"),
        ("image", "a.heatmap.png"),
        ("image", "b.zip"),
        ("image", "missing"),
        ("study", "v.nii"),
        ("study", "scan.png"),
    ]


def test_dicom_files_named_one_by_one_are_a_study_of_their_folder(tmp_path: Path) -> None:
    written(tmp_path, {"a/1": DICOM, "a/2": DICOM, "b/1": DICOM, "b/2": DICOM})
    inputs = [tmp_path / name for name in ("a/1", "a/2", "b/2", "b/1")]
    assert named(list(list_units(inputs)), tmp_path) == [
        ("study", "a", "a/1", "a/2"),
        ("study", "b", "b/2", "b/1"),
    ]


def test_a_slice_named_twice_is_one_slice_and_a_folder_is_a_study_of_its_own(
    tmp_path: Path,
) -> None:
    written(tmp_path, {"a/1": DICOM, "a/2": DICOM})
    inputs = [tmp_path / name for name in ("a/1", "a/2", "a/1", "a", "a/2")]
    assert named(list(list_units(inputs)), tmp_path) == [
        ("study", "a", "a/1", "a/2"),
        ("study", "a", "a/1", "a/2"),
        ("study", "a/2"),
    ]


@pytest.mark.parametrize("between", ["b/1", "b"])
def test_scans_whose_folders_alternate_are_refused(tmp_path: Path, between: str) -> None:
    written(tmp_path, {"a/1": DICOM, "a/2": DICOM, "b/1": DICOM, "c.png": b""})
    inputs = [tmp_path / name for name in ("a/1", "c.png", between, "a/2")]
    units = list_units(inputs)
    with pytest.raises(DataRefused, match=r"a: scans of this folder") as refused:
        list(units)
    assert "sort the list by folder" in str(refused.value.hint)


def test_a_large_folder_is_taken_apart_by_its_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_groups, "MAX_STUDY_FILES", 3)
    for number, series in enumerate("abab", start=1):
        slice_ = mr_slice(PIXELS, number=number, series=series)
        (tmp_path / f"{number}").write_bytes(file_bytes(slice_))
    written(tmp_path, {f"damaged{number}": DICOM for number in range(5)})
    assert named(list(list_units([tmp_path])), tmp_path.parent) == [
        ("study", tmp_path.name, *(f"{tmp_path.name}/{one}" for one in "13")),
        ("study", tmp_path.name, *(f"{tmp_path.name}/{one}" for one in "24")),
        ("study", tmp_path.name, *(f"{tmp_path.name}/damaged{one}" for one in "012")),
        ("study", tmp_path.name, *(f"{tmp_path.name}/damaged{one}" for one in "34")),
    ]


def test_a_header_tells_its_series_wherever_its_first_part_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = file_bytes(mr_slice(PIXELS))
    (tmp_path / "1").write_bytes(content)
    whole = scan_groups._identifiers(str(tmp_path / "1"))
    assert all(whole)
    for count in range(0, content.index(b"\xe0\x7f\x10\0") + 20, 2):
        monkeypatch.setattr(scan_groups, "_HEAD_BYTES", count)
        assert scan_groups._identifiers(str(tmp_path / "1")) == whole


def test_the_walk_finds_what_brain_infer_finds_in_the_same_order(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    folders = [tmp_path / "root"]
    folders[0].mkdir()
    for number in range(300):
        parent = folders[generator.integers(len(folders))]
        names = ["a", "B", "c.png", ".x", "é", "Z z", "thumbs.db"]
        name = f"{number}{names[number % 7]}" if number % 9 else names[number % 7]
        if (parent / name).exists():
            continue
        if generator.random() < 0.35:
            (parent / name).mkdir()
            folders.append(parent / name)
        elif generator.random() < 0.3:
            targets = [*folders, parent / "nowhere"]
            (parent / name).symlink_to(targets[generator.integers(len(targets))])
        else:
            (parent / name).touch()
    found = FolderWalk().folders(str(folders[0]))
    walked = [Path(folder.path, name) for folder in found for name in folder.files]
    assert walked == list(Walk(is_skipped=is_litter).files(folders[0]))
    assert len(walked) > 40


def test_links_in_a_circle_end_and_are_counted(tmp_path: Path) -> None:
    written(tmp_path, {"a/x.png": b""})
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self.png").symlink_to(tmp_path / "a" / "self.png")
    listing = list_units([tmp_path, tmp_path / "a"])
    assert named(list(listing), tmp_path) == [("image", "a/self.png"), ("image", "a/x.png")]
    assert listing.left_out_counts == {"repeated": 2}


def test_a_folder_that_may_not_be_read_is_a_unit_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {"a/x.png": b"", "b/y.png": b"", "c/z.png": b""})
    scandir = os.scandir

    def forbidding(path: str) -> object:
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    assert named(list(list_units([tmp_path])), tmp_path) == [
        ("image", "a/x.png"),
        ("image", "b"),
        ("image", "c/z.png"),
    ]


def test_a_folder_without_anything_gets_a_unit_beside_others(tmp_path: Path) -> None:
    written(tmp_path, {"a/x.png": b"", "empty/notes.txt": b"x"})
    listing = list_units([tmp_path / "empty", tmp_path / "a"])
    assert named(list(listing), tmp_path) == [("study", "empty"), ("image", "a/x.png")]


@pytest.mark.parametrize("inputs", [[], ["empty"], ["empty", "text.zip"]])
def test_nothing_at_all_is_said(tmp_path: Path, inputs: list[str]) -> None:
    written(tmp_path, {"empty/notes.txt": b"x"})
    zipped(tmp_path / "text.zip", {"readme.txt": b"x"})
    with pytest.raises(NoInputs, match=r"nothing to classify was found(; left out: .*)?"):
        list(list_units([tmp_path / name for name in inputs]))


def test_names_that_are_not_utf8_come_through_a_plan_as_they_are(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    with open(raw, "wb"):  # noqa: PTH123 -- pathlib takes no bytes
        pass
    (unit,) = list_units([tmp_path])
    assert os.fsencode(Unit.from_json(unit.as_json()).source) == raw


def test_relative_paths_are_of_the_working_folder_and_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {"in/x.png": b""})
    monkeypatch.chdir(tmp_path)
    expected = [Unit(kind="image", source=f"{tmp_path}/in/x.png")]
    for given in ("in", "./in/../in", f"file://{tmp_path}/in"):
        assert list(list_units([given])) == expected


def test_a_file_named_twice_is_answered_twice(tmp_path: Path) -> None:
    written(tmp_path, {"x.png": b""})
    assert len(list(list_units([tmp_path / "x.png", tmp_path / "x.png"]))) == 2


def test_a_file_that_may_be_a_scan_and_cannot_be_read_is_no_file_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {"IM1": DICOM, "IM2": DICOM, "empty": b""})
    (tmp_path / "IM3").symlink_to("/not/mounted/IM3")
    opened = os.open

    def forbidding(path: Path, *given: int) -> int:
        if str(path).endswith("IM2"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *given)

    monkeypatch.setattr(os, "open", forbidding)
    listing = list_units([tmp_path])
    assert named(list(listing), tmp_path.parent) == [
        ("image", f"{tmp_path.name}/IM2"),
        ("image", f"{tmp_path.name}/IM3"),
        ("study", f"{tmp_path.name}/IM1"),
    ]
    assert listing.left_out == ("1 without an image's ending (empty)",)


def test_special_files_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.png")
    listing = list_units([tmp_path])
    assert named(list(listing), tmp_path) == [("image", "pipe.png")]


def test_a_reader_that_is_missing_is_said_before_anything_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_infer.batch import sorting

    monkeypatch.setattr(sorting, "find_spec", lambda _: None)
    written(tmp_path, {"1": DICOM})
    with pytest.raises(MissingDependency, match="pydicom"):
        list(list_units([tmp_path]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("sftp://me:secret@host/x.png", "a URL holds a password"),
        ("simplecache::ftp://me:secret@host/x.png", "a URL holds a password"),
        ("sftp://me:sec/secret@host/x.png", "a URL holds a password"),
        ("https://host/x.png?a=1&X-Amz-Signature=secret", "a key or signature"),
        ("https://host/x.png?sv=2&sig=secret", "a key or signature"),
        ("https://host/x?AccessKeyId=secret", "a key or signature"),
        ("https://host/x?x-goog-CREDENTIAL=secret", "a key or signature"),
        ("https://host/x?access%5Ftoke%6E=secret", "a key or signature"),
        ("https://host/x.png?password=secret", "a key or signature"),
        ("https://host/x.png?user=me&Passwd=secret", "a key or signature"),
        ("https://host/x.png?pwd=secret", "a key or signature"),
        ("https://host/x.png?user_pass=secret", "a key or signature"),
        ("https://host/x.png?client_secret=secret", "a key or signature"),
        ("https://host/x.png?auth=secret", "a key or signature"),
        ("https://host/x.png?Authorization=secret", "a key or signature"),
        ("https://host/x.png?X-Sig=secret", "a key or signature"),
        ("https://host/x.png?jsessionid=secret", "a key or signature"),
        ("https://host/x.png#access_token=secret", "a key or signature"),
        ("https://host/x.png?userPass=secret", "a key or signature"),
        ("https://host/x.png?sharedSig=secret", "a key or signature"),
        ("https://secret@host/x.png", "a user or token before its host"),
        ("HTTP://a@secret@host:80", "a user or token before its host"),
        ("simplecache::https://secret@host/x.png", "a user or token before its host"),
        ("simplecache::https://host/x?token=secret", "a key or signature"),
        ("simplecache::s3://bucket/x.png", "is a chain of URLs"),
        ("zip://x.png::s3://bucket/a.zip", "is a chain of URLs"),
        ("nosuch://host/x", "protocol is not known"),
        ("", "a path is empty"),
    ],
)
def test_what_would_do_harm_is_refused(given: str, words: str) -> None:
    with pytest.raises(DataRefused, match=words) as caught:
        list(list_units([given]))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        "http://host:80/a@b.png",
        "http://[2001:db8:0:0:0:0:0:1]:80/a@b.png",
        "s3://bucket/a:b@c.png",
        "https://host/x.png?design=1&version=2",
        "s3://bucket/token/key?.png",
        "https://host/a@b.png?at=c@d",
        "https://host/x.png?author=me&authors_id=2&bypass=1&session=2",
        "https://host/x.png?assigningAuthority=A&authorities=B",
        "s3://bucket/run#1/key=3/x.png",
        "sftp://me@host/x.png",
        "smb://group;me@host/share/x.png",
        "hdfs://me@node:8020/x.png",
        "abfs://container@account.dfs.core.windows.net/x.png",
        "s3://bucket/a@b.png",
    ],
)
def test_urls_without_credentials_stay_as_they_are(given: str) -> None:
    assert located(given) == given


def test_odd_names_are_units_that_fail(tmp_path: Path) -> None:
    names = ["nul\0.png", "line\nend.png", "x" * 300 + ".png", "a::b.png", "C://x"]
    listing = list_units([f"{tmp_path}/{name}" for name in names])
    assert [one.kind for one in listing] == ["image"] * len(names)


def test_a_zip_of_images_has_a_unit_for_each(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "a.zip",
        {
            "deep/er/2.png": b"",
            "1.JPG": b"",
            "__MACOSX/._1.JPG": b"",
            ".DS_Store": b"",
            "notes.txt": b"x",
            "inner.zip": b"PK\x03\x04",
        },
    )
    listing = list_units([path])
    assert named(list(listing), tmp_path) == [
        ("image", "a.zip", "1.JPG"),
        ("image", "a.zip", "deep/er/2.png"),
    ]
    assert listing.left_out_counts == {"other": 1, "nested": 1}


def test_a_zip_of_scans_is_one_study_beside_its_images(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1": DICOM, "2.png": b"", "3.png": DICOM, "v.nii": NIFTI})
    assert named(list(list_units([path])), tmp_path) == [
        ("image", "a.zip", "2.png"),
        ("study", "a.zip"),
    ]


def test_of_members_of_one_name_one_is_a_unit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.png", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x.png", b"2")
    listing = list_units([tmp_path / "a.zip"])
    assert len(list(listing)) == 1
    assert listing.left_out_counts == {"namesake": 1}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _encrypt(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = whole.find(mark)
        while place >= 0:
            whole[place + at] |= 1
            place = whole.find(mark, place + 1)
    path.write_bytes(whole)


@pytest.mark.parametrize("spoil", [_cut, _encrypt])
def test_an_archive_that_cannot_be_read_is_a_study_that_fails(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = zipped(tmp_path / "a.zip", {"1": DICOM})
    spoil(path)
    assert named(list(list_units([path])), tmp_path) == [("study", "a.zip")]


def test_listing_holds_one_folder_at_a_time(tmp_path: Path) -> None:
    for folder in range(16):
        (tmp_path / f"{folder:02}").mkdir()
        for number in range(250):
            (tmp_path / f"{folder:02}" / f"image-{number:06}-of-a-long-name.png").touch()
    list(list_units([tmp_path]))  # what is loaded once
    gc.collect()
    tracemalloc.start()
    try:
        assert sum(1 for _ in list_units([tmp_path])) == 4_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 200_000  # 4,000 names alone would be 350 kB


def test_of_a_folder_that_was_read_no_path_is_held(tmp_path: Path) -> None:
    for number in range(1_000):
        (tmp_path / f"{number:04}-{'long' * 50}").mkdir()
    walk = FolderWalk()
    gc.collect()
    tracemalloc.start()
    try:
        assert sum(1 for _ in walk.folders(str(tmp_path))) == 1_001
        gc.collect()
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 150_000  # their paths would be 300 kB
    assert most < 550_000  # the names alone are 260 kB


def test_the_same_files_give_the_same_units_again(tmp_path: Path) -> None:
    written(tmp_path, {f"{number % 7}/{number}": DICOM for number in range(30)})
    assert list(list_units([tmp_path])) == list(list_units([tmp_path]))
    assert isinstance(list_units([tmp_path]), Listing)


def test_an_archive_in_memory_is_no_input() -> None:
    with pytest.raises(TypeError):
        list(list_units([io.BytesIO()]))  # type: ignore[list-item]
