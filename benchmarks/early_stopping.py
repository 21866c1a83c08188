"""MLPerf's early stopping: an upper bound of a percentile after few queries.

MLPerf Inference Benchmark, Reddi et al. 2020 (arXiv:1911.02549), and LoadGen's SingleStream rule
(mlcommons/inference, loadgen/results.cc, ``PerformanceSummary::EarlyStopping``): with n queries, t is the largest
number of slow queries such that, if the true percentile were worse than the estimate, so few would be seen in at most
1 % of runs. The estimate is the t-th slowest query: an upper bound of the percentile at 99 % confidence.
"""

import math
from collections.abc import Sequence

__all__ = ["CONFIDENCE", "early_stopping_estimate", "slow_queries_allowed"]

CONFIDENCE = 0.99


def early_stopping_estimate(latencies_ms: Sequence[float], percentile: float) -> float | None:
    """Return the upper bound of a percentile, or None after too few queries (64 for p90, 662 for p99)."""
    allowed = slow_queries_allowed(len(latencies_ms), percentile)
    return sorted(latencies_ms)[-allowed] if allowed else None


def slow_queries_allowed(n: int, percentile: float) -> int:
    """Return t of the rule, 0 after too few queries; LoadGen says it "would discard" t - 1."""
    slow = 1 - percentile
    seen = 0.0
    for count in range(n + 1):
        seen += math.exp(
            _log_choose(n, count) + count * math.log(slow) + (n - count) * math.log1p(-slow)
        )
        if seen > 1 - CONFIDENCE:
            return max(count - 1, 0)
    return n


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
