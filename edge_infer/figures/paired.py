"""Two models on the same images: the difference of their shares, and whether it is more than chance."""

import math

from edge_infer.figures.intervals import Z_95, Figure

__all__ = ["mcnemar_p", "paired_difference"]

_HALVINGS = 60


def mcnemar_p(first_only: int, second_only: int) -> float:
    """Return McNemar's exact two-sided p: how likely chance alone is to part the two so far (McNemar 1947).

    Args:
        first_only: Images that only the first model has right.
        second_only: Images that only the second has right.
    """
    n, least = first_only + second_only, min(first_only, second_only)
    if n == 0:
        return 1.0
    tail = sum(math.exp(_log_binomial(n, k)) for k in range(least + 1))
    return min(1.0, 2 * tail)


def paired_difference(first_only: float, second_only: float, n: int) -> Figure:
    """Return the first model's share minus the second's, with Tango's 95 % score interval (Tango 1998).

    Unlike a bootstrap it has a width where the two never differ: that n images show no difference is no proof that
    there is none.

    Args:
        first_only: Images that count for the first model only. No whole number where shares of images are taken for
            those of so many groups; likewise the second.
        second_only: Images that count for the second only.
        n: All images.
    """
    if n == 0:
        return Figure(value=None, n=0, low=None, high=None, interval="tango")
    value = (first_only - second_only) / n
    return Figure(
        value=value,
        n=n,
        low=-_upper(second_only, first_only, n),
        high=_upper(first_only, second_only, n),
        interval="tango",
    )


def _upper(first_only: float, second_only: float, n: int) -> float:
    """Return the largest difference that the score test does not exclude, by halving."""
    low, high = (first_only - second_only) / n, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _score(first_only, second_only, n, middle) >= -Z_95:
            low = middle
        else:
            high = middle
    return high


def _score(b: float, c: float, n: int, difference: float) -> float:
    """Return Tango's statistic for a supposed difference; its letters are those of the paper."""
    linear = -b - c + (2 * n - b + c) * difference
    constant = -c * difference * (1 - difference)
    q = (math.sqrt(max(0.0, linear * linear - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * q + difference * (1 - difference))
    distance = b - c - n * difference
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def _log_binomial(n: int, k: int) -> float:
    """Return the logarithm of the probability of k heads of n fair throws."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
