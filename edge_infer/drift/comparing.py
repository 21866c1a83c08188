"""A window of results against a baseline: every group, every test, one correction, one verdict."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_infer.baseline.parts import Baseline, Points
from edge_infer.drift.chances import holm
from edge_infer.drift.limits import verdict_on
from edge_infer.drift.observing import MEASURES, Observations
from edge_infer.drift.projection import PROJECTION
from edge_infer.drift.testing import LEAST_WINDOW, group_tests

__all__ = ["Verdict", "compare"]

Verdict = Literal["drift", "no sign", "too few", "nothing to test"]

#: Groups beyond them are listed by number only: each more makes every test less sure.
_MOST_GROUPS = 50


def compare(
    baseline: Baseline,
    seen: Observations,
    limits: Mapping[str, float],
    *,
    by: str | None = None,
    intervals: bool = True,
) -> dict[str, Any]:
    """Return what differs, as JSON.

    Args:
        baseline: What it is compared with.
        seen: The window.
        limits: Of ``limits_with``.
        by: Also judge each class, plane or device by itself: ``label``, ``plane`` or ``device``.
        intervals: See ``group_tests``.
    """
    groups = [_group(baseline, seen, None, None, limits, intervals=intervals)]
    if by is not None:
        names = sorted(set(seen.named(by)) - {""})
        groups += [
            _group(baseline, seen, by, name, limits, intervals=intervals)
            for name in names[:_MOST_GROUPS]
        ]
    tests = [test for group in groups for test in group["tests"]]
    alpha = limits["alpha"]
    for test, adjusted in zip(tests, holm([test["p"] for test in tests]), strict=True):
        most = limits[test["test"]]
        test |= {
            "p_adjusted": adjusted,
            "limit": most,
            "verdict": verdict_on(adjusted, test["value"], alpha, most),
        }
    return {
        "verdict": _overall(groups),
        "drifted": [
            {
                "by": group["by"],
                "name": group["name"],
                "measure": test["measure"],
                "test": test["test"],
            }
            for group in groups
            for test in group["tests"]
            if test["verdict"] == "drift"
        ],
        "tests": len(tests),
        "correction": "Holm, over all tests",
        "least_n": LEAST_WINDOW,
        "limits": dict(limits),
        "by": by,
        "groups": groups,
        "groups_left_out": max(0, len(set(seen.named(by)) - {""}) - _MOST_GROUPS) if by else 0,
        "of_unknown_group": seen.named(by).count("") if by else 0,
        "not_tested": list(_not_tested(baseline, groups[0], limits, by)),
        "warnings": list(_warnings(baseline, seen)),
    }


def _group(
    baseline: Baseline,
    seen: Observations,
    by: str | None,
    name: str | None,
    limits: Mapping[str, float],
    *,
    intervals: bool,
) -> dict[str, Any]:
    rows: NDArray[np.intp] = np.arange(len(seen))
    if by is not None:
        names = seen.named(by)
        rows = np.array([row for row in rows.tolist() if names[row] == name], dtype=np.intp)
    part = baseline.part(by, name)
    tests: list[dict[str, Any]] = []
    if part is not None and len(rows) >= LEAST_WINDOW:
        points = _points(baseline, by, name)
        tests = list(group_tests(seen, rows, part, points, limits, intervals=intervals))
    if part is None:
        state = "no reference"
    elif len(rows) < LEAST_WINDOW:
        state = "too few"
    else:
        state = "tested" if tests else "nothing to test"
    against = "all images" if by is None else f"{by} {name}"
    return {
        "by": by,
        "name": name,
        "n": len(rows),
        "against": "" if part is None else against,
        "reference_n": None if part is None else part.n,
        "state": state,
        "tests": tests,
    }


def _points(baseline: Baseline, by: str | None, name: str | None) -> Points | None:
    points = baseline.points
    if points is None or by is None:
        return points
    if by != "label" or name is None:
        return None  # which plane or device a point is of is not kept
    of_class = points.labels == baseline.labels.index(name)
    share = float(of_class.mean())
    effective = max(1.0, points.effective_n * share)
    return replace(points, values=points.values[of_class], effective_n=effective)


def _overall(groups: list[dict[str, Any]]) -> Verdict:
    verdicts = {test["verdict"] for group in groups for test in group["tests"]}
    if "drift" in verdicts:
        return "drift"
    state = groups[0]["state"]
    return (
        "no sign" if state == "tested" else "too few" if state == "too few" else "nothing to test"
    )


def _not_tested(
    baseline: Baseline, group: Mapping[str, Any], limits: Mapping[str, float], by: str | None
) -> Iterator[str]:
    """Yield what the results or the baseline do not say."""
    if by is not None and not any(one.by == by for one in baseline.parts):
        yield f"each {by} by itself: the baseline holds none (older results may: --against)"
    if group["state"] == "too few":
        return
    tested = {test["measure"] for test in group["tests"]}
    known = baseline.parts[0].quantiles
    if {"ks", "psi"} & set(limits):
        absent = [name for name in MEASURES if name not in known]
        if absent:
            yield f"{', '.join(absent)}: the baseline does not hold them"
        few = [name for name in MEASURES if name in known and name not in tested]
        if few:
            yield f"{', '.join(few)}: fewer than {LEAST_WINDOW} of the results hold them"
    if "two_sample" in limits and "embedding" not in tested:
        if baseline.points is None:
            yield "embeddings: the baseline holds none"
        elif baseline.points.projection != PROJECTION:
            yield f"embeddings: the baseline's projection is {baseline.points.projection}, known is {PROJECTION}"
        else:
            yield f"embeddings: fewer than {LEAST_WINDOW} of the results hold them (brain-batch --embeddings)"


def _warnings(baseline: Baseline, seen: Observations) -> Iterator[str]:
    alone = len(seen) - seen.of_series
    if alone:
        yield (
            f"of {alone} images the series is not known, so each counts by itself: if several are of one patient, "
            "chance looks like drift more often than stated"
        )
    if seen.of_series:
        yield "several series of one patient count separately, as if they were of several"
    if baseline.groups < baseline.n:
        yield (
            f"the baseline's {baseline.n} images are of {baseline.groups} patients, each image of an unknown one "
            "counted as one, which is taken off its n for each measure"
        )
