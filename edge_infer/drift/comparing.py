"""A window of results against a baseline: every group, every test, one correction, one verdict."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_infer.baseline.parts import Baseline, Points
from edge_infer.drift.chances import holm
from edge_infer.drift.fitting import LEAST_REFERENCE
from edge_infer.drift.limits import verdict_on
from edge_infer.drift.observing import MEASURES, Observations
from edge_infer.drift.projection import PROJECTION
from edge_infer.drift.testing import LEAST_POINTS, LEAST_WINDOW, SHARES, group_tests
from edge_infer.names import shown_names

__all__ = ["Verdict", "compare"]

Verdict = Literal["drift", "no sign", "too few", "nothing to test"]

#: The largest are judged, the others are counted only: each more makes every test less sure.
_MOST_GROUPS = 50


def compare(
    baseline: Baseline,
    seen: Observations,
    limits: Mapping[str, float],
    *,
    by: str | None = None,
    former: Observations | None = None,
    intervals: bool = True,
) -> dict[str, Any]:
    """Return what differs, as JSON.

    Args:
        baseline: What it is compared with.
        seen: The window.
        limits: Of ``limits_with``.
        by: Also judge each class, plane or device by itself: ``label``, ``plane`` or ``device``.
        former: What the baseline was made of, where it is older results.
        intervals: See ``group_tests``.
    """
    groups = [_group(baseline, seen, None, None, limits, known=None, intervals=intervals)]
    names = _names(seen, by)
    known = _known(baseline, former, by)
    groups += [
        _group(
            baseline,
            seen,
            by,
            name,
            limits,
            known=None if known is None else known.get(name, 0),
            intervals=intervals,
        )
        for name in sorted(names[:_MOST_GROUPS])
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
        "groups_left_out": max(0, len(names) - _MOST_GROUPS),
        "of_unknown_group": seen.named(by).count("") if by else 0,
        "not_tested": list(_not_tested(baseline, groups, limits, by, former)),
        "warnings": list(_warnings(baseline, seen, former)),
    }


def _names(seen: Observations, by: str | None) -> list[str]:
    """Return the groups, those of the most images first; none where none are asked for."""
    counts = Counter(seen.named(by)) if by is not None else Counter[str]()
    return sorted(set(counts) - {""}, key=lambda name: (-counts[name], name))


def _known(
    baseline: Baseline, former: Observations | None, by: str | None
) -> Mapping[str, int] | None:
    """Return how many images of each group there are to compare with, however few; None where that is not known."""
    if by is None:
        return None
    if former is not None:
        return {name: n for name, n in Counter(former.named(by)).items() if name}
    shares = baseline.parts[0].shares
    return shares[by].counts if by in shares else None


def _group(
    baseline: Baseline,
    seen: Observations,
    by: str | None,
    name: str | None,
    limits: Mapping[str, float],
    *,
    known: int | None,
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
    if len(rows) < LEAST_WINDOW:
        state = "too few"
    elif part is None:
        state = "no reference"
    else:
        state = "tested" if tests else "nothing to test"
    against = "all images" if by is None else f"{by} {name}"
    return {
        "by": by,
        "name": name,
        "n": len(rows),
        "against": "" if part is None else against,
        "reference_n": known if part is None else part.n,
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
    baseline: Baseline,
    groups: Sequence[Mapping[str, Any]],
    limits: Mapping[str, float],
    by: str | None,
    former: Observations | None,
) -> Iterator[str]:
    """Yield what the results or the baseline do not say."""
    if groups[0]["state"] == "too few":
        return
    if by is not None and not any(one.by == by for one in baseline.parts):
        what = "baseline" if former is None else "older results"
        yield f"each {by} by itself: {_why_no_parts(what, by, _known(baseline, former, by))}"
    if set(limits) == {"alpha"}:
        yield "every test is off"
    tested = _tested(groups[0])
    if {"ks", "psi"} & set(limits):
        yield from _values_not_tested(baseline, tested)
    if "share" in limits:
        unknown = [kind for kind in SHARES if kind not in baseline.parts[0].shares]
        if unknown:
            yield f"shares of {', '.join(unknown)}: the baseline does not hold them"
    if "two_sample" in limits:
        yield from _embeddings_not_tested(baseline, groups, by)


def _why_no_parts(what: str, by: str, known: Mapping[str, int] | None) -> str:
    """Return why no group can be compared with its own.

    Args:
        what: The older results, or the baseline.
        by: What the groups are.
        known: Of ``_known``.
    """
    most = max(known.values(), default=0) if known is not None else LEAST_REFERENCE
    if not most:
        return f"the {what} do not say of any image which {by} it is of"
    if most < LEAST_REFERENCE:
        has = "has" if what == "baseline" else "have"
        return (
            f"the {what} {has} at most {most} images of one {by}, and {LEAST_REFERENCE} are needed"
        )
    return f"the {what} holds none (older results may: --against)"


def _values_not_tested(baseline: Baseline, tested: Collection[str]) -> Iterator[str]:
    known = baseline.parts[0].quantiles
    absent = [name for name in MEASURES if name not in known]
    if absent:
        yield f"{', '.join(absent)}: the baseline does not hold them"
    few = [name for name in MEASURES if name in known and name not in tested]
    if few:
        yield f"{', '.join(few)}: fewer than {LEAST_WINDOW} of the results hold them"


def _embeddings_not_tested(
    baseline: Baseline, groups: Sequence[Mapping[str, Any]], by: str | None
) -> Iterator[str]:
    without = [
        group["name"]
        for group in groups[1:]
        if group["state"] == "tested" and "embedding" not in _tested(group)
    ]
    if "embedding" in _tested(groups[0]):
        if without:
            why = (
                f"fewer than {LEAST_WINDOW} of the results hold them, or fewer than {LEAST_POINTS} of the baseline"
                if by == "label"
                else f"which {by} the baseline's are of is not kept"
            )
            yield f"embeddings of {by} {shown_names(without)} alone: {why}"
    elif baseline.points is None:
        yield "embeddings: the baseline holds none"
    elif baseline.points.projection != PROJECTION:
        yield f"embeddings: the baseline's projection is {baseline.points.projection}, known is {PROJECTION}"
    elif len(baseline.points.values) < LEAST_POINTS:
        yield f"embeddings: the baseline holds those of fewer than {LEAST_POINTS} images"
    else:
        yield f"embeddings: fewer than {LEAST_WINDOW} of the results hold them (brain-batch --embeddings)"


def _tested(group: Mapping[str, Any]) -> set[str]:
    return {test["measure"] for test in group["tests"]}


def _warnings(baseline: Baseline, seen: Observations, former: Observations | None) -> Iterator[str]:
    alone = len(seen) - seen.of_series
    if alone:
        yield (
            f"of {alone} images the series is not known, so each counts by itself: if several are of one patient, "
            "chance looks like drift more often than stated"
        )
    if former is not None:
        yield from _warnings_of_former(seen, former)
    if seen.of_series or (former is not None and former.of_series):
        yield "several series of one patient count separately, as if they were of several"
    if baseline.groups < baseline.n:
        yield (
            f"the baseline's {baseline.n} images are of {baseline.groups} patients, each image of an unknown one "
            "counted as one, which is taken off its n for each measure"
        )


def _warnings_of_former(seen: Observations, former: Observations) -> Iterator[str]:
    alone = len(former) - former.of_series
    if alone:
        yield (
            f"of {alone} of the {len(former)} older images the series is not known, so each counts by itself: if "
            "several are of one patient, they are worth fewer, and chance looks like drift more often than stated"
        )
    if len(seen) and bool(seen.of_series) != bool(former.of_series):
        yield (
            f"one image of each series was drawn of the {'new' if seen.of_series else 'older'} results only: another "
            "mix of images is drift, too"
        )
