"""Gather answers, as many as there are, in columns that grow."""

import hashlib
import math
from array import array
from collections.abc import Iterable, Sequence

import numpy as np

from edge_infer.drift.image_facts import FACT_WORDS
from edge_infer.drift.observing import MEASURES, NO_REASON, Answer, Observations
from edge_infer.drift.projection import DIMENSIONS, project

__all__ = ["observe"]

#: Of float16, as a baseline keeps its values.
_LARGEST = 65504.0

_WORDS = ("label", "decision", "reason", "plane", "device")
_NO_FACTS = (math.nan,) * len(FACT_WORDS)
_NO_POINT = np.full(DIMENSIONS, np.nan, dtype=np.float16).tobytes()


def observe(answers: Iterable[Answer]) -> Observations:
    """Gather answers; of each series, one image.

    Neighbouring slices are nearly the same image: counted as many, they would make chance look like drift.

    Args:
        answers: Any number; about 250 bytes are kept of each image, or 400 of each series.
    """
    columns = _Columns()
    series: dict[bytes, tuple[bytes, int]] = {}
    answered = 0
    for answer in answers:
        answered += 1
        if not answer.series:
            columns.add(answer)
            continue
        uid = hashlib.sha256(answer.series.encode(errors="replace")).digest()[:16]
        drawn = hashlib.sha256(uid + answer.key.encode(errors="replace")).digest()[:8]
        if uid not in series:
            series[uid] = drawn, columns.add(answer)
        elif drawn < series[uid][0]:
            series[uid] = drawn, columns.add(answer, series[uid][1])
    return columns.observations(answered=answered, of_series=len(series))


class _Columns:
    """Rows of numbers, and numbers of words."""

    def __init__(self) -> None:
        self._values, self._points = bytearray(), bytearray()
        self._codes = {name: array("I") for name in _WORDS}
        self._words: dict[str, int] = {}

    def add(self, answer: Answer, row: int | None = None) -> int:
        """Add a row, or put it in the place of another; return its number."""
        words = {
            "label": answer.label,
            "decision": answer.decision,
            "reason": answer.reasons[0] if answer.reasons else NO_REASON,
            "plane": answer.plane,
            "device": answer.device,
        }
        values = _values(answer)
        point = _NO_POINT if answer.embedding is None else project(answer.embedding).tobytes()
        if row is None:
            row = len(self._codes["label"])
            for codes in self._codes.values():
                codes.append(0)
            self._values += values
            self._points += point
        else:
            self._values[row * len(values) : (row + 1) * len(values)] = values
            self._points[row * len(point) : (row + 1) * len(point)] = point
        for name, word in words.items():
            self._codes[name][row] = self._words.setdefault(word, len(self._words))
        return row

    def observations(self, *, answered: int, of_series: int) -> Observations:
        """Return what was gathered."""
        known = list(self._words)
        named = {name: tuple(known[code] for code in self._codes[name]) for name in _WORDS}
        values = np.frombuffer(bytes(self._values), dtype=np.float16)
        points = np.frombuffer(bytes(self._points), dtype=np.float16)
        return Observations(
            values=values.reshape(-1, len(MEASURES)),
            labels=named["label"],
            decisions=named["decision"],
            reasons=named["reason"],
            planes=named["plane"],
            devices=named["device"],
            points=points.reshape(-1, DIMENSIONS),
            answered=answered,
            of_series=of_series,
        )


def _values(answer: Answer) -> bytes:
    values = [
        1 - max(answer.probabilities),
        _entropy(answer.probabilities),
        math.nan if answer.scope_score is None else answer.scope_score,
        *(_NO_FACTS if answer.facts is None else answer.facts),
    ]
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.float16).tobytes()


def _entropy(probabilities: Sequence[float]) -> float:
    return -sum(one * math.log(one) for one in probabilities if one > 0) / math.log(
        len(probabilities)
    )
