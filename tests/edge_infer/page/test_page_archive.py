"""The archive that the page packs is one that any program reads."""

import base64
import io
import json
import zipfile

import pytest
from chromium import NAMES, installed
from page_tab import PageTab

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]

PACKED = """import("./zip.js").then(async module => {{
    const members = {members}.map(([name, text]) => ({{ name, file: new Blob([text]) }}));
    const archive = await module.packed(members, "study.zip");
    const reader = new FileReader();
    const read = new Promise(done => {{ reader.onload = () => done(reader.result); }});
    reader.readAsDataURL(archive);
    return [archive.name, (await read).split(",")[1]];
}})"""


def pack(modules: PageTab, members: list[tuple[str, str]]) -> zipfile.ZipFile:
    name, content = modules.value(PACKED.format(members=json.dumps(members)))
    assert name == "study.zip"
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(content)))


def test_names_and_contents_come_back(modules: PageTab) -> None:
    members = [
        ("study/IM0001", "a" * 70_000),
        ("study/Łódź 頭.dcm", "naïve"),
        ("empty", ""),
    ]
    archive = pack(modules, members)
    assert archive.testzip() is None, "all sums are right"
    assert archive.namelist() == [name for name, _ in members]
    assert [archive.read(name).decode() for name, _ in members] == [text for _, text in members]
    assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_files_of_one_name_are_all_kept(modules: PageTab) -> None:
    archive = pack(
        modules, [("IM1", "first"), ("IM1", "second"), ("2/IM1", "third"), ("IM1", "last")]
    )
    assert len(set(archive.namelist())) == 4
    contents = sorted(archive.read(name).decode() for name in archive.namelist())
    assert contents == ["first", "last", "second", "third"]


def test_an_archive_of_nothing_is_one(modules: PageTab) -> None:
    assert pack(modules, []).namelist() == []
