"""Golden images for a bundle: drawn, answered by the FP32 graph and by the one that ships, and chosen with care.

The self-test of the runtime (edge_infer/self_test.py) refuses a bundle whose answers differ on another machine. It must
never refuse a machine that computes correctly, so an image is taken only if its class leads by far more than rounding
can change.
"""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edge_infer.contract import LABELS
from edge_infer.golden import GOLDEN_COUNT, golden_sheet
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from export.answers import Answering, logits_one_by_one
from export.int8.margins import margins
from export.model_inputs import ModelInputs
from train.phantoms import phantom

__all__ = ["CANDIDATES", "MARGIN_FACTOR", "Golden", "make_golden"]

#: Largest number of images drawn; drawing ends earlier when each class has its share.
CANDIDATES = 160
_CHUNK = 32
_SEED = 16

#: An image's class must lead by this many tolerances.
MARGIN_FACTOR = 4.0

#: Logits may differ by this much on any machine: kernels of another width add in another order.
_LEAST_TOLERANCE = {"fp32": 1e-3, "fp16": 0.1, "int8": 0.1}

#: With 8 bits, a sum that falls on the other side of a rounding step moves an activation by a whole step. How much that
#: changes the logits of this graph is measured by scaling its input by these factors; another machine may change them
#: several times as much.
_NUDGES = (1 - 1e-6, 1 + 1e-6, 1 + 1e-5)
_NUDGE_FACTOR = 3.0
_NUDGED_IMAGES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """What a bundle carries for its self-test.

    Attributes:
        sheet: golden.png.
        entries: ``golden`` of the manifest.
        self_test: ``self_test`` of the manifest.
    """

    sheet: bytes = field(repr=False)
    entries: list[dict[str, Any]]
    self_test: dict[str, Any]


def make_golden(
    reference: Answering,
    shipped: Answering,
    preprocessor: PreprocessorConfig,
    *,
    precision: str,
    labels: Sequence[str] = LABELS,
) -> Golden:
    """Draw images, let both graphs answer them one by one, and take as many of each class, of four up to four.

    A class that the model gives to no drawn image with a sure lead is left out; other classes take its places. Of more
    than sixteen classes, not all have a place. The images are heads whatever the classes are: they are there to be
    answered again, not rightly.

    Args:
        reference: Of the FP32 graph.
        shipped: Of the graph in the bundle, opened as the runtime opens it.
        preprocessor: The model's.
        precision: Of the shipped graph: ``fp32``, ``fp16`` or ``int8``.
        labels: Of the model.
    """
    nudged = _drawn(preprocessor, 0)[:_NUDGED_IMAGES]
    tolerance = max(_LEAST_TOLERANCE[precision], _NUDGE_FACTOR * _rounding(shipped, nudged))
    grey, logits, fp32_logits, chosen = _answered(
        reference, shipped, preprocessor, tolerance, len(labels)
    )
    entries = [
        {
            "label": labels[int(logits[row].argmax())],
            "logits": [float(value) for value in logits[row]],
            "fp32_logits": [float(value) for value in fp32_logits[row]],
        }
        for row in chosen
    ]
    self_test = {
        "tolerance_logits": round(tolerance, 6),
        "least_margin_logits": float(margins(logits)[chosen].min()),
        "largest_difference_to_fp32_logits": float(
            np.abs(logits[chosen] - fp32_logits[chosen]).max()
        ),
        "pictures": f"phantoms drawn with seed {_SEED}; no person",
    }
    return Golden(
        sheet=golden_sheet([grey[row] for row in chosen]), entries=entries, self_test=self_test
    )


def _answered(
    reference: Answering,
    shipped: Answering,
    preprocessor: PreprocessorConfig,
    tolerance: float,
    classes: int,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], list[int]]:
    """Draw and ask until each class has its share; return images, the logits of both graphs and the rows taken."""
    grey = np.empty((0, preprocessor.height, preprocessor.width), dtype=np.uint8)
    logits = fp32_logits = np.empty((0, classes), dtype=np.float32)
    share = max(1, GOLDEN_COUNT // classes)
    for start in range(0, CANDIDATES, _CHUNK):
        drawn = _drawn(preprocessor, start)
        grey = np.concatenate([grey, drawn.grey])
        logits = np.concatenate([logits, logits_one_by_one(shipped, drawn)])
        fp32_logits = np.concatenate([fp32_logits, logits_one_by_one(reference, drawn)])
        sure = _sure(logits, fp32_logits, tolerance)
        found = np.bincount(logits[sure].argmax(axis=1), minlength=classes)
        if np.minimum(found, share).sum() >= min(GOLDEN_COUNT, share * classes):
            break
    return grey, logits, fp32_logits, _chosen(logits, _sure(logits, fp32_logits, tolerance))


def _sure(
    logits: NDArray[np.float32], fp32_logits: NDArray[np.float32], tolerance: float
) -> NDArray[np.bool_]:
    """Return on which images both graphs agree, with a lead that rounding cannot overcome: (N,)."""
    agree = logits.argmax(axis=1) == fp32_logits.argmax(axis=1)
    return np.asarray(agree & (margins(logits) >= MARGIN_FACTOR * tolerance), dtype=np.bool_)


def _chosen(logits: NDArray[np.float32], sure: NDArray[np.bool_]) -> list[int]:
    """Take the classes in turn, four of each class where there are four; unsure images only where none is sure."""
    answers, lead = logits.argmax(axis=1), margins(logits)
    rows = np.flatnonzero(sure).tolist() or np.argsort(-lead, kind="stable").tolist()
    taken: Counter[int] = Counter()
    turn: dict[int, int] = {}
    for row in rows:
        turn[row] = taken[int(answers[row])]
        taken[int(answers[row])] += 1
    return sorted(rows, key=lambda row: (turn[row], int(answers[row])))[:GOLDEN_COUNT]


def _rounding(session: Answering, inputs: ModelInputs) -> float:
    """Return how far logits move when the input is scaled by very little."""
    exact = logits_one_by_one(session, inputs)
    moved = [logits_one_by_one(_Scaled(session, scale), inputs) for scale in _NUDGES]
    return float(max(np.abs(other - exact).max() for other in moved))


@dataclass(frozen=True, slots=True)
class _Scaled:
    """A session whose input is multiplied by a factor."""

    session: Answering
    factor: float

    def run(self, pixel_values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        return self.session.run(pixel_values * np.float32(self.factor))


@functools.lru_cache(maxsize=CANDIDATES // _CHUNK)
def _drawn(preprocessor: PreprocessorConfig, start: int) -> ModelInputs:
    """Draw a chunk of candidates: 32 images."""
    images = []
    for number in range(start, start + _CHUNK):
        view = _VIEWS[number // len(LABELS) % len(_VIEWS)]
        generator = np.random.default_rng([_SEED, number])
        drawn = Image.fromarray(phantom(LABELS[number % len(LABELS)], generator, 256))
        images.append(resize_grey(view(drawn), preprocessor))
    return ModelInputs(np.stack(images), preprocessor)


def _zoomed(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 4, height // 4, width - width // 4, height - height // 4))


def _brightened(image: Image.Image) -> Image.Image:
    return image.point([round(255 * (value / 255) ** 0.4) for value in range(256)])


#: A model trained on real scans gives most plain phantoms the same class; changed like this, they get others.
_VIEWS: tuple[Callable[[Image.Image], Image.Image], ...] = (
    lambda image: image,
    ImageOps.equalize,
    _zoomed,
    _brightened,
    ImageOps.invert,
)
