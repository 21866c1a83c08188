"""The pointing game: does the largest evidence of a class lie inside the tumour?

Top-down Neural Attention by Excitation Backprop, Zhang et al. 2016, arXiv 1608.00507, 4.1: one point an image, and a
hit if it lies on the object or within 15 pixels of it. Here a hit lies inside the outline itself; the share within 15
of 256 pixels is reported beside it. An image called no_tumor (the negative
class) is a miss: its answer points at no tumour.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import NoInputs
from train.data.samples import Progress, Sample, classes_of
from train.evaluation.evidence_maps import (
    best_overlap,
    enlarged,
    mass_inside,
    peak,
    relative_evidence,
    widened,
)

__all__ = ["SIDE", "TOLERANCE", "Pointed", "point", "rows_with_tumour"]

#: Turns grey images, uint8 (N, H, W), into logits (N, classes) and evidence (N, classes, h, w).
Explain = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float64], NDArray[np.float32]]]

#: The original game's tolerance in pixels, for images scaled to this side.
TOLERANCE, SIDE = 15, 256
_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointed:
    """Where the evidence of one image lies.

    Attributes:
        row: The image.
        label: True class.
        answer: Class with the largest logit.
        peak_answer: Row and column of the largest evidence for the answer.
        peak_true: Likewise for the true class.
        hit_answer: Whether the answer is a tumour and its peak lies inside the outline.
        hit_true: Whether the true class's peak lies inside the outline.
        near_answer: Like ``hit_answer``, within the tolerance.
        near_true: Like ``hit_true``, within the tolerance.
        centre: Whether the middle of the image would be a hit.
        centre_near: Likewise, within the tolerance.
        chance: Share of the image inside the outline: how often a random place hits.
        chance_near: Share of the image inside or within the tolerance.
        mass_answer: Share of the positive evidence for the answer that is inside.
        mass_true: Likewise for the true class.
        iou_answer: Intersection over union at the best threshold, of the evidence for the answer.
        iou_true: Likewise for the true class.
    """

    row: int
    label: int
    answer: int
    peak_answer: tuple[float, float]
    peak_true: tuple[float, float]
    hit_answer: bool
    hit_true: bool
    near_answer: bool
    near_true: bool
    centre: bool
    centre_near: bool
    chance: float
    chance_near: float
    mass_answer: float
    mass_true: float
    iou_answer: float
    iou_true: float


def rows_with_tumour(
    samples: Sequence[Sample], rows: Sequence[int], known: NDArray[np.bool_]
) -> list[int]:
    """Keep the images that show a tumour with a known mask.

    Raises:
        NoInputs: There are none.
    """
    negative = classes_of(samples).negative_id
    kept = [row for row in rows if known[row] and samples[row].label != negative]
    if not kept:
        raise NoInputs(
            f"none of {len(rows)} images has a tumour mask",
            hint="masks are looked for in segmentation_task/PART/masks beside classification_task",
        )
    return kept


def point(
    explain: Explain,
    samples: Sequence[Sample],
    pixels: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    rows: Sequence[int],
    progress: Progress | None = None,
) -> tuple[list[Pointed], list[NDArray[np.float32]]]:
    """Find where a model sees what it answers.

    Args:
        explain: The model.
        samples: All of the data set.
        pixels: uint8, (len(samples), H, W).
        masks: uint8, (len(samples), H, W), 255 inside.
        rows: Images with a tumour and a known mask.
        progress: Called with (done, total).

    Returns:
        The result of each image, and its evidence, (classes, h, w).
    """
    negative = classes_of(samples).negative_id
    found: list[Pointed] = []
    maps: list[NDArray[np.float32]] = []
    for start in range(0, len(rows), _BATCH):
        batch = list(rows[start : start + _BATCH])
        logits, evidence = explain(np.asarray(pixels[batch]))
        for row, answer, of_image in zip(batch, logits.argmax(axis=1), evidence, strict=True):
            inside = masks[row] > 0
            found.append(
                _pointed(
                    row,
                    samples[row].label,
                    int(answer),
                    of_image,
                    inside,
                    is_tumour=int(answer) != negative,
                )
            )
            maps.append(of_image)
        if progress is not None:
            progress(len(found), len(rows))
    return found, maps


def _pointed(
    row: int,
    label: int,
    answer: int,
    evidence: NDArray[np.float32],
    inside: NDArray[np.bool_],
    *,
    is_tumour: bool,
) -> Pointed:
    H, W = inside.shape
    near = widened(inside, TOLERANCE * H / SIDE)
    relative = {k: relative_evidence(evidence, k) for k in (answer, label)}
    peaks = {k: peak(relative[k], (H, W)) for k in relative}
    large = {k: enlarged(relative[k], (H, W)) for k in relative}
    return Pointed(
        row=row,
        label=label,
        answer=answer,
        peak_answer=peaks[answer],
        peak_true=peaks[label],
        hit_answer=is_tumour and _at(inside, peaks[answer]),
        hit_true=_at(inside, peaks[label]),
        near_answer=is_tumour and _at(near, peaks[answer]),
        near_true=_at(near, peaks[label]),
        centre=_at(inside, (H / 2, W / 2)),
        centre_near=_at(near, (H / 2, W / 2)),
        chance=float(inside.mean()),
        chance_near=float(near.mean()),
        mass_answer=mass_inside(large[answer], inside) if is_tumour else 0.0,
        mass_true=mass_inside(large[label], inside),
        iou_answer=best_overlap(large[answer], inside) if is_tumour else 0.0,
        iou_true=best_overlap(large[label], inside),
    )


def _at(mask: NDArray[np.bool_], place: tuple[float, float]) -> bool:
    return bool(mask[int(place[0]), int(place[1])])
