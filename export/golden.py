"""Golden images for a bundle: drawn, answered by the FP32 graph and by the one that ships, and chosen with care.

The self-test of the runtime (edge_infer/self_test.py) refuses a bundle whose answers differ on another machine. A right
machine must never be refused, so an image is taken only if its class leads by far more than rounding can move.
"""

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edge_infer.contract import LABELS
from edge_infer.golden import GOLDEN_COUNT, golden_sheet
from edge_infer.preprocessing import PreprocessorConfig, resize_grey, to_pixel_values
from edge_infer.session import Session
from export.int8.margins import margins
from train.phantoms import phantom

__all__ = ["CANDIDATES", "MARGIN_FACTOR", "Golden", "make_golden"]

#: Images drawn at most; drawing ends when each class has its share.
CANDIDATES = 160
_CHUNK = 32
_SEED = 16

#: An image's class must lead by so many tolerances.
MARGIN_FACTOR = 4.0

#: Logits may always differ by so much, on any machine: sums in another order, kernels of another width.
_LEAST_TOLERANCE = {"fp32": 1e-3, "fp16": 0.1, "int8": 0.1}

#: With 8 bits a sum that ends up on the other side of a rounding step moves an activation by a whole step. What that
#: does to this very graph is measured by scaling its input by these; another machine may do several times as much.
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
    reference: Session, shipped: Session, preprocessor: PreprocessorConfig, *, precision: str
) -> Golden:
    """Draw images, let both graphs answer them one by one, and take up to four of each class.

    A class that the model gives to no drawn image with a sure lead is left out; others fill its place.

    Args:
        reference: Of the FP32 graph.
        shipped: Of the graph in the bundle, opened as the runtime opens it.
        preprocessor: The model's.
        precision: Of the shipped graph: ``fp32``, ``fp16`` or ``int8``.
    """
    nudged = _drawn(preprocessor, 0)[:_NUDGED_IMAGES]
    tolerance = max(
        _LEAST_TOLERANCE[precision], _NUDGE_FACTOR * _rounding(shipped, nudged, preprocessor)
    )
    grey, logits, fp32_logits, chosen = _answered(reference, shipped, preprocessor, tolerance)
    entries = [
        {
            "label": LABELS[int(logits[row].argmax())],
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
    reference: Session, shipped: Session, preprocessor: PreprocessorConfig, tolerance: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], list[int]]:
    """Draw and ask until each class has its share; return images, both answers and the rows taken."""
    grey = np.empty((0, preprocessor.height, preprocessor.width), dtype=np.uint8)
    logits = fp32_logits = np.empty((0, len(LABELS)), dtype=np.float32)
    for start in range(0, CANDIDATES, _CHUNK):
        drawn = _drawn(preprocessor, start)
        grey = np.concatenate([grey, drawn])
        logits = np.concatenate([logits, _logits(shipped, drawn, preprocessor)])
        fp32_logits = np.concatenate([fp32_logits, _logits(reference, drawn, preprocessor)])
        sure = _sure(logits, fp32_logits, tolerance)
        found = np.bincount(logits[sure].argmax(axis=1), minlength=len(LABELS))
        if (found >= GOLDEN_COUNT // len(LABELS)).all():
            break
    return grey, logits, fp32_logits, _chosen(logits, _sure(logits, fp32_logits, tolerance))


def _sure(
    logits: NDArray[np.float32], fp32_logits: NDArray[np.float32], tolerance: float
) -> NDArray[np.bool_]:
    """Tell on which images both graphs agree, with a lead that rounding cannot eat up."""
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


def _rounding(session: Session, grey: NDArray[np.uint8], preprocessor: PreprocessorConfig) -> float:
    """Return how far logits move when the input is scaled by next to nothing."""
    exact = _logits(session, grey, preprocessor)
    moved = [_logits(session, grey, preprocessor, scale=scale) for scale in _NUDGES]
    return float(max(np.abs(other - exact).max() for other in moved))


def _logits(
    session: Session,
    grey: NDArray[np.uint8],
    preprocessor: PreprocessorConfig,
    *,
    scale: float = 1.0,
) -> NDArray[np.float32]:
    """Ask one by one, as the self-test does."""
    pixel_values = to_pixel_values(grey, preprocessor) * np.float32(scale)
    return np.concatenate([session.run(row[None])[0] for row in pixel_values])


@functools.lru_cache(maxsize=CANDIDATES // _CHUNK)
def _drawn(preprocessor: PreprocessorConfig, start: int) -> NDArray[np.uint8]:
    """Draw a chunk of candidates: uint8, (32, H, W)."""
    images = []
    for number in range(start, start + _CHUNK):
        view = _VIEWS[number // len(LABELS) % len(_VIEWS)]
        generator = np.random.default_rng([_SEED, number])
        drawn = Image.fromarray(phantom(LABELS[number % len(LABELS)], generator, 256))
        images.append(resize_grey(view(drawn), preprocessor))
    return np.stack(images)


def _zoomed(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 4, height // 4, width - width // 4, height - height // 4))


def _brightened(image: Image.Image) -> Image.Image:
    return image.point([round(255 * (value / 255) ** 0.4) for value in range(256)])


#: A model taught by real scans gives most plain phantoms the same class; these bring others out.
_VIEWS: tuple[Callable[[Image.Image], Image.Image], ...] = (
    lambda image: image,
    ImageOps.equalize,
    _zoomed,
    _brightened,
    ImageOps.invert,
)
