"""The flips that matter most: INT8 answers the negative class, which says that nothing is there, and FP32 did not.

What counts as one, under which names it is reported and in which words, in one place. The names for the four brain
classes are older than other classes. Without a negative class there are no such flips.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import Classes
from export.gate_tables import FLIPS_KEYS

__all__ = ["NegativeFlips"]

_Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class NegativeFlips:
    """Flips to one class, and their names.

    Attributes:
        class_id: Of the negative class.
        label: Of the negative class.
        key: Of their number, in the tables of manifest and model card.
        row_key: Of their number in the row of a class.
        lost_key: Of the answers that something is there which became that nothing is.
        words: Such as ``tumour -> no_tumor``.
    """

    class_id: int
    label: str
    key: str
    row_key: str
    lost_key: str
    words: str

    @classmethod
    def of(cls, classes: Classes) -> Self | None:
        """Return those of a model; None if no class is the negative one."""
        negative_id = classes.negative_id
        if negative_id is None:
            return None
        label, is_brain = classes.names[negative_id], classes.is_brain
        return cls(
            class_id=negative_id,
            label=label,
            key=FLIPS_KEYS[0 if is_brain else 1],
            row_key="to_no_tumor" if is_brain else "to_negative",
            lost_key="tumor_answers_lost" if is_brain else "positive_answers_lost",
            words=f"{'tumour' if is_brain else 'another class'} -> {label}",
        )

    def at_stake(self, labels: _Ids, reference: _Ids) -> NDArray[np.bool_]:
        """Return which images show something that FP32 calls rightly: (N,).

        Args:
            labels: (N,), true class ids.
            reference: (N,), FP32's answers.
        """
        return np.asarray((labels != self.class_id) & (reference == labels), dtype=np.bool_)

    def flipped(self, labels: _Ids, reference: _Ids, quantized: _Ids) -> NDArray[np.bool_]:
        """Return which of those INT8 calls negative: (N,).

        Args:
            labels: (N,), true class ids.
            reference: (N,), FP32's answers.
            quantized: (N,), INT8's answers.
        """
        at_stake = self.at_stake(labels, reference)
        return np.asarray(at_stake & (quantized == self.class_id), dtype=np.bool_)

    def lost(self, labels: _Ids, reference: _Ids, quantized: _Ids) -> NDArray[np.bool_]:
        """Return where FP32 said that something is there, if perhaps not what, and INT8 that nothing is: (N,)."""
        was_seen = (labels != self.class_id) & (reference != self.class_id)
        return np.asarray(was_seen & (quantized == self.class_id), dtype=np.bool_)
