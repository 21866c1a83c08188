"""Images on the page: dropped, chosen and pasted; the decision first; one that fails beside those that do not."""

import json
from pathlib import Path

import pytest
from chromium import NAMES, OUTSIDE, PAGE, installed
from page_server import PageServer
from page_tab import PageTab
from PIL import Image

from edge_infer.classifier import Classifier
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.report import context_of, json_fields

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.jpg"))
GLIOMA = EXAMPLES[0]
#: The mean colour of the canvas: red minus blue, over all pixels.
REDNESS = """(() => {
    const shown = document.querySelector("canvas.scan");
    const context = new OffscreenCanvas(shown.width, shown.height).getContext("2d", { willReadFrequently: true });
    context.drawImage(shown, 0, 0);
    const { data } = context.getImageData(0, 0, shown.width, shown.height);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) sum += data[i] - data[i + 2];
    return sum / (data.length / 4);
})()"""
ORDER = """[...document.querySelectorAll(".verdict h3, canvas.scan, .set, #result .label, .bars")]
    .map(one => one.className.split(" ")[0] || one.tagName)"""


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """An image that the bundle abstains on."""
    path = tmp_path / "photograph.png"
    noise = Image.effect_noise((200, 200), 90)
    noise.save(path)
    return path


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_examples_are_dropped_and_answered_with_the_decision_first(page: PageTab) -> None:
    page.drop(EXAMPLES)
    assert page.wait_for_jobs(4) == ["done"] * 4
    assert page.text("#result h2") == GLIOMA.name
    assert page.value(ORDER) == ["H3", "scan", "set", "label", "bars"]
    assert page.text(".verdict h3") == "Accepted"
    assert "glioma" in page.text("#result .set")
    assert page.text("#result .label").startswith("glioma")
    assert page.value("document.querySelectorAll('#result .bars li').length") == 4
    assert "about 90 in 100" in page.text("#result .nearest")
    assert page.text("#notice") == RESEARCH_USE_ONLY
    assert "efficientnet-lite" in page.text(".origin")
    for path in EXAMPLES:
        page.click(".entry", text=path.name)
        label = path.stem.removeprefix("brisc_").rpartition("_")[0]
        assert page.text("#result h2") == path.name
        assert page.text("#result .label").startswith(label)


def test_an_answer_that_is_not_accepted_is_visibly_none(page: PageTab, photograph: Path) -> None:
    page.drop([photograph])
    page.wait_for_jobs(1)
    assert page.text(".verdict h3") == "Abstains"
    told = page.text(".verdict")
    assert "not an answer" in told
    assert "Low quality." in told, "the reason in words"
    assert "out_of_scope" not in told
    assert "Nearest class, not accepted" in page.text(".nearest")
    assert page.value("document.querySelector('.nearest').classList.contains('not-accepted')")
    colours = page.value(
        "['.nearest .label', '.verdict h3'].map(one => getComputedStyle(document.querySelector(one)).color)"
    )
    assert colours[0] != colours[1], "dim"


def test_one_that_fails_takes_none_along_and_says_why(page: PageTab, tmp_path: Path) -> None:
    broken = tmp_path / "a-broken.jpg"
    broken.write_bytes(GLIOMA.read_bytes()[:3000])
    other = tmp_path / "z-notes.txt"
    other.write_text("no image")
    page.drop([broken, GLIOMA, other])
    assert page.wait_for_jobs(3) == ["failed", "done", "failed"]
    page.click(".entry", text="a-broken")
    assert "damaged" in page.text("#result")
    assert "a-broken.jpg" in page.text("#result"), "the name is known here, whatever was sent"
    assert "Error corrupt" in page.text("#result")
    page.click(".entry", text="z-notes")
    assert "Error" in page.text("#result")


def test_no_name_of_a_file_reaches_the_service(page: PageTab, server: PageServer) -> None:
    page.drop([GLIOMA])
    page.wait_for_jobs(1)
    (asked,) = server.asked
    assert asked["body"] == GLIOMA.read_bytes()
    assert asked["path"].startswith("/v1/classify?view=1")
    assert asked["headers"]["X-Brain-Edge"] == "1"
    assert "glioma" not in json.dumps([asked["path"], asked["headers"]])


def test_files_are_chosen_again_and_again_and_pasted(page: PageTab, server: PageServer) -> None:
    page.choose([GLIOMA])
    page.wait_for_jobs(1)
    page.choose([GLIOMA])
    page.wait_for_jobs(2)
    page.paste("image.png", "image/png", GLIOMA.read_bytes())
    assert page.wait_for_jobs(3) == ["done"] * 3
    assert server.bodies == [GLIOMA.read_bytes()] * 3


def test_the_evidence_is_over_the_scan_as_much_as_the_slider_says(page: PageTab) -> None:
    page.drop([GLIOMA])
    page.wait_for_jobs(1)
    shown = page.wait(REDNESS)
    assert shown > 0.5, "red speaks for it"
    page.focus("#opacity")
    page.press("ArrowRight", times=4)
    assert page.value("document.querySelector('#opacity').value") == "0.8"
    assert page.value("document.querySelector('#opacity').ariaValueText") == "80 %"
    assert page.value(REDNESS) > 1.15 * shown
    page.press("Home")
    assert page.value(REDNESS) == pytest.approx(0, abs=0.01), "the scan alone"


def test_another_class_is_chosen_and_stays_for_the_next_image(page: PageTab) -> None:
    page.drop(EXAMPLES[:2])
    page.wait_for_jobs(2)
    assert "strongest evidence for glioma" in page.value(
        "document.querySelector('canvas.scan').ariaLabel"
    )
    page.focus("#evidence-class")
    page.press("ArrowDown", times=2)
    assert page.value("document.querySelector('#evidence-class').value") == "meningioma"
    assert "meningioma" in page.text("figcaption .small")
    page.click(".entry", text=EXAMPLES[1].name)
    assert page.value("document.querySelector('#evidence-class').value") == "meningioma"
    page.focus("#evidence-class")
    page.press("ArrowDown")
    assert page.value("document.querySelector('#evidence-class').value") == "no_tumor"
    page.wait(REDNESS + " <= 0")
    assert page.value(REDNESS) < 0, "the negative class has no place of its own: nothing is red"


def test_a_scan_keeps_its_sides(page: PageTab, tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.open(GLIOMA).resize((300, 150)).save(path)
    page.drop([path])
    page.wait_for_jobs(1)
    width, height = page.value(
        "(box => [box.width, box.height])(document.querySelector('canvas.scan').getBoundingClientRect())"
    )
    assert width / height == pytest.approx(2, rel=0.01)
    assert width > 300


def test_answers_are_saved_as_the_command_prints_them(
    page: PageTab, server: PageServer, tmp_path: Path
) -> None:
    page.drop(EXAMPLES[:2])
    page.wait_for_jobs(2)
    page.click("button", text="Save as JSON")
    saved = tmp_path / f"{GLIOMA.stem}.jsonl"
    page.wait_for_file(saved)
    (line,) = lines_of(saved)
    assert line.keys() >= {"decision", "probabilities", "research_use_only"}
    assert "view" not in line
    assert line["source"] == GLIOMA.name
    classifier: Classifier = server.classifier
    outcome = next(classifier.predict_each([GLIOMA]))
    printed = json_fields(outcome, context_of(classifier))
    changing = {"source", "timings_ms"}
    assert {key: line[key] for key in printed if key not in changing} == {
        key: value for key, value in printed.items() if key not in changing
    }
    page.click("button", text="All as JSON")
    both = tmp_path / "brain-edge-answers.jsonl"
    page.wait_for_file(both)
    assert [one["source"] for one in lines_of(both)] == [path.name for path in EXAMPLES[:2]]


def test_a_saved_image_holds_the_scan_the_colours_and_the_notice(
    page: PageTab, tmp_path: Path
) -> None:
    page.drop([GLIOMA])
    page.wait_for_jobs(1)
    page.click("button", text="Save as PNG")
    saved = tmp_path / f"{GLIOMA.stem}.evidence.png"
    page.wait_for_file(saved)
    with Image.open(saved) as image:
        assert image.width == 512
        scan, legend = image.convert("RGB"), image.convert("L").crop((0, 512, 512, image.height))
        red, _, blue = scan.crop((0, 0, 512, 512)).split()
        assert red.histogram() != blue.histogram()
        assert legend.height > 100
        assert legend.getextrema()[1] > 150, "there are words below"


def test_the_phone_has_no_sideways_scrolling(
    page: PageTab, server: PageServer, photograph: Path
) -> None:
    page.open(server.url, width=390)
    long = photograph.with_name(f"{'unbroken' * 20}.png")
    photograph.rename(long)
    page.drop([*EXAMPLES[:1], long], x=100)
    page.wait_for_jobs(2)
    for name in (GLIOMA.name, "unbroken"):
        page.click(".entry", text=name)
        width, window = page.value(PAGE)
        assert width == window == 390
        assert page.value(OUTSIDE) == []


@pytest.mark.parametrize(("system", "dark"), [("light", False), ("dark", True)])
def test_it_is_dark_where_the_system_is_or_somebody_says_so(
    page: PageTab, server: PageServer, system: str, dark: bool
) -> None:
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    page.open(server.url, theme=system)
    assert (page.value(ground) < 128) == dark
    page.focus("#theme")
    page.press("ArrowDown", times=1 if dark else 2)
    assert (page.value(ground) < 128) != dark
    page.open(server.url, theme=system)
    assert (page.value(ground) < 128) != dark, "it is remembered"
    page.value("localStorage.clear(), null")


def test_everything_is_reached_by_keys(page: PageTab) -> None:
    page.drop(EXAMPLES[:2])
    page.wait_for_jobs(2)
    page.focus("#theme")
    reached = []
    for _ in range(40):
        page.press("Tab")
        if page.value("document.activeElement === document.body"):
            break  # around
        reached.append(
            page.value(
                "(one => one.id || one.className || one.textContent)(document.activeElement)"
            )
        )
        outline = page.value("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", f"no visible focus on {reached[-1]}"
    text = " ".join(reached)
    for wanted in (
        "main",
        "entry",
        "icon",
        "opacity",
        "evidence-class",
        "Save as JSON",
        "Answered by",
    ):
        assert wanted in text, wanted
    page.focus(".entry")
    page.press("ArrowDown")
    page.press("Enter")
    assert page.text("#result h2") == EXAMPLES[1].name
    assert page.value("document.activeElement.matches('.entry[aria-current=true]')"), (
        "the focus stays"
    )


def test_who_listens_is_told(page: PageTab) -> None:
    page.drop(EXAMPLES[:1])
    page.wait_for_jobs(1)
    assert page.value("document.querySelector('#told').ariaLive") == "polite"
    told = page.value("document.querySelector('#told').textContent").replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert told == f"{GLIOMA.name}: accepted, glioma 97.8 %. All done."
