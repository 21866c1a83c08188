"""A figure, its n and its 95 % interval: Wilson's for shares, a bootstrap over patient groups for anything.

Images of one patient are not independent, so whole groups are drawn (Efron and Tibshirani 1993, ch. 8).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Z_95", "Figure", "GroupBootstrap", "group_bootstrap", "wilson_interval"]

#: The normal quantile at 97.5 %.
Z_95 = 1.959963984540054
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure, ready to be published.

    Attributes:
        value: None if undefined, never NaN.
        n: Number of images.
        low: Lower end of the 95 % interval.
        high: Upper end of the 95 % interval.
        interval: How the interval was computed: ``wilson``, ``group_bootstrap``, ``envelope`` of several ...
    """

    value: float | None
    n: int
    low: float | None
    high: float | None
    interval: str


def wilson_interval(successes: float, n: int) -> Figure:
    """Return a share with Wilson's 95 % score interval (Wilson 1927).

    Args:
        successes: No whole number where a share of images is taken for one of so many groups.
        n: Of how many.
    """
    if n == 0:
        return Figure(value=None, n=0, low=None, high=None, interval="wilson")
    share = successes / n
    centre = (share + Z_95 * Z_95 / (2 * n)) / (1 + Z_95 * Z_95 / n)
    half = (
        Z_95
        / (1 + Z_95 * Z_95 / n)
        * math.sqrt(share * (1 - share) / n + Z_95 * Z_95 / (4 * n * n))
    )
    return Figure(
        value=share,
        n=n,
        low=max(0.0, centre - half),
        high=min(1.0, centre + half),
        interval="wilson",
    )


class GroupBootstrap:
    """The resamples of one set of images, drawn once for all its figures.

    Args:
        n: How many rows there are.
        groups: Patient or copy group of each row; a row with an empty name is its own group.
        seed: Of the draws.

    Attributes:
        groups: int64, (n,), number of each row's group.
    """

    def __init__(self, n: int, *, groups: Sequence[str] | None = None, seed: int = 0) -> None:
        self._n = n
        self.groups = _numbered(groups, n)
        self._draws = _group_draws(self.groups, seed)

    def __call__(self, statistic: Callable[[NDArray[np.int64]], float | None]) -> Figure:
        """Return a figure with its interval; the statistic is None if it is undefined."""
        value = statistic(np.arange(self._n))
        values = [drawn for drawn in map(statistic, self._draws) if drawn is not None]
        if value is None or not values:
            return Figure(value=None, n=self._n, low=None, high=None, interval="group_bootstrap")
        low, high = np.percentile(values, [2.5, 97.5])
        return Figure(
            value=value, n=self._n, low=float(low), high=float(high), interval="group_bootstrap"
        )


def group_bootstrap(
    statistic: Callable[[NDArray[np.int64]], float | None],
    n: int,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> Figure:
    """Return a figure that is not a share, with its interval over patient groups.

    Args:
        statistic: Returns the figure of some rows; None if it is undefined for them.
        n: How many rows there are.
        groups: Patient or copy group of each row; a row with an empty name is its own group.
        seed: Of the bootstrap.
    """
    return GroupBootstrap(n, groups=groups, seed=seed)(statistic)


def _numbered(groups: Sequence[str] | None, n: int) -> NDArray[np.int64]:
    """Number the groups from 0, as they come; an image without a group is its own group."""
    numbers: dict[str | int, int] = {}
    names = groups or [""] * n
    return np.array(
        [numbers.setdefault(name or row, len(numbers)) for row, name in enumerate(names)],
        dtype=np.int64,
    )


def _group_draws(groups: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """Return row indices of each resample."""
    members: dict[int, list[int]] = {}
    for row, number in enumerate(groups.tolist()):
        members.setdefault(number, []).append(row)
    blocks = [np.array(rows) for rows in members.values()]
    generator = np.random.default_rng(seed)
    return [
        np.concatenate(
            [blocks[chosen] for chosen in generator.integers(0, len(blocks), len(blocks))]
        )
        for _ in range(_RESAMPLES)
    ]
