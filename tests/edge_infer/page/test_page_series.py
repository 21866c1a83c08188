"""Series on the page: files that belong together go as one, the finding comes first, slices are walked through."""

import io
import shutil
import zipfile
from pathlib import Path

import pytest
from chromium import NAMES, installed
from dicom_files import CANARIES, drawn_volume, mr_series, write_files
from page_lines import answer, series_of_four
from page_server import PageServer
from page_tab import PageTab

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.jpg"))
SLIDER = ".chart input"
SHOWN = "document.querySelector('.slice h3').textContent"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans") / "study"
    volume = drawn_volume(slices=8, rows=96, columns=80)
    write_files(folder, mr_series(volume, step=5.0))
    return folder


def members(body: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_loose_dicom_files_are_one_study(page: PageTab, server: PageServer, study: Path) -> None:
    page.drop([*sorted(study.iterdir()), EXAMPLES[0]])
    assert page.wait_for_jobs(2) == ["done", "done"]
    assert server.bodies[0] == EXAMPLES[0].read_bytes()
    assert members(server.bodies[1]) == [path.name for path in sorted(study.iterdir())]
    assert "8 DICOM files" in page.text("#jobs")


def test_a_single_dicom_file_is_sent_as_it_is(
    page: PageTab, server: PageServer, study: Path
) -> None:
    path = min(study.iterdir())
    page.drop([path])
    page.wait_for_jobs(1)
    assert server.bodies == [path.read_bytes()]


def test_a_folder_is_looked_through(
    page: PageTab, server: PageServer, study: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "everything"
    (folder / "deep" / "er").mkdir(parents=True)
    for path in study.iterdir():
        (folder / "deep" / path.stem).write_bytes(path.read_bytes())  # without an ending
    (folder / "deep" / "er" / "one.jpg").write_bytes(EXAMPLES[0].read_bytes())
    (folder / "notes.txt").write_text("no scan")
    (folder / ".hidden.png").write_bytes(EXAMPLES[0].read_bytes())
    (folder / "old.heatmap.png").write_bytes(EXAMPLES[0].read_bytes())
    page.drop([folder])
    assert page.wait_for_jobs(2) == ["done", "done"]
    assert sorted(map(len, server.bodies))[0] == EXAMPLES[0].stat().st_size
    archive = max(server.bodies, key=len)
    assert members(archive) == [f"everything/deep/slice{n:03d}" for n in range(1, 9)]
    assert "everything/deep" in page.text("#jobs")
    assert "3 files" in page.text("#left-out"), "what was left out is said"


def test_two_folders_are_two_studies(
    page: PageTab, server: PageServer, study: Path, tmp_path: Path
) -> None:
    shutil.copytree(study, tmp_path / "another")
    page.drop([study, tmp_path / "another"])
    assert page.wait_for_jobs(2) == ["done", "done"]
    assert [len(members(body)) for body in server.bodies] == [8, 8]


def test_a_folder_is_chosen(page: PageTab, server: PageServer, study: Path) -> None:
    page.choose([study], field="folder")
    assert page.wait_for_jobs(1) == ["done"]
    assert len(members(server.bodies[0])) == 8


def test_the_finding_comes_first_and_the_score_has_its_rule(page: PageTab, study: Path) -> None:
    page.drop([study])
    page.wait_for_jobs(1)
    order = page.value(
        "[...document.querySelectorAll('.series > *')].map(one => one.className.split(' ')[0] || one.tagName)"
    )
    assert order[0] == "verdict"
    assert order.index("chart") < order.index("slice")
    facts = page.text(".series .facts")
    assert "the largest mean probability" in facts
    assert "8: " in facts
    assert page.text(".series > .verdict h3") in ("Abstains", "No tumour evidence") or page.text(
        ".series > .verdict h3"
    ).startswith("Tumour evidence: ")


def test_slices_are_walked_through_by_keys_and_clicks(page: PageTab, study: Path) -> None:
    page.drop([study])
    page.wait_for_jobs(1)
    page.focus(SLIDER)
    page.press("Home")
    assert page.value(SHOWN).startswith("Slice 1 of 8")
    page.press("ArrowRight", times=3)
    assert page.value(SHOWN).startswith("Slice 4 of 8")
    assert page.value(f"document.querySelector('{SLIDER}').ariaValueText").startswith(
        "slice 4 of 8: "
    )
    page.click("button", text="Next")
    page.press("ArrowRight")  # the focus is on the button
    assert page.value(SHOWN).startswith("Slice 6 of 8")
    page.press("ArrowLeft", times=9)
    assert page.value(SHOWN).startswith("Slice 1 of 8"), "there is none before the first"
    page.click(".plot svg", x=0.99)
    assert page.value(SHOWN).startswith("Slice 8 of 8")
    page.click("summary", text="table")
    page.click(".link[aria-label='Show slice 3']")
    assert page.value(SHOWN).startswith("Slice 3 of 8")
    assert page.value(f"document.querySelector('{SLIDER}').value") == "3"


@pytest.mark.parametrize(
    "warnings", [[], ["slices lie 12 mm apart: a tumour between two is not seen"]]
)
def test_what_weakens_a_finding_stands_beside_it(
    page: PageTab, server: PageServer, warnings: list[str]
) -> None:
    *slices, series = series_of_four()
    server.lines = [*slices, {**series, "finding": "no_tumour_evidence", "warnings": warnings}]
    page.drop([EXAMPLES[0]])
    page.wait_for_jobs(1)
    card = page.text(".series > .verdict")
    assert all(words in card for words in warnings)
    assert page.value("document.querySelector('.series > .verdict').className") == (
        "verdict careful" if warnings else "verdict finding"
    )


@pytest.mark.parametrize(
    ("fitted_on", "words", "promised"),
    [
        ({"fitted_on": "out-of-fold", "n": 3246, "groups": {"a": 49, "b": 62}}, "had not seen", 90),
        ({"fitted_on": "validation", "n": 36, "groups": {"a": 2, "b": 2}}, "chose the model", 66),
    ],
)
def test_what_is_said_of_calibration_is_what_the_bundle_knows(
    page: PageTab, server: PageServer, fitted_on: dict[str, object], words: str, promised: int
) -> None:
    server.lines = [answer({"a": 0.9, "b": 0.1}, prediction_set=["a"])]
    server.facts = {"trust": {"alpha": 0.1, **fitted_on}}
    page.open(server.url)
    page.drop([EXAMPLES[0]])
    page.wait_for_jobs(1)
    assert words in page.text("#result")
    assert f"at least {promised} of 100" in page.text("#result")


def test_the_chart_tells_accepted_from_abstaining_end_and_failed_slices(
    page: PageTab, server: PageServer
) -> None:
    server.lines = series_of_four()
    server.facts = {"labels": ["none", "crab"], "negative": "none"}
    page.open(server.url)
    page.drop([EXAMPLES[0]])
    page.wait_for_jobs(1)
    kinds = page.value(
        "[...document.querySelectorAll('.plot svg > :not(.grid):not(.cursor)')].map(one => one.classList[0])"
    )
    assert kinds == ["end", "accepted", "abstained", "failed"]
    heights = page.value(
        "['accepted', 'abstained'].map(one => Number(document.querySelector(`.plot .${one}`).getAttribute('height')))"
    )
    assert heights == pytest.approx([90, 40]), "what speaks for any class but the negative one"
    fills = page.value(
        "['accepted', 'abstained'].map(one => getComputedStyle(document.querySelector(`.plot .${one}`)).fill)"
    )
    assert fills[0] != fills[1], "hollow"
    rows = page.value(
        "[...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in rows] == [
        ["1", "-5.0", "", "end slice, not asked"],
        ["2", "0.0", "90.0 %", "crab 90.0 %"],
        ["3", "5.0", "40.0 %", "abstains, nearest none 60.0 %"],
        ["4", "", "", "failed: cannot be read"],
    ]  # fmt: skip
    assert page.text(".series > .verdict h3") == "Tumour evidence: crab"
    assert page.value(SHOWN).startswith("Slice 2 of 4"), "where the score is from"


def test_what_is_saved_of_a_series_is_its_lines(page: PageTab, study: Path, tmp_path: Path) -> None:
    page.drop([study])
    page.wait_for_jobs(1)
    page.click("button", text="Save as JSON")
    saved = tmp_path / "study.jsonl"
    page.wait_for_file(saved)
    text = saved.read_text()
    assert len(text.splitlines()) == 9
    assert '"kind":"series"' in text.splitlines()[-1]
    assert not any(canary in text for canary in CANARIES)
    page.click("button", text="All with images")
    archive = tmp_path / "brain-edge-answers.zip"
    page.wait_for_file(archive)
    names = members(archive.read_bytes())
    assert names[0] == "answers.jsonl"
    assert len(names) == 9
    assert all(name.endswith(".evidence.png") for name in names[1:])


def test_an_archive_of_several_things_shows_each(
    page: PageTab, study: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mixed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for scan in sorted(study.iterdir()):
            archive.write(scan, f"scan/{scan.name}")
        archive.write(EXAMPLES[0], "pictures/one.jpg")
        archive.writestr("broken.jpg", EXAMPLES[0].read_bytes()[:2000])
    page.drop([path])
    assert page.wait_for_jobs(1) == ["done"]
    names = page.value(
        "[...document.querySelectorAll('.entry-words b')].map(one => one.textContent)"
    )
    assert "one.jpg" in names
    assert "broken.jpg" in names
    assert any(name.startswith("Series 1") for name in names)
