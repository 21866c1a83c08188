"""Among variants that pass the gate, the order in which they are asked for the corrupted images."""

from typing import Any

import numpy as np
import onnx
import pytest

from export.int8.choice import Tried, _best_first
from export.int8.gate import judge
from export.int8.variants import Variant


def tried(
    name: str, method: str, difference: float, *, exceptions: int = 0, passed: bool = True
) -> Tried:
    labels = np.arange(400) % 4
    answers = np.eye(4, dtype=np.float32)[labels] * 5
    given = answers if passed else np.roll(answers, 1, axis=1)
    report = judge(labels, answers, given)
    report.table["mean_abs_probability_difference"] = difference
    graph = onnx.ModelProto()
    description = {"method": method, "not_static": ["stage1.wide"] * exceptions}
    variant = Variant(name=name, description=description, graph=graph)
    return Tried(variant=variant, report=report, size_bytes=1)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        # Twice the difference is too much, whatever the form.
        ([("a", "static", 0.0019), ("b", "mixed", 0.0010), ("c", "dynamic", 0.0009)], "bca"),
        # As good within a quarter: the cheapest form.
        ([("a", "dynamic", 0.0010), ("b", "mixed", 0.0011), ("c", "static", 0.00124)], "cba"),
        ([("a", "static", 0.0013), ("b", "static", 0.0012), ("c", "mixed", 0.0011)], "bac"),
        ([("a", "static", 0.0)], "a"),
    ],
)
def test_the_cheapest_of_the_most_faithful_comes_first(
    entries: list[tuple[str, str, float]], expected: str
) -> None:
    order = _best_first([tried(*entry) for entry in entries])
    assert "".join(entry.variant.name for entry in order) == expected


def test_a_tenth_of_the_allowed_difference_counts_as_none() -> None:
    entries = [
        tried("a", "dynamic", 0.0001),
        tried("b", "mixed", 0.0002, exceptions=9),
        tried("c", "mixed", 0.0009, exceptions=4),
        tried("d", "static", 0.0011),
    ]
    assert "".join(entry.variant.name for entry in _best_first(entries)) == "cbad"


def test_a_difference_that_counts_goes_before_the_number_of_exceptions() -> None:
    entries = [
        tried("a", "mixed", 0.0012, exceptions=2),
        tried("b", "mixed", 0.0011, exceptions=5),
    ]
    assert "".join(entry.variant.name for entry in _best_first(entries)) == "ba"


def test_what_did_not_pass_is_not_asked() -> None:
    failed: Any = tried("a", "static", 0.0, passed=False)
    assert [entry.variant.name for entry in _best_first([failed, tried("b", "mixed", 0.1)])] == [
        "b"
    ]
    assert _best_first([failed]) == []
