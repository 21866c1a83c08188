"""A checker finds nothing that keeps people out: names, roles, contrasts, landmarks."""

import json
from pathlib import Path

import pytest
from chromium import NAMES, installed
from dicom_files import drawn_volume, mr_series, write_files
from page_server import PageServer
from page_tab import PageTab

AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
    pytest.mark.skipif(not AXE.exists(), reason="no axe-core: npm ci in tests/edge_infer/page"),
]

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.jpg"))
VIOLATIONS = """axe.run(document, { resultTypes: ["violations"] }).then(result =>
    result.violations.map(one => [one.id, one.nodes.map(node => node.html.slice(0, 120))]))"""


def violations(page: PageTab) -> str:
    page.value(f"{AXE.read_text()};null")
    return json.dumps(page.value(VIOLATIONS))


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_every_state_of_the_page_passes(
    page: PageTab, server: PageServer, theme: str, width: int, tmp_path: Path
) -> None:
    page.open(server.url, width=width, theme=theme)
    assert violations(page) == "[]", "empty"
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    write_files(tmp_path / "study", mr_series(drawn_volume(slices=5, rows=64, columns=56)))
    page.drop([EXAMPLES[0], broken, tmp_path / "study"], x=100)
    page.wait_for_jobs(3)
    assert violations(page) == "[]", "an image"
    page.click(".entry", text="broken")
    assert violations(page) == "[]", "an error"
    page.click(".entry", text="study")
    page.click("summary", text="table")
    assert violations(page) == "[]", "a series"


def test_the_checker_finds_what_is_wrong(page: PageTab) -> None:
    page.value("document.querySelector('#jobs').innerHTML = '<li><button></button></li>', null")
    assert "button-name" in violations(page)


def test_the_dialogue_passes(page: PageTab) -> None:
    page.value("document.querySelector('#token').showModal(), null")
    assert violations(page) == "[]"
