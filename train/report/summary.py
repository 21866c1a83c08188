"""The numbers of a report: what summary.json holds and the page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypeAlias

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.version import __version__
from train.evaluation.answers import Answers
from train.metrics.figures import wilson_interval
from train.metrics.missed import missed_in
from train.report.bundles import BundleFacts
from train.report.data import DataFacts
from train.report.first_reports import first_report_figures
from train.report.runs import RunFacts

__all__ = ["SplitCheck", "split_check", "summarize"]

#: Whether the split a run was trained on leaks: no leak found, leaks found, data of another set, no data given.
SplitCheck: TypeAlias = Literal["clean", "leaks", "other data", "not checked"]


def summarize(
    runs: Sequence[RunFacts],
    bundles: Mapping[int, Mapping[str, BundleFacts]],
    data: DataFacts | None,
    *,
    command: str,
    made_on: str,
) -> dict[str, Any]:
    """Return all numbers; figures are shares with ``value``, ``low``, ``high`` and ``n`` as in metrics.json.

    Args:
        runs: At least one.
        bundles: By the run's number and by precision.
        data: The data set, if given.
        command: How the report was made.
        made_on: The day, as YYYY-MM-DD.
    """
    return {
        "schema_version": 1,
        "research_use_only": RESEARCH_USE_ONLY,
        "made_on": made_on,
        "command": command,
        "brain_edge": __version__,
        "classes": list(runs[0].checkpoint.classes.names),
        "runs": [_run(run, bundles.get(run.number, {}), data) for run in runs],
        # Those of brain tumours say nothing beside other classes.
        "seed_figures": first_report_figures() if runs[0].checkpoint.classes.is_brain else [],
        "data": None if data is None else _data(data),
    }


def split_check(run: RunFacts, data: DataFacts | None) -> SplitCheck:
    """Return what is known about the split a run was trained on."""
    if data is None:
        return "not checked"
    if run.known.get("data_sha256") != data.sha256:
        return "other data"
    return "leaks" if data.leaks else "clean"


def _run(
    run: RunFacts, bundles: Mapping[str, BundleFacts], data: DataFacts | None
) -> dict[str, Any]:
    best = run.curves.best
    return {
        "number": run.number,
        "name": run.name,
        "model": run.model,
        "parameters": run.parameters,
        "epochs": run.curves.epochs or None,
        "best_epoch": None if best is None else round(best[0]),
        "seconds": run.known.get("seconds"),
        "n_train": run.known.get("n_train"),
        "n_val": run.known.get("n_val"),
        "best_val_accuracy": _best_val_accuracy(run),
        "val": None if run.val is None else _part(run.val),
        "test": None if run.test is None else {**_part(run.test), **_of_curves(run.test)},
        "split_check": split_check(run, data),
        "bundles": {precision: asdict(facts) for precision, facts in sorted(bundles.items())},
        "recipe": run.recipe,
        "seed": run.recipe.get("seed"),
        "data": run.known.get("data"),
        "data_sha256": run.known.get("data_sha256"),
        "teacher": _shared(run.known.get("teacher")),
        "weights": _shared(run.known.get("weights")),
        "versions": run.known.get("versions") or {},
        "command": _command(run),
    }


def _best_val_accuracy(run: RunFacts) -> dict[str, Any] | None:
    """Return the accuracy that chose the epoch; optimistic, since it is the best of several."""
    value, n = run.known.get("best_val_accuracy"), run.known.get("n_val")
    if value is None or not n:
        return None
    return asdict(wilson_interval(round(value * n), n))


def _part(answers: Answers) -> dict[str, Any]:
    metrics = answers.metrics
    missed = missed_in(metrics["model"])
    return {
        "title": metrics.get("title", ""),
        "missed": missed and {"key": missed[0], "words": missed[1]},
        "model": metrics["model"],
        "baselines": metrics.get("baselines", {}),
    }


def _of_curves(answers: Answers) -> dict[str, Any]:
    """Return the figures that metrics.json lacks, from the probabilities."""
    return {
        "average_precision": answers.average_precision(),
        "expected_calibration_error": answers.calibration_error(),
    }


def _data(data: DataFacts) -> dict[str, Any]:
    return {
        "name": data.name,
        "sha256": data.sha256,
        "pictures": data.images,
        "counted": data.counted,
        "groups": data.groups,
        "label_conflicts": data.label_conflicts,
        "copies": data.copies,
        "leaks": bool(data.leaks),
        "leaking_groups": len(data.leaks.groups),
        "leaking_copies": len(data.leaks.copies),
        "leaking_pictures": data.leaks.images,
    }


def _command(run: RunFacts) -> str | None:
    """Return how the run was started, as its own evaluation states; one by a later ``evaluate`` does not."""
    for answers in (run.test, run.val):
        command = answers.metrics.get("provenance", {}).get("command") if answers else None
        if command and not str(command).startswith("brain-train evaluate "):
            return str(command)
    return None


def _shared(path: str | None) -> str | None:
    """Shorten an absolute path to its name: reports travel."""
    return Path(path).name if path and Path(path).is_absolute() else path
