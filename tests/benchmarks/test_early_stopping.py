"""MLPerf's early stopping, compared with LoadGen's own output in published results."""

import pytest

from benchmarks.early_stopping import early_stopping_estimate, slow_queries_allowed


# "Processed at least 64 queries (2048). Would discard 172 highest latency queries." and others of its summaries.
@pytest.mark.parametrize(
    ("n", "percentile", "discarded"),
    [
        (2048, 0.90, 172),
        (2116, 0.90, 178),
        (7469, 0.90, 685),
        (1_179_125, 0.99, 11_539),
    ],
)
def test_as_many_queries_are_discarded_as_loadgen_says(
    n: int, percentile: float, discarded: int
) -> None:
    assert slow_queries_allowed(n, percentile) - 1 == discarded


@pytest.mark.parametrize(("percentile", "needed"), [(0.90, 64), (0.99, 662)])
def test_the_least_number_of_queries_is_loadgens(percentile: float, needed: int) -> None:
    assert slow_queries_allowed(needed - 1, percentile) == 0
    assert slow_queries_allowed(needed, percentile) == 1
    assert early_stopping_estimate([1.0] * (needed - 1), percentile) is None


def test_the_estimate_is_the_slowest_query_at_the_least_number_and_moves_down_with_more() -> None:
    assert early_stopping_estimate([float(value) for value in range(64)], 0.90) == 63.0
    # 172 discarded: the 173rd slowest of 2048.
    assert early_stopping_estimate([float(value) for value in range(2048)], 0.90) == 2048 - 173
