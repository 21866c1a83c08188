"""The page in a real browser, offline: wide and narrow, light and dark."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import COLLIDING, DECODED, NAMES, OUTSIDE, PAGE, Tab, browser, installed
from PIL import Image

from edge_infer.contract import LABELS
from edge_infer.figures import intervals
from train.trust import conformal
from train.trust.answers import TrustAnswers
from train.trust.image_set import AskedImage, ImageSet, Kind
from train.trust.report import write_trust

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]

TEXT_SIZES = """[...document.querySelectorAll("svg text")].map(text => {
    const box = text.getBoundingClientRect(), frame = text.closest("svg").getBoundingClientRect();
    return [box.left - frame.left, frame.right - box.right, box.height];
})"""
#: Roles are told to screen readers even where the rows of a table are laid out as blocks.
ROLES = "[...document.querySelectorAll('td')].every(cell => cell.getAttribute('role') === 'cell')"


def answers(seed: int, n: int, folder: Path, *, known: bool) -> TrustAnswers:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(4) * 0.3, n)
    labels = np.where(generator.random(n) < 0.8, probabilities.argmax(axis=1), 0)
    accepted = generator.random(n) < 0.6
    pixels = generator.integers(0, 256, (48, 64), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"{seed}.png")
    return TrustAnswers(
        images=tuple(
            AskedImage(
                source=folder / f"{seed}.png",
                name=f"a-rather-long-name-of-an-image/{'x' * 40}-{row}.png",
                label=int(label) if known else -1,
                group=f"p{row // 3}",
                licence="CC0 1.0 (of somebody with a long name, in a long document)",
            )
            for row, label in enumerate(labels)
        ),
        probabilities=probabilities,
        in_set=1 - probabilities <= 0.5,
        scope_scores=generator.normal(seed, 1, n),
        accepted=accepted,
        refused=np.zeros(n, dtype=bool),
        reasons=tuple(() if its else ("out_of_scope", "too_few_grey_levels") for its in accepted),
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    sets = []
    for seed, (name, kind) in enumerate(
        [("photographs", Kind.FAR), ("other-lesions-" * 5, Kind.NEAR), ("<b>", Kind.ELSEWHERE)]
    ):
        its = answers(seed + 1, 30, folder, known=kind is not Kind.FAR)
        sets.append((ImageSet(name=name, kind=kind, note=f"of {name}", images=its.images), its))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "_RESAMPLES", 20)
        patch.setattr(conformal, "RESPLITS", 20)
        figures = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 200}
        decided = {"accepted": figures, "wrong_and_accepted": figures}
        write_trust(
            answers(0, 60, folder, known=True),
            sets,
            folder / "out",
            trust={
                "alpha": 0.1,
                "set_thresholds": dict.fromkeys(LABELS, 0.5),
                "fitted_on": {"source": "nothing", "n": 1, "groups": {}, "way": "validation"},
                "scope": {"method": "mahalanobis-residual", "arrays": []},
            },
            title="tiny int8 on nothing",
            provenance={
                "command": f"brain-train trust {'BUNDLE' * 20}",
                "model": "bundle " + "a1" * 32,
                "data": "nothing",
                "part": "test",
            },
            corrupted={
                "n": 200,
                "cells": [
                    {"kind": kind, "severity": severity, "figures": decided}
                    for kind in ("gaussian_noise", "horizontal_flip")
                    for severity in range(1, 6)
                ],
            },
            cost={"whole": {"ms": {**figures, "n": 50}, "of_whole": 1.0}},
        )
    return folder / "out" / "trust.html"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def in_scheme(tab: Tab) -> Iterator[Callable[[str], None]]:
    def choose(scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        tab.send("Emulation.setEmulatedMedia", media="", features=features)

    yield choose
    tab.send("Emulation.setEmulatedMedia", media="", features=[])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_displayed_in_a_browser(
    tab: Tab,
    page: Path,
    in_scheme: Callable[[str], None],
    width: int,
    scheme: str,
    tmp_path: Path,
) -> None:
    in_scheme(scheme)
    tab.open(page.as_uri(), width=width)
    tab.value(DECODED)
    assert tab.value(PAGE) == [width, width], "nobody has to scroll sideways"
    assert tab.value(OUTSIDE) == []
    assert tab.value(COLLIDING) == []
    assert tab.value(ROLES)
    assert tab.value("document.images.length") >= 12
    texts = tab.value(TEXT_SIZES)
    assert len(texts) > 30
    for left, right, height in texts:
        assert min(left, right) >= 0, "no label is cut off"
        assert height >= 9, "no label is too small to read"
    asked = {event["request"]["url"] for event in tab.seen("Network.requestWillBeSent")}
    assert {url for url in asked if not url.startswith("data:image/")} == {page.as_uri()}
    for odd in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
        assert tab.seen(odd) == []

    tab.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as image:
        grey = np.asarray(image.convert("L"))
    light, dark = (grey > 230).mean(), (grey < 50).mean()
    assert (light if scheme == "light" else dark) > 0.5
    assert (dark if scheme == "light" else light) > 0.002, "with something on it"


def test_a_name_is_text_and_never_markup(tab: Tab, page: Path) -> None:
    tab.open(page.as_uri(), width=1280)
    assert tab.value("document.querySelectorAll('b').length") == 0
    assert "<b> (elsewhere)" in tab.value("document.querySelector('.single svg').textContent")


def test_it_fits_a_printed_sheet(tab: Tab, page: Path) -> None:
    tab.open(page.as_uri(), width=700)  # A4 without its margins
    tab.send("Emulation.setEmulatedMedia", media="print")
    try:
        assert tab.value(PAGE) == [700, 700]
        assert tab.value(COLLIDING) == []
    finally:
        tab.send("Emulation.setEmulatedMedia", media="")
