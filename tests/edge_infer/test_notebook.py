import base64
import copy
import io
import multiprocessing
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import SIZE, scan

from edge_infer.classifier import Classifier
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.prediction import Prediction
from edge_infer.preprocessing import resize_grey
from edge_infer.reasons import Reason

VOID = {"img", "br"}


class Page(HTMLParser):
    """Elements with their attributes, and the text; elements must be closed in the right order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def classifier(bundle_path: Path) -> Classifier:
    return Classifier.load(bundle_path)


@pytest.fixture
def prediction(classifier: Classifier, scan_path: Path) -> Prediction:
    return classifier.predict(scan_path)


def image_in(page: Page) -> Image.Image:
    (image,) = page.all("img")
    kind, _, data = str(image["src"]).partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def test_a_notebook_shows_image_probabilities_and_the_notice(prediction: Prediction) -> None:
    page = Page(prediction._repr_html_())
    assert RESEARCH_USE_ONLY in page.text
    for label in LABELS:
        assert label in page.text
        assert f"{prediction.probabilities[label]:.1%}" in page.text
    assert f"({prediction.score:.1%})" in page.text
    (image,) = page.all("img")
    assert prediction.label in str(image["alt"])
    assert [cell.get("scope") for cell in page.all("th")] == ["col"] * 2 + ["row"] * len(LABELS)
    assert len(page.all("caption")) == 1
    widths = re.findall(r"width:([\d.]+)%", prediction._repr_html_())
    assert sum(map(float, widths)) == pytest.approx(100, abs=0.3)  # each rounded to a tenth


def test_the_decision_stands_before_the_class(trusting_path: Path, scan_path: Path) -> None:
    prediction = Classifier.load(trusting_path).predict(scan_path)
    text = Page(prediction._repr_html_()).text
    assert "Probability of each class, not accepted" in text
    words, answer = text.index("abstains (out_of_scope)"), text.index("nearest answer")
    assert words < answer < text.index(f"({prediction.score:.1%})")
    torn = replace(prediction, reasons=(Reason.AMBIGUOUS,), prediction_set=("<b>", "glioma"))
    assert "cannot be excluded: <b>, glioma" in Page(torn._repr_html_()).text
    none = replace(torn, prediction_set=())
    assert "no class is likely enough to be kept" in Page(none._repr_html_()).text
    for reasons in ((Reason.OUT_OF_SCOPE, Reason.AMBIGUOUS), (Reason.INVERTED,)):
        far = Page(replace(torn, reasons=reasons)._repr_html_()).text
        assert "not accepted" in far
        assert "excluded" not in far
    accepted = Page(replace(prediction, decision="accept", reasons=())._repr_html_()).text
    assert "accepted:" in accepted
    assert "not accepted" not in accepted


def test_the_image_is_the_scan_in_its_own_shape_with_the_evidence_in_colour(
    prediction: Prediction,
) -> None:
    drawn = image_in(Page(prediction._repr_html_()))
    assert drawn.size == (320, 240)  # the scan is 64 x 48, the model's image a square
    flat = replace(prediction, evidence=np.ones((4, 4, 4), dtype=np.float32))
    grey = np.asarray(image_in(Page(flat._repr_html_())), dtype=int)
    assert np.ptp(grey, axis=2).max() == 0
    assert np.ptp(np.asarray(drawn, dtype=int), axis=2).max() > 50
    blurred = np.asarray(scan().resize((SIZE, SIZE)).resize((320, 240)), dtype=int)
    assert np.abs(grey[:, :, 0] - blurred).mean() < 10  # two filters for resizing


def test_nothing_in_it_is_fetched_or_run_and_colours_are_the_notebooks(
    prediction: Prediction,
) -> None:
    page = Page(prediction._repr_html_())
    assert {tag for tag, _ in page.elements} <= {
        *("div", "figure", "img", "figcaption", "table", "caption", "thead", "tbody", "tr", "th"),
        *("td", "p", "strong"),
    }
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert "href" not in attributes
        assert ("src" in attributes) == (tag == "img")
        style = attributes.get("style") or ""
        assert "url(" not in style
        colours = re.findall(r"(?<![\w-])(?:color|background(?:-color)?):([^;]+)", style)
        assert set(colours) <= {"inherit", "none", "currentColor"}


def test_names_are_text_and_never_markup(prediction: Prediction) -> None:
    evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>&amp;\x1b[31m\u202e\udcff.png'
    spoiled = replace(
        prediction,
        source=evil,
        warnings=("<b>warned</b>",),
        label="<i>label</i>",
        probabilities={"<i>label</i>": 1.0, **prediction.probabilities},
        evidence=np.zeros((5, 4, 4), dtype=np.float32),
        model=replace(prediction.model, name="<u>model</u>"),
    )
    text = spoiled._repr_html_()
    page = Page(text)
    text.encode("utf-8")
    assert len(page.all("img")) == 1
    assert {"script", "b", "i", "u"} & {tag for tag, _ in page.elements} == set()
    shown = evil.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e").replace("\udcff", r"\udcff")
    assert shown in page.text
    assert shown in str(page.all("img")[0]["alt"])
    assert "Note: <b>warned</b>" in page.text


def test_only_predict_keeps_the_image_and_it_stays_out_of_everything_else(
    classifier: Classifier, scan_path: Path
) -> None:
    kept = classifier.predict(scan_path)
    expected = resize_grey(scan(), classifier.bundle.preprocessor)
    assert kept.seen is not None
    assert np.array_equal(kept.seen, expected)
    assert kept.source_size == (64, 48)
    (many,) = classifier.predict_many([scan_path])
    (each,) = classifier.predict_each([scan_path])
    assert many.seen is None
    assert each.prediction is not None
    assert each.prediction.seen is None
    assert kept == many
    assert "seen" not in repr(kept)
    assert replace(kept, source="x").seen is kept.seen
    for copied in (pickle.loads(pickle.dumps(kept)), copy.copy(kept), copy.deepcopy(kept)):  # noqa: S301
        assert copied == kept
        assert np.array_equal(copied.evidence, kept.evidence)
        assert copied.timings_ms == kept.timings_ms
        assert copied.seen is None
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(classifier.predict, [str(scan_path)])[0] == kept


def test_without_the_image_the_evidence_is_shown_alone_and_says_so(
    classifier: Classifier, scan_path: Path
) -> None:
    (bare,) = classifier.predict_many([scan_path])
    page = Page(bare._repr_html_())
    assert image_in(page).size == (320, 240)
    assert "Only predictions from predict() keep the scan" in page.text
    flat = replace(bare, evidence=np.ones((4, 2, 4), dtype=np.float32), source_size=None)
    grey = np.asarray(image_in(Page(flat._repr_html_())))
    assert grey.shape == (160, 320, 3)  # in the shape of the evidence
    assert grey.min() == grey.max()


def test_nobody_but_a_notebook_pays_for_drawing(bundle_path: Path, scan_path: Path) -> None:
    program = (
        "import sys; from edge_infer import Classifier\n"
        f"Classifier.load({str(bundle_path)!r}).predict({str(scan_path)!r})\n"
        "print(*sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(finished.stdout.split())
    assert {"edge_infer.notebook", "edge_infer.heatmap", "PIL.ImageFont"} & loaded == set()
