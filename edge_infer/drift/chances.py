"""How likely chance alone is to part two samples so far; and what many tests at once make of that.

Formulas in closed form, since the edge has no scipy.
"""

import math
from collections.abc import Sequence

__all__ = ["chi_squared_tail", "holm", "kolmogorov_tail", "normal_tail"]

_TERMS = 100


def chi_squared_tail(value: float, freedom: int) -> float:
    """Return P(chi-squared > value), by the finite sums of Abramowitz and Stegun 26.4.4 and 26.4.5."""
    if value <= 0 or freedom < 1:
        return 1.0
    half = value / 2
    odd = freedom % 2
    terms = (
        math.exp(-half + (k + odd / 2) * math.log(half) - math.lgamma(k + odd / 2 + 1))
        for k in range((freedom - odd) // 2)
    )
    return min(1.0, (math.erfc(math.sqrt(half)) if odd else 0.0) + math.fsum(terms))


def kolmogorov_tail(distance: float, n: float, m: float) -> float:
    """Return P(the largest difference of two distribution functions > distance) of samples of n and m.

    The limiting distribution with Stephens' correction (1970); with ties, as grey values have them, the true one is
    smaller.
    """
    root = math.sqrt(n * m / (n + m))
    reach = (root + 0.12 + 0.11 / root) * distance
    if reach < 0.2:  # the series converges slowly, and the probability is 1 to twelve digits
        return 1.0
    terms = ((-1) ** (k - 1) * math.exp(-2 * (k * reach) ** 2) for k in range(1, _TERMS))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def normal_tail(z: float) -> float:
    """Return P(a standard normal > z)."""
    return math.erfc(z / math.sqrt(2)) / 2


def holm(chances: Sequence[float]) -> list[float]:
    """Adjust the p of several tests: with no drift, any of them is below alpha with at most that probability (1979).

    Holds whatever the tests have to do with each other.
    """
    order = sorted(range(len(chances)), key=lambda index: chances[index])
    adjusted, largest = [0.0] * len(chances), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, chances[index] * (len(chances) - rank)))
        adjusted[index] = largest
    return adjusted
