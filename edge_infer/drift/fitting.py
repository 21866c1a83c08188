"""Observations into a baseline, as a manifest holds it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.baseline.reading import BASELINE_VERSION, packed
from edge_infer.drift.observing import MEASURES, Observations
from edge_infer.drift.projection import PROJECTION

__all__ = ["LEAST_REFERENCE", "fit_baseline"]

#: A part of fewer images is left out: what differs from it differs from chance.
LEAST_REFERENCE = 100

_QUANTILES, _QUANTILES_OF_PART, _POINTS, _MOST_PARTS = 256, 64, 256, 60
_KINDS = ("label", "decision", "reason")


def fit_baseline(
    seen: Observations,
    *,
    labels: Sequence[str],
    source: str,
    groups: Sequence[str] = (),
    by: Sequence[str] = ("label",),
    with_points: bool = True,
) -> dict[str, Any]:
    """Return a baseline: ``drift`` of a manifest.

    Args:
        seen: At least one image; measures that one of them lacks are left out.
        labels: Of the bundle.
        source: What the images are, in words.
        groups: The patient of each image, empty where unknown; none if none is known.
        by: Which parts it has beside all images, where they have 100 images or more.
        with_points: Whether it holds projected embeddings of up to 256 single images.

    Raises:
        ValueError: There is no image.
    """
    if not len(seen):
        raise ValueError("a baseline needs images")
    ids = _group_ids(groups or [""] * len(seen))
    is_whole = np.atleast_1d(np.isfinite(seen.values).all(axis=0))
    measures = [name for name, is_kept in zip(MEASURES, is_whole.tolist(), strict=True) if is_kept]
    values = seen.values[:, is_whole].astype(np.float64)
    everything = np.arange(len(seen))
    parts = [_part(None, None, everything, values, seen, ids, labels, _QUANTILES)]
    for kind in by:
        names = np.array(seen.named(kind))
        for name in _largest(seen.named(kind), _MOST_PARTS - len(parts)):
            rows = np.flatnonzero(names == name)
            parts.append(_part(kind, name, rows, values, seen, ids, labels, _QUANTILES_OF_PART))
    return {
        "version": BASELINE_VERSION,
        "fitted_on": {"source": source, "n": len(seen), "groups": int(ids.max()) + 1},
        "measures": measures,
        "parts": parts,
        "embedding": _points(seen, ids, labels) if with_points else None,
    }


def _largest(names: Sequence[str], most: int) -> list[str]:
    """Return the names that enough images have, in order; of too many names, those of the most images."""
    counts = Counter(names)
    usable = [name for name in counts if name and counts[name] >= LEAST_REFERENCE]
    return sorted(sorted(usable, key=lambda name: (-counts[name], name))[:most])


def _part(
    by: str | None,
    name: str | None,
    rows: NDArray[np.intp],
    values: NDArray[np.float64],
    seen: Observations,
    ids: NDArray[np.int64],
    labels: Sequence[str],
    most: int,
) -> dict[str, Any]:
    own, own_ids = values[rows], ids[rows]
    points = min(len(rows), most)
    middles = (np.arange(points) + 0.5) / points
    quantiles = np.quantile(own, middles, axis=0, method="inverted_cdf").T  # (measures, points)
    ranks = np.argsort(np.argsort(own, axis=0, kind="stable"), axis=0, kind="stable")
    shares = {}
    for kind in _KINDS:
        names = np.array(seen.named(kind))[rows]
        known = labels if kind == "label" else sorted(set(names.tolist()))
        one_hot = names[:, None] == np.array(known)
        counted = Counter(names.tolist())
        shares[kind] = {
            "counts": {one: counted[one] for one in known},
            "effective_n": _effective(one_hot.astype(np.float64), own_ids, together=True)[0],
        }
    return {
        "by": by,
        "name": name,
        "n": len(rows),
        "effective_n": _effective(ranks.astype(np.float64), own_ids),
        "quantiles": packed(quantiles),
        "shares": shares,
    }


def _points(
    seen: Observations, ids: NDArray[np.int64], labels: Sequence[str]
) -> dict[str, Any] | None:
    """Return projected embeddings of up to 256 images, drawn so that they stand for all.

    At random: patients spread evenly would be another mix of classes, from which a window like all images differs.
    """
    usable = np.flatnonzero(np.isfinite(seen.points).all(axis=1))
    if len(usable) < LEAST_REFERENCE:
        return None
    drawn = np.random.default_rng(0).permutation(len(usable))[:_POINTS]
    rows = usable[np.sort(drawn)]
    values = seen.points[rows]
    classes = [labels.index(seen.labels[row]) for row in rows.tolist()]
    return {
        "projection": PROJECTION,
        "effective_n": _effective(values.astype(np.float64), ids[rows], together=True)[0],
        "labels": packed(np.array(classes), "<u1"),
        "values": packed(values),
    }


def _group_ids(groups: Sequence[str]) -> NDArray[np.int64]:
    """Return a number for each image's patient, from 0; an unknown one is a patient of its own."""
    numbers: dict[str, int] = {}
    names = [group or f"image {row}" for row, group in enumerate(groups)]
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _effective(
    columns: NDArray[np.float64], ids: NDArray[np.int64], *, together: bool = False
) -> list[float]:
    """Return how many independent images would give as sure a mean: n over Kish's design effect, from 1 to n.

    Images of one patient repeat each other. The effect is that of the variance between sums of patients; of a table's
    columns together, Rao and Scott's mean (1984).

    Args:
        columns: (N, K).
        ids: (N,), of patients, from 0.
        together: Return one number for all columns, instead of one for each.
    """
    n = len(columns)
    offset = columns - columns.mean(axis=0)
    sums = np.zeros((int(ids.max()) + 1, columns.shape[1]))
    np.add.at(sums, ids, offset)
    between, alone = (sums**2).sum(axis=0), (offset**2).sum(axis=0)
    if together:
        scale = np.maximum(alone, 1e-12)  # each column counts alike
        varies = alone > 1e-12
        effects = np.array([(between / scale)[varies].mean() if varies.any() else 1.0])
    else:
        effects = np.where(alone > 1e-12, between / np.maximum(alone, 1e-12), 1.0)
    return [round(float(np.clip(n / max(effect, 1.0), 1, n)), 1) for effect in effects]
