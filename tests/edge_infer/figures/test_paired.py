"""Paired differences against what defines them, and McNemar's test against scipy."""

import numpy as np
import pytest
from scipy.stats import binomtest

from edge_infer.figures.intervals import Z_95
from edge_infer.figures.paired import mcnemar_p, paired_difference


def score(b: int, c: int, n: int, difference: float) -> float:
    """Tango's statistic, with the likeliest share of the second cell found by trying all of them."""
    q = np.linspace(max(0.0, -difference), (1 - difference) / 2, 200_001)[1:-1]
    likelihood = (
        b * np.log(q + difference) + c * np.log(q) + (n - b - c) * np.log1p(-2 * q - difference)
    )
    best = q[np.argmax(likelihood)]
    return float((b - c - n * difference) / np.sqrt(n * (2 * best + difference * (1 - difference))))


@pytest.mark.parametrize(("b", "c", "n"), [(12, 2, 50), (3, 5, 83), (1, 9, 410), (20, 20, 100)])
def test_an_end_is_where_the_score_test_begins_to_exclude(b: int, c: int, n: int) -> None:
    figure = paired_difference(b, c, n)
    assert figure.value == (b - c) / n
    assert figure.low is not None
    assert figure.high is not None
    assert score(b, c, n, figure.high) == pytest.approx(-Z_95, abs=2e-3)  # q is tried in steps
    assert score(c, b, n, -figure.low) == pytest.approx(-Z_95, abs=2e-3)


def test_no_difference_on_few_images_is_no_proof_of_none() -> None:
    figure = paired_difference(0, 0, 100)
    assert figure.value == 0
    assert figure.high == pytest.approx(Z_95**2 / (100 + Z_95**2), abs=1e-9)  # solved by hand
    assert figure.low == pytest.approx(-figure.high)
    assert paired_difference(0, 0, 0).value is None


@pytest.mark.parametrize(("first", "second"), [(6, 12), (0, 5), (3, 3), (0, 0), (1, 400)])
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    total = first + second
    expected = binomtest(first, total).pvalue if total else 1.0
    assert mcnemar_p(first, second) == pytest.approx(expected, rel=1e-9)


def test_a_third_of_a_group_lies_between_none_and_one() -> None:
    none, third, one = (paired_difference(lost, 0, 10) for lost in (0, 1 / 3, 1))
    assert none.high is not None
    assert third.high is not None
    assert one.high is not None
    assert none.high < third.high < one.high
