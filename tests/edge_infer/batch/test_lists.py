"""A list names paths and URLs one a line; what is no list is refused rather than turned into a million failures."""

from pathlib import Path

import pytest

from edge_infer.batch.listing import list_units
from edge_infer.batch.lists import listed
from edge_infer.errors import DataRefused, UnreadableInput

EXPECTED = ["a.png", " b c.png", "#d.png", "s3://bucket/e.png"]
LINES = "a.png\n\n b c.png\n#d.png\n   \ns3://bucket/e.png"


def entries(path: Path, content: bytes) -> list[str]:
    path.write_bytes(content)
    return list(listed(path))


@pytest.mark.parametrize(
    "content",
    [
        LINES.encode(),
        b"\xef\xbb\xbf" + LINES.encode(),
        LINES.replace("\n", "\r\n").encode() + b"\r\n",
        LINES.encode("utf-16"),
    ],
    ids=["plain", "byte order mark", "line ends of Windows", "utf-16"],
)
def test_lines_are_entries_and_blank_ones_are_passed_by(tmp_path: Path, content: bytes) -> None:
    assert entries(tmp_path / "list.txt", content) == EXPECTED


def test_bytes_of_another_encoding_stay_as_they_are(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path / "list.txt", b"caf\xe9.png\n")
    assert entry.encode("utf-8", "surrogateescape") == b"caf\xe9.png"


@pytest.mark.parametrize(
    "content",
    [
        "label,PATH\nglioma,a.png\nx, b c.png\nx,#d.png\n\nx,s3://bucket/e.png\n",
        '﻿"source","score"\r\n"a.png",0\r\n" b c.png",0\r\n"#d.png",0\r\n"s3://bucket/e.png",0\r\n',
        LINES,
        f"file\n{LINES}",
    ],
    ids=["a column", "quoted", "one column without a header", "one column"],
)
def test_a_table_names_the_column_or_has_but_one(tmp_path: Path, content: str) -> None:
    assert entries(tmp_path / "list.CSV", content.encode()) == EXPECTED


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.csv", b"a,b\nx.png,y.png\n"),
        ("list.csv", b"path,file\nx.png,y.png\n"),
        ("list.csv", b"label,path\nglioma\n"),
        ("list.csv", b'path\n"x.png\n'),
        ("list.csv", b"path\nx\0.png\n"),
        ("list.txt", b"PK\x03\x04\0\0"),
        ("list.txt", b"x" * 70_000),
        ("list.csv", b"x" * 70_000),
        ("list.txt", b"\xff\xfea\0.\0\0\xd8"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(DataRefused, match=r"is no list that is read here \("):
        entries(tmp_path / name, content)


def test_a_list_that_is_missing_or_a_folder_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.txt", tmp_path, Path("nul\0.txt")):
        with pytest.raises(UnreadableInput, match="list cannot be read"):
            list(listed(path))


def test_listed_files_and_folders_become_units_after_the_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("in/x.png", "y.png", "z.png"):
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text("y.png\nmissing.png\nin\ny.png\n")
    monkeypatch.chdir(tmp_path)
    units = list_units(["z.png"], lists=["list.txt"])
    names = [one.source.removeprefix(f"{tmp_path}/") for one in units]
    assert names == ["z.png", "y.png", "missing.png", "in/x.png", "y.png"]
