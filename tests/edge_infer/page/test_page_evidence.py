"""The colours of the page are those of edge_infer/heatmap.py, number for number."""

import json
from typing import Any

import numpy as np
import pytest
from chromium import NAMES, installed
from numpy.typing import NDArray
from page_tab import PageTab
from PIL import Image

from edge_infer.contract import LABELS
from edge_infer.heatmap import draw_evidence, relative_strength

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]

NEGATIVE = LABELS.index("no_tumor")
#: Enlarged, reduced, of another aspect, of one pixel, and as large as the evidence.
SIZES = [(256, 200), (100, 37), (9, 5), (1, 1), (28, 28)]


def evidence_of(seed: int, shape: tuple[int, ...] = (4, 28, 28)) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)


def in_page(evidence: NDArray[np.float32]) -> str:
    values = json.dumps(evidence.ravel().tolist())
    return f"{{ shape: {list(evidence.shape)}, data: Float32Array.from({values}) }}"


def strength(
    modules: PageTab,
    evidence: NDArray[np.float32],
    label: int,
    negative: int,
    size: tuple[int, int],
) -> NDArray[np.float32]:
    values: list[float] = modules.value(
        f"import('./strength.js').then(module => Array.from("
        f"module.relativeStrength({in_page(evidence)}, {label}, {negative}, {list(size)})))"
    )
    return np.array(values, np.float32).reshape(size[::-1])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("label", range(4))
def test_the_strength_is_that_of_python(
    modules: PageTab, label: int, size: tuple[int, int]
) -> None:
    evidence = evidence_of(label)
    expected = relative_strength(evidence, label, size)
    assert np.abs(expected).max() > 0, "something is drawn"
    np.testing.assert_array_equal(strength(modules, evidence, label, NEGATIVE, size), expected)


def test_evidence_of_one_place_and_of_none_is_drawn_as_python_draws_it(modules: PageTab) -> None:
    for evidence in (evidence_of(5, (4, 1, 1)), np.zeros((4, 7, 3), np.float32)):
        for label in (0, NEGATIVE):
            expected = relative_strength(evidence, label, (20, 30))
            found = strength(modules, evidence, label, NEGATIVE, (20, 30))
            np.testing.assert_array_equal(found, expected)


def test_without_a_negative_class_every_class_is_compared_with_the_mean(modules: PageTab) -> None:
    evidence = evidence_of(7)
    found = strength(modules, evidence, NEGATIVE, -1, (28, 28))
    relative = evidence[NEGATIVE] - evidence.mean(axis=0)
    np.testing.assert_allclose(found, relative / np.abs(relative).max(), atol=1e-6)
    assert found.max() > 0, "the class has places of its own"


def test_the_canvas_has_the_colours_of_a_heatmap(modules: PageTab) -> None:
    grey = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    evidence = evidence_of(3)
    expected = np.asarray(draw_evidence(Image.fromarray(grey), evidence, 0, (64, 64)), np.int16)
    script = f"""Promise.all([import("./overlay.js")]).then(([overlay]) => {{
        const canvas = document.createElement("canvas");
        const scan = document.createElement("canvas");
        for (const one of [canvas, scan]) Object.assign(one, {{ width: 64, height: 64 }});
        const pixels = new ImageData(64, 64);
        {json.dumps(grey.ravel().tolist())}
            .forEach((value, place) => pixels.data.set([value, value, value, 255], 4 * place));
        scan.getContext("2d").putImageData(pixels, 0, 0);
        const colours = overlay.colours({in_page(evidence)}, 0, {NEGATIVE}, [64, 64]);
        overlay.paint(canvas, scan, colours, overlay.OPACITY);
        return Array.from(canvas.getContext("2d").getImageData(0, 0, 64, 64).data);
    }})"""
    drawn = np.array(modules.value(script), np.int16).reshape(64, 64, 4)[:, :, :3]
    difference = np.abs(drawn - expected)
    # A canvas keeps opacity and colours in 8 bits.
    assert difference.max() <= 3
    assert difference.mean() < 0.7
    assert np.abs(drawn - grey[:, :, None].astype(np.int16)).max() > 50, "something is drawn"


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0.0 %"), (0.0004, "< 0.1 %"), (0.9779, "97.8 %"), (0.99999, "> 99.9 %"), (1, "100.0 %")],
)
def test_what_is_not_certain_never_reads_as_if_it_were(
    modules: PageTab, value: float, words: str
) -> None:
    found: Any = modules.value(f"import('./words.js').then(module => module.percent({value}))")
    assert found.replace("\N{NO-BREAK SPACE}", " ") == words
