"""How far a window's values of one measure lie from the reference's: Kolmogorov and Smirnov's distance, and the PSI.

Both need only counts of the window between the reference's quantiles, so an interval is drawn from counts and takes as
long for a million images as for two hundred. Quantiles of more images than there are quantiles say only to half a step
how many images lie below a value; among very many images chance parts two samples by less than that, so nothing within
that half step is taken for a difference then.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_infer.drift.chances import chi_squared_tail, kolmogorov_tail

__all__ = ["BINS", "Distance", "Sample", "kolmogorov_smirnov", "stability_index"]

#: Of the PSI: as many values of the reference lie in each, as far as there are no ties.
BINS = 10

_DRAWS = 200
_SURE = 0.05
_SMOOTH = 0.5  # an empty bin would be infinitely far
#: A resolution that is finer than this share of what chance gives is left aside: it hardly adds to it.
_HARDLY = 1 / 32

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """One figure of one test.

    Attributes:
        value: 0 where nothing differs, or no more than by chance.
        low: Of the 95 % interval; None where none was asked for.
        high: Of the 95 % interval.
        p: How likely chance alone is to give as much.
        by_chance: What chance alone gives on average.
    """

    value: float
    low: float | None
    high: float | None
    p: float
    by_chance: float


class Sample:
    """A window's values between the reference's quantiles.

    Args:
        reference: (Q,), rising, each as likely as the next.
        reference_n: How many independent images the reference is worth.
        window: (N,).
        resolution: How far the reference's distribution may lie from what its values say; 0 where they are all that
            there are. Larger values are left aside where chance gives much more.
    """

    def __init__(
        self,
        reference: _Floats,
        reference_n: float,
        window: _Floats,
        *,
        resolution: float = 0.0,
    ) -> None:
        self.n, self.m = len(window), reference_n
        chance = (1 / self.n + 1 / self.m) ** 0.5
        self.resolution = resolution if resolution > _HARDLY * chance else 0.0
        known = np.unique(reference)
        # Cells in turn: below the first value, the value itself, between it and the next, ... : (2 K + 1,)
        size = 2 * len(known) + 1
        self.counts = np.bincount(_cells(known, window), minlength=size).astype(np.float64)
        self.reference = np.bincount(_cells(known, reference), minlength=size) / len(reference)
        edges = np.unique(np.quantile(reference, np.arange(1, BINS) / BINS, method="inverted_cdf"))
        at_value = np.searchsorted(edges, known, "left")  # bins end with their edge
        between = np.append(np.searchsorted(edges, known, "right"), len(edges))
        self.bins = np.empty(size, dtype=np.int64)
        self.bins[1::2] = at_value
        # The cell before a value lies in the bin behind the value before.
        self.bins[0], self.bins[2::2] = 0, between[:-1]

    @functools.cached_property
    def drawn(self) -> tuple[_Floats, _Floats]:
        """Shares of window and reference, each drawn anew from itself: (draws, cells)."""
        generator = np.random.default_rng(0)
        m = max(1, round(self.m))
        windows = generator.multinomial(self.n, self.counts / self.n, _DRAWS) / self.n
        references = generator.multinomial(m, self.reference, _DRAWS) / m
        return windows, references


def kolmogorov_smirnov(sample: Sample, *, intervals: bool = True) -> Distance:
    """Return the largest difference of the two distribution functions, 0 to 1."""
    value = float(_ks(sample.counts / sample.n, sample.reference, sample.resolution))
    harmonic = 1 / sample.n + 1 / sample.m
    p = kolmogorov_tail(value, sample.n, sample.m)
    chance = float(0.8687 * harmonic**0.5)  # sqrt(pi / 2) ln 2, the mean of Kolmogorov's law
    low = high = None
    if intervals:
        drawn = _ks(*sample.drawn, sample.resolution)
        least, most = np.percentile(drawn, [2.5, 97.5]).tolist()
        # The basic bootstrap, since any noise is a distance and a percentile's interval lies too high; near 0, where
        # all that is drawn is further than what was found, what is drawn less chance.
        low = 0.0 if p > _SURE else max(0.0, 2 * value - most)
        high = min(1.0, max(2 * value - least, most - chance, value))
    return Distance(value=value, low=low, high=high, p=p, by_chance=chance)


def stability_index(sample: Sample, *, intervals: bool = True) -> Distance:
    """Return the population stability index over ten bins, less what chance gives.

    Without drift the index is spread as chi-squared with one degree less than bins, times 1/n + 1/m (Yurdakul 2018), so
    that its mean is above 0, and the further the fewer images there are. That mean is taken off, or the usual limits
    would be exceeded by 200 images without drift.
    """
    size = int(sample.bins[-1]) + 1
    freedom = size - 1

    in_bin = (sample.bins[:, None] == np.arange(size)) * 1.0  # (cells, bins)

    def index(window: _Floats, reference: _Floats) -> _Floats:
        seen = window @ in_bin
        known = _nearest(reference @ in_bin, seen, sample.resolution)
        first, second = (
            (shares * total + _SMOOTH) / (total + _SMOOTH * size)
            for shares, total in ((seen, sample.n), (known, sample.m))
        )
        return np.asarray(((first - second) * np.log(first / second)).sum(axis=-1))

    harmonic = 1 / sample.n + 1 / sample.m
    chance = freedom * harmonic
    found = float(index(sample.counts / sample.n, sample.reference))
    value = max(0.0, found - chance)
    low = high = None
    if intervals:  # what is drawn from a draw differs by chance twice
        drawn = np.percentile(index(*sample.drawn), [2.5, 97.5]) - 2 * chance
        low, high = min(value, max(0.0, float(drawn[0]))), max(value, float(drawn[1]))
    return Distance(
        value=value,
        low=low,
        high=high,
        p=chi_squared_tail(found / harmonic, freedom),
        by_chance=chance,
    )


def _cells(known: _Floats, values: _Floats) -> NDArray[np.int64]:
    return np.asarray(
        np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right"),
        dtype=np.int64,
    )


def _ks(window: _Floats, reference: _Floats, resolution: float) -> _Floats:
    """Return the distance of each row's cells beyond the resolution: (..., cells) -> (...,)."""
    furthest = np.abs(np.cumsum(window - reference, axis=-1)).max(axis=-1)
    return np.asarray(np.maximum(furthest - resolution, 0.0))


def _nearest(reference: _Floats, window: _Floats, resolution: float) -> _Floats:
    """Return the reference's shares of bins, each bin's end moved towards the window's as far as it may lie there.

    Args:
        reference: (..., bins).
        window: (..., bins).
        resolution: Of the share that lies below a bin's end.
    """
    if not resolution:
        return reference
    ends = np.cumsum(reference, axis=-1)
    ends += np.clip(np.cumsum(window, axis=-1) - ends, -resolution, resolution)
    return np.asarray(np.diff(ends, axis=-1, prepend=0.0))
