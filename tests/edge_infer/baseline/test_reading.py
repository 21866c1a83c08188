"""A baseline is read as it was fitted, or refused."""

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from drifting import drawn

from edge_infer.baseline.reading import _WIDTHS, packed, read_baseline, read_drift
from edge_infer.contract import LABELS
from edge_infer.drift.fitting import fit_baseline
from edge_infer.drift.observing import MEASURES
from edge_infer.drift.projection import DIMENSIONS, PROJECTION
from edge_infer.errors import BundleIncompatible

FITTED = fit_baseline(drawn(400, 0), labels=LABELS, source="drawn answers")

Spoil = Callable[[dict[str, Any]], None]


def test_what_was_fitted_is_read_again() -> None:
    seen = drawn(400, 0)
    baseline = read_baseline(json.loads(json.dumps(FITTED)), LABELS)
    assert (baseline.source, baseline.n, baseline.groups) == ("drawn answers", 400, 400)
    everything = baseline.part(None, None)
    assert everything is not None
    assert set(everything.quantiles) == set(MEASURES)
    for column, name in enumerate(MEASURES):
        values = np.sort(seen.values[:, column].astype(float))
        assert set(everything.quantiles[name]) <= set(values)
        assert np.median(everything.quantiles[name]) == pytest.approx(np.median(values), rel=0.02)
    assert sum(everything.shares["label"].counts.values()) == 400
    assert baseline.points is not None
    assert baseline.points.values.shape == (256, 25)
    assert read_drift(None, LABELS) is None


def test_a_baseline_is_smaller_than_40_kilobytes() -> None:
    large = fit_baseline(drawn(2000, 1), labels=LABELS, source="drawn answers")
    assert len(json.dumps(large)) < 40_000


def _set(path: str, value: object) -> Spoil:
    def spoil(fields: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        place: Any = fields
        for step in steps:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value

    return spoil


NAN = packed(np.full((len(MEASURES), 4), np.nan))
INFINITE = packed(np.tile([0, 1, 2, np.inf], (len(MEASURES), 1)))
FALLING = packed(np.tile(np.arange(4.0)[::-1], (len(MEASURES), 1)))


@pytest.mark.parametrize(
    "spoil",
    [
        _set("version", 2),
        _set("version", True),
        _set("fitted_on", None),
        _set("fitted_on.source", "a\nb"),
        _set("fitted_on.n", 0),
        _set("fitted_on.n", 399),
        _set("fitted_on.groups", 401),
        _set("measures", []),
        _set("measures", ["mean", "mean"]),
        _set("measures.0", {}),
        _set("parts", []),
        _set("parts", {}),
        _set("parts.0", "all"),
        _set("parts.0.by", "patient"),
        _set("parts.0.by", []),
        _set("parts.1.name", "no class"),
        _set("parts.1.name", None),
        _set("parts.0.n", 10**13),
        _set("parts.0.n", 1.5),
        _set("parts.0.effective_n", [1]),
        _set("parts.0.effective_n.0", 0.5),
        _set("parts.0.effective_n.0", float("nan")),
        _set("parts.0.effective_n.0", 401),
        _set("parts.0.quantiles", NAN),
        _set("parts.0.quantiles", INFINITE),
        _set("parts.0.quantiles", FALLING),
        _set("parts.0.quantiles", "not base64!"),
        _set("parts.0.quantiles", "é"),
        _set("parts.0.quantiles", ""),
        _set("parts.0.quantiles", base64.b64encode(b"abc").decode()),
        _set("parts.0.quantiles", 5),
        _set("parts.0.shares", []),
        _set("parts.0.shares.label", None),
        _set("parts.0.shares.label.counts", {"glioma": 1}),
        _set("parts.0.shares.label.counts.glioma", -1),
        _set("parts.0.shares.label.effective_n", 0),
        _set("embedding", []),
        _set("embedding.projection", 1),
        _set("embedding.labels", packed(np.full(256, 4), "<u1")),
        _set("embedding.labels", ""),
        _set("embedding.values", NAN),
        _set("embedding.values", packed(np.full((256, 25), np.nan))),
        _set("embedding.values", packed(np.zeros((256, 24)))),
        _set("embedding.effective_n", 257),
    ],
)
def test_what_cannot_be_computed_with_is_refused(spoil: Spoil) -> None:
    fields = copy.deepcopy(FITTED)
    read_baseline(fields, LABELS)
    spoil(fields)
    with pytest.raises(BundleIncompatible, match=r"manifest\.json: drift"):
        read_baseline(fields, LABELS)


def test_points_of_an_unknown_projection_are_as_wide_as_they_are() -> None:
    fields = copy.deepcopy(FITTED)
    fields["embedding"] |= {"projection": "other", "values": packed(np.zeros((256, 24)))}
    points = read_baseline(fields, LABELS).points
    assert points is not None
    assert points.values.shape == (256, 24)
    assert _WIDTHS == {PROJECTION: DIMENSIONS}


def test_the_first_part_is_of_all_images_and_none_comes_twice() -> None:
    fields = copy.deepcopy(FITTED)
    fields["parts"] = [*fields["parts"], fields["parts"][0]]
    with pytest.raises(BundleIncompatible, match="each once"):
        read_baseline(fields, LABELS)
    with pytest.raises(BundleIncompatible, match="all images first"):
        read_baseline({**FITTED, "parts": FITTED["parts"][1:] or FITTED["parts"][:0]}, LABELS)
