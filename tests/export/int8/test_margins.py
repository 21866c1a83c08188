import numpy as np
import pytest
from numpy.typing import NDArray
from own_classes import PETS, TWO

from edge_infer.classes import BRAIN, Classes
from export.int8.margins import (
    MAX_TOO_CLOSE,
    TOO_CLOSE_LOGITS,
    margins,
    too_close,
    too_close_failures,
    too_close_table,
    too_close_text,
)
from export.int8.negative_flips import NegativeFlips

BAR = np.float32(TOO_CLOSE_LOGITS)
BELOW = np.nextafter(BAR, np.float32(0))


def logits(*rows: list[float]) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32)


def test_the_bars_are_those_of_the_decision() -> None:
    assert (TOO_CLOSE_LOGITS, MAX_TOO_CLOSE) == (0.02, 0.01)


def test_the_margin_is_the_lead_of_the_first_class_over_the_second_wherever_they_stand() -> None:
    found = margins(logits([3, 1, 2, 0], [0, 7, -5, 3], [4, -1, 0, 4], [-9, -8, -6, -7]))
    assert found.tolist() == [1, 4, 0, 1]
    assert found.dtype == np.float32


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_an_image_that_leads_by_the_bar_can_be_called_and_one_below_it_not(
    order: list[int],
) -> None:
    rows = logits([BAR, 0, -3, -3], [BELOW, 0, -3, -3], [0, 0, -3, -3], [5, 0, 0, 0])
    assert too_close(rows[:, order]).tolist() == [False, True, True, False]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_image_without_finite_logits_is_not_among_them_and_hides_no_other(value: float) -> None:
    rows = logits([0, 0, 1, 2], [value, 0, 0, 0], [1, 1, 0, 0], [value] * 4)
    found = too_close(rows)
    assert found.tolist() == [False, False, True, False]
    assert found.dtype == np.bool_


def test_where_no_logits_are_finite_none_is_too_close() -> None:
    assert too_close(np.full((3, 4), np.nan, dtype=np.float32)).tolist() == [False] * 3


#: FP32 cannot call the first four. INT8 answers the second and third otherwise, and these only; the fourth is a miss of
#: both. The last is a flip as well, but FP32 is sure of it.
LABELS = np.array([0, 0, 1, 1, 0])
FP32 = logits([1, 0.99, 0, 0], [1, 0, 0.99, 0], [0, 1, 0.99, 0], [0.99, 0, 1, 0], [9, 0, 0, 0])
INT8 = logits([9, 0, 0, 0], [0, 0, 9, 0], [0, 0, 0, 9], [0, 0, 9, 0], [0, 0, 9, 0])


@pytest.mark.parametrize(
    ("classes", "flips"),
    [
        (BRAIN, {"tumor_to_no_tumor_flips": 1}),
        (Classes(("a", "b", "c", "d"), "c"), {"positive_to_negative_flips": 1}),
        (Classes(("a", "b", "c", "d"), "d"), {"positive_to_negative_flips": 1}),
        (Classes(("a", "b", "c", "d"), "b"), {"positive_to_negative_flips": 0}),
        (Classes(("a", "b", "c", "d")), {}),
    ],
    ids=["brain", "third", "last", "second", "none"],
)
def test_those_too_close_and_what_int8_makes_of_them_are_counted(
    classes: Classes, flips: dict[str, int]
) -> None:
    assert too_close_table(LABELS, FP32, INT8, classes) == {
        "count": 4,
        "n": 5,
        "flips": 2,
        **flips,
        "margin_logits": 0.02,
        "max_share": 0.01,
    }


def test_unless_told_otherwise_the_classes_are_those_of_the_brain() -> None:
    assert too_close_table(LABELS, FP32, INT8) == too_close_table(LABELS, FP32, INT8, BRAIN)


@pytest.mark.parametrize(
    ("classes", "end"),
    [
        (BRAIN, ", 1 of them tumour -> no_tumor"),
        (PETS, ", 1 of them another class -> empty bowl"),
        (TWO, ""),
    ],
    ids=["brain", "pets", "two"],
)
def test_they_are_told_in_one_line(classes: Classes, end: str) -> None:
    table = {"count": 4, "n": 500, "flips": 2, "margin_logits": 0.02, "max_share": 0.01}
    negative = NegativeFlips.of(classes)
    if negative is not None:
        table[negative.key] = 1
    assert too_close_text(table, negative) == (
        "too close to call (FP32 leads by less than 0.02), judged apart: 4 of n 500, allowed 1 %; "
        f"2 answered otherwise{end}"
    )


@pytest.mark.parametrize(
    ("n", "allowed"), [(1, 0), (99, 0), (100, 1), (199, 1), (200, 2), (2900, 29), (10_011, 100)]
)
def test_one_in_a_hundred_images_may_be_too_close_in_whole_images(n: int, allowed: int) -> None:
    assert too_close_failures({"count": 0, "n": n}) == []
    assert too_close_failures({"count": allowed, "n": n}) == []
    assert too_close_failures({"count": allowed + 1, "n": n}) == [
        f"{allowed + 1} of n {n} images are too close to call (FP32 leads by less than 0.02), allowed 1 %"
    ]
