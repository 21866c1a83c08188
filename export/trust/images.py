"""The images that a scope check and prediction sets are fitted on.

The scope check knows each training image twice, as it is and made a little worse. Otherwise noise that one hardly sees,
or a thin white frame, would be out of scope, though the model learnt with both and answers as well as before
(docs/experiments.md, "When it abstains").
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.model_inputs import ModelInputs
from train.corruption.corruptions import cells, corrupt

__all__ = [
    "MOST_STATISTICS",
    "MOST_STATISTICS_QUICK",
    "TrustImages",
    "mildly_corrupted",
    "some_of_each_class",
]

#: Most training images that means and directions are fitted on: more change them little and take time.
MOST_STATISTICS = 4_000
MOST_STATISTICS_QUICK = 1_000

#: Of the five severities of a corruption, what readers would still call a good image.
_MILD = 3
_SEED = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustImages:
    """Images of the train part, and which images of the validation part count.

    Attributes:
        train: N training images, one of each copy.
        train_source: Where they come from, for the manifest.
        train_labels: int64, (N,), class ids.
        gate_rows: int64, (M,): which of the gate's images are taken, one of each copy.
        gate_groups: The patient group of each of these M; empty where none is known.
        gate_sources: The file of each of these M, or its encoded bytes; none where there are no files.
    """

    train: ModelInputs = field(repr=False)
    train_source: str
    train_labels: NDArray[np.int64] = field(repr=False)
    gate_rows: NDArray[np.int64] = field(repr=False)
    gate_groups: tuple[str, ...] = field(repr=False)
    gate_sources: tuple[Path | bytes, ...] = field(default=(), repr=False)


def some_of_each_class(
    rows: Sequence[int], labels: Sequence[int], most: int, generator: np.random.Generator
) -> list[int]:
    """Draw at most about ``most`` of the rows, of each class its share and at least one; all if there are no more.

    Args:
        rows: Row numbers.
        labels: The class id of each.
        most: How many.
        generator: Draws them.
    """
    if len(rows) <= most:
        return sorted(rows)
    drawn: list[int] = []
    for label in sorted(set(labels)):
        of_class = [row for row, own in zip(rows, labels, strict=True) if own == label]
        count = max(1, len(of_class) * most // len(rows))
        drawn += generator.choice(of_class, count, replace=False).tolist()
    return sorted(drawn)


def mildly_corrupted(images: ModelInputs) -> ModelInputs:
    """Return each image again, made worse in one of the project's ways, by a severity of 1 to 3.

    Which way is drawn for each image; the same images always get the same.
    """
    mild = [(kind, severity) for kind, severity in cells() if severity <= _MILD]
    drawn = np.random.default_rng(_SEED).integers(len(mild), size=len(images))
    worse = []
    for row, (grey, choice) in enumerate(zip(images.grey, drawn.tolist(), strict=True)):
        kind, severity = mild[choice]
        worse.append(corrupt(grey, kind, severity, (_SEED, row)))
    return ModelInputs(np.stack(worse), images.preprocessor)
