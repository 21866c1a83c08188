"""The whole comparison: bundles loaded, asked, measured and judged; the result as JSON holds it."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_infer.bundle import Bundle, shipped_bundle_path
from edge_infer.classifier import Classifier
from edge_infer.comparison.answers import Case
from edge_infer.comparison.asking import Asked, Progress, ask_both
from edge_infer.comparison.bundle_facts import bundle_facts
from edge_infer.comparison.changed import changed_cases
from edge_infer.comparison.changes import decision_changes, label_changes
from edge_infer.comparison.cost import SIDES, measure_cost
from edge_infer.comparison.cost_figures import cost_figures
from edge_infer.comparison.data import Data, find_data
from edge_infer.comparison.judging import judge, overall
from edge_infer.comparison.limits import Limit
from edge_infer.comparison.pairs import Pairs
from edge_infer.comparison.series_figures import series_figures
from edge_infer.comparison.shifts import probability_shift
from edge_infer.comparison.truth import truth_figures
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible, NoInputs
from edge_infer.figures.intervals import GroupBootstrap
from edge_infer.figures.shares import grouped_share
from edge_infer.machine import machine_facts
from edge_infer.names import without_folders

__all__ = ["SCHEMA_VERSION", "SHIPPED", "Comparison", "Wishes", "compare"]

#: The word for the bundle in the package; a folder of this name is ./shipped.
SHIPPED = "shipped"
SCHEMA_VERSION = 1

_MEASURED_IMAGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is compared, and how.

    Attributes:
        old: Folder of the bundle in use, or ``shipped``.
        new: Of the one to take its place, or ``shipped``.
        data: Folder of images and scans.
        table: CSV of labels; None takes folders' names.
        limits: By name.
        device: As for ``Classifier.load``.
        threads: Likewise.
        despite: Refusals of scans to overrule.
        rounds: Turns for time and memory; 0 measures neither.
        thumbnails: Keep small copies of the images.
        command: As typed, for the record.
    """

    old: str
    new: str
    data: Path
    limits: Mapping[str, Limit]
    table: Path | None = None
    device: str = "cpu"
    threads: int | None = None
    despite: Collection[str] = ()
    rounds: int = 30
    thumbnails: bool = False
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of it.

    Attributes:
        result: As JSON holds it.
        pairs: The images that both answered.
    """

    result: dict[str, Any]
    pairs: Pairs = field(repr=False)


def compare(
    wishes: Wishes,
    *,
    asked: Progress = lambda _done, _total: None,
    measured: Callable[[int, int], None] = lambda _done, _total: None,
) -> Comparison:
    """Compare two bundles.

    Args:
        wishes: What, and how.
        asked: Called with (done, total) images.
        measured: Called with (done, total) rounds.

    Raises:
        BundleIncompatible: The bundles tell different classes apart.
        BrainError: A bundle cannot be used, there is nothing to ask about, or a table cannot be used.
        NoInputs: No image has an answer of both.
    """
    old = _load(wishes.old, wishes)
    new = _load(wishes.new, wishes)
    _check_classes(old.bundle, new.bundle)
    classes = old.bundle.classes
    data = find_data(wishes.data, classes.names, wishes.table)
    found = ask_both(
        old, new, data, despite=wishes.despite, thumbnails=wishes.thumbnails, progress=asked
    )
    pairs = Pairs.of(found.cases, classes)
    if not len(pairs):
        raise NoInputs(
            f"no image has an answer of both bundles: {_why_none(found)}",
            hint="try brain-infer on one of them",
        )
    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "kind": "comparison",
        "labels": list(classes.names),
        "negative_label": classes.negative,
        "bundles": {
            "old": bundle_facts(old.bundle, shown=without_folders(wishes.old)),
            "new": bundle_facts(new.bundle, shown=without_folders(wishes.new)),
        },
        "data": _data_facts(data, found, pairs),
        "failures": _failures(found.cases),
        "flips": label_changes(pairs),
        "decisions": decision_changes(pairs),
        "shift": probability_shift(pairs),
        "truth": truth_figures(pairs),
        "series": series_figures(found.series),
        "cost": _cost(wishes, old.bundle, new.bundle, data, pairs, measured),
        "changed": changed_cases(pairs),
    }
    judged = judge(wishes.limits, result)
    result["limits"] = [each.as_json() for each in judged]
    result["verdict"] = overall(judged)
    result["machine"] = machine_facts()
    result["provider"] = old.session.provider
    result["command"] = wishes.command
    result["research_use_only"] = RESEARCH_USE_ONLY
    return Comparison(result=result, pairs=pairs)


def _load(named: str, wishes: Wishes) -> Classifier:
    return Classifier.load(
        shipped_bundle_path() if named == SHIPPED else Path(named),
        device=wishes.device,
        num_threads=wishes.threads,
    )


def _check_classes(old: Bundle, new: Bundle) -> None:
    if set(old.labels) != set(new.labels) or old.classes.negative != new.classes.negative:
        raise BundleIncompatible(
            f"the bundles tell different classes apart: {', '.join(old.labels)} (negative: {old.classes.negative}) "
            f"and {', '.join(new.labels)} (negative: {new.classes.negative})",
            hint="a new set of classes is another tool, not an update: validate it anew",
        )


def _why_none(found: Asked) -> str:
    codes = Counter(
        code for case in found.cases for code in (case.old_error, case.new_error) if code
    )
    codes.update(found.refused)
    return (
        ", ".join(f"{code} {count}" for code, count in codes.most_common()) or "nothing was asked"
    )


def _data_facts(data: Data, found: Asked, pairs: Pairs) -> dict[str, Any]:
    labelled = [case for case in pairs.cases if case.truth is not None]
    per_class = Counter(case.truth for case in labelled)
    return {
        "folder": data.folder.name,
        "images": len(data.images),
        "scans": len(data.scans),
        "asked": len(found.cases),
        "answered_by_both": len(pairs),
        "groups": pairs.groups_among(pairs.everywhere),
        "labels_from": None if not labelled else "folders" if data.table is None else "table",
        "labelled": len(labelled),
        "per_class": {name: per_class[number] for number, name in enumerate(data.labels)},
        "end_slices": found.end_slices,
        "refused": dict(found.refused),
        "left_out": data.left_out,
    }


def _failures(cases: Sequence[Case]) -> dict[str, Any]:
    """Count images without an answer, by code."""
    old = [case.old is not None for case in cases]
    new = [case.new is not None for case in cases]
    return {
        "old": dict(Counter(case.old_error for case in cases if case.old_error)),
        "new": dict(Counter(case.new_error for case in cases if case.new_error)),
        "both": sum(not was and not now for was, now in zip(old, new, strict=True)),
        "newly_failed": _newly_failed(cases),
        "newly_answered": sum(now and not was for was, now in zip(old, new, strict=True)),
    }


def _newly_failed(cases: Sequence[Case]) -> dict[str, Any]:
    """Return the share of images with an answer of the old bundle that have none of the new one."""
    answered = [case for case in cases if case.old is not None]
    lost = np.array([case.new is None for case in answered], dtype=np.bool_)
    bootstrap = GroupBootstrap(len(answered), groups=[case.group for case in answered])
    return grouped_share(lost, np.ones_like(lost), bootstrap)


def _cost(
    wishes: Wishes,
    old: Bundle,
    new: Bundle,
    data: Data,
    pairs: Pairs,
    measured: Callable[[int, int], None],
) -> dict[str, Any] | None:
    if not wishes.rounds:
        return None
    answered = {case.name for case in pairs.cases}
    usable = [path for path in data.images if data.shown(str(path)) in answered]
    step = max(1, len(usable) // _MEASURED_IMAGES)
    images = usable[::step][:_MEASURED_IMAGES]
    costs = measure_cost(
        dict(zip(SIDES, (old.path, new.path), strict=True)),
        images,
        rounds=wishes.rounds,
        device=wishes.device,
        threads=wishes.threads,
        progress=measured,
    )
    return {"images": len(images), **cost_figures(costs)}
