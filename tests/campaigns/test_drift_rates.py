"""The campaign of docs/drift.md in small, on drawn answers: a planted drift is found, and no other."""

from pathlib import Path

import numpy as np
import pytest
from drift_answers import Answered, planted, together
from drift_rates import _kept, _rate
from drifting import baseline_of, brighter, drawn

pytestmark = pytest.mark.campaign


def answered(n: int, seed: int) -> Answered:
    return Answered(seen=drawn(n, seed), groups=tuple(f"{seed}-{row}" for row in range(n)))


def test_rates_are_counted_and_a_planted_drift_is_found(tmp_path: Path) -> None:
    pool = together([answered(400, 0), answered(400, 1)])
    bright = Answered(seen=brighter(300, 2, by=15), groups=("",) * 300)
    assert len(pool) == 800

    def same(generator: np.random.Generator, n: int) -> tuple[object, Answered]:
        order = generator.permutation(800)
        return baseline_of(pool.take(order[:400]).seen), pool.take(order[400:][:n])

    def other(generator: np.random.Generator, n: int) -> tuple[object, Answered]:
        return same(generator, n)[0], bright.take(generator.permutation(300)[:n])

    quiet = _rate("same", 200, same, 20)  # type: ignore[arg-type]  # of drawn answers
    assert quiet["alarms"]["value"] <= 0.15
    assert quiet["alarms"]["n"] == 20
    loud = _rate("other", 200, other, 5)  # type: ignore[arg-type]
    assert loud["alarms"]["value"] == 1
    assert next(iter(loud["measures"])) == "mean"
    assert _kept(tmp_path, "other", lambda: loud) == loud
    assert _kept(tmp_path, "other", dict) == loud, "what was counted is not counted again"


def test_every_corruption_is_planted() -> None:
    assert len(planted()) == 43
