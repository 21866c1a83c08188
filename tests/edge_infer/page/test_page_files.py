"""The files of the page: what a server shows, what a folder without a server holds, and nothing from elsewhere."""

import re
from pathlib import Path

import pytest

from edge_infer import page
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.page import page_files, static_file

FOLDER = Path(page.__file__).parent
IMPORT = re.compile(r'\b(?:from|import) "(\./[\w.]+)"')
#: The name of a vocabulary, which nothing is loaded from.
NAMESPACE = "http://www.w3.org/2000/svg"


def test_the_front_is_the_page() -> None:
    for path in ("/", "", "/index.html"):
        found = static_file(path)
        assert found is not None
        content, kind = found
        assert kind == "text/html; charset=utf-8"
        assert RESEARCH_USE_ONLY.encode() in content, "before any program runs"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/main.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_has_its_content_type(path: str, kind: str) -> None:
    found = static_file(path)
    assert found is not None
    assert found == ((FOLDER / path[1:]).read_bytes(), kind)


def test_the_engine_is_that_of_the_server() -> None:
    assert not (FOLDER / "engine.js").exists()
    found = static_file("/engine.js")
    assert found is not None
    assert found[0] == (FOLDER / "engine_server.js").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/__init__.py",
        "/../contract.py",
        "//etc/passwd",
        "/main.js/",
        "/%6dain.js",
        "/MAIN.JS",
        "/main.js\0",
        "\\main.js",
        "/engine_server",
    ],
)
def test_nothing_else_is_there(path: str) -> None:
    assert static_file(path) is None


def test_the_files_for_another_engine_are_all_but_those_of_this_one() -> None:
    files = page_files()
    shown = {entry.name for entry in FOLDER.iterdir() if entry.suffix in (".js", ".css", ".html", ".svg")}  # fmt: skip
    assert set(files) == {name for name in shown if not name.startswith("engine")}
    assert {"index.html", "main.js", "page.css"} <= set(files)


def test_every_module_that_is_imported_is_there_whichever_engine_is_used() -> None:
    files = page_files()
    for name, content in files.items():
        for wanted in IMPORT.findall(content.decode()):
            assert wanted[2:] in {*files, "engine.js"}, f"{name} imports {wanted}"


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    for name, content in page_files().items():
        text = content.decode().replace(NAMESPACE, "")
        assert not re.search(r"https?://|//[a-z]+\.[a-z]|@import|url\(", text), name
        assert "innerHTML" not in text, name
        assert "insertAdjacentHTML" not in text, name
    front = page_files()["index.html"].decode()
    assert not re.search(r"<style|\bstyle=|\bon\w+=|<script(?![^>]*\bsrc=)", front)


def test_no_class_is_named_in_the_page() -> None:
    for name, content in page_files().items():
        for label in ("glioma", "meningioma", "pituitary", "no_tumor"):
            assert label not in content.decode(), name
