"""What a model answers on slices, and the one score that is compared: the log-odds of any tumour."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_infer.contract import LABELS
from edge_infer.errors import NonFiniteOutput
from edge_infer.names import shown_name
from edge_infer.prediction import softmax
from train.data.samples import Progress
from train.evaluation.evaluate import Predict
from train.volumes.slices import Slice

__all__ = ["SliceAnswers", "ask"]

_BATCH = 32
_HEALTHY = LABELS.index("no_tumor")


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceAnswers:
    """Slices, and what a model answers on them.

    Attributes:
        slices: N of them.
        probabilities: float64, (N, classes).
        scores: float64, (N,), log((1 - p) / p) with p that of ``no_tumor``. In the order of 1 - p, but two answers
            that are both nearly certain do not round to the same number.
    """

    slices: tuple[Slice, ...]
    probabilities: NDArray[np.float64] = field(repr=False)
    scores: NDArray[np.float64] = field(repr=False)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,), true class ids."""
        return np.array([one.label for one in self.slices], dtype=np.int64)

    @property
    def tumour(self) -> NDArray[np.bool_]:
        """(N,), whether a slice shows a tumour."""
        return np.asarray(self.labels != _HEALTHY)

    @property
    def predicted(self) -> NDArray[np.intp]:
        """(N,), class ids."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def sources(self) -> list[str]:
        """Return the names of the sources: first those with both kinds of slices, each kind in alphabetical order."""
        kinds: dict[str, set[bool]] = {}
        for one in self.slices:
            kinds.setdefault(one.source, set()).add(one.shows_tumour)
        return sorted(kinds, key=lambda source: (len(kinds[source]) == 1, source))

    def rows(self, source: str) -> list[int]:
        """Return the rows of a source."""
        return [row for row, one in enumerate(self.slices) if one.source == source]

    def only(self, rows: Sequence[int]) -> "SliceAnswers":
        """Return some of them."""
        chosen = np.asarray(rows, dtype=np.intp)
        return SliceAnswers(
            slices=tuple(self.slices[row] for row in rows),
            probabilities=self.probabilities[chosen],
            scores=self.scores[chosen],
        )


def ask(
    predict: Predict,
    slices: Sequence[Slice],
    pixels: NDArray[np.uint8],
    *,
    temperature: float = 1.0,
    progress: Progress | None = None,
) -> SliceAnswers:
    """Ask a model about every slice.

    Args:
        predict: The model.
        slices: N of them.
        pixels: uint8, (N, H, W).
        temperature: What logits are divided by before the softmax.
        progress: Called with (done, total).

    Raises:
        NonFiniteOutput: An answer is not a finite number.
    """
    answers: list[NDArray[np.float64]] = []
    for start in range(0, len(slices), _BATCH):
        answers.append(predict(np.asarray(pixels[start : start + _BATCH])))
        if progress is not None:
            progress(min(start + _BATCH, len(slices)), len(slices))
    logits = np.concatenate(answers) / temperature
    if not np.isfinite(logits).all():
        odd = slices[int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])]
        raise NonFiniteOutput(
            f"{shown_name(odd.name)}: the model's answer is not a finite number",
            hint="the model or its bundle is damaged, or it was not trained to the end",
        )
    tumours = np.delete(logits, _HEALTHY, axis=1)
    return SliceAnswers(
        slices=tuple(slices),
        probabilities=softmax(logits),
        scores=np.logaddexp.reduce(tumours, axis=1) - logits[:, _HEALTHY],
    )
