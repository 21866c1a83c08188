"""The evaluations of k folds in one: mean, spread, and the figures of all their images together."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_infer.classes import Classes
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import DataRefused, UnreadableInput
from train.evaluation.saved import SavedEvaluation, read_evaluation
from train.metrics.figures import classification_metrics
from train.metrics.missed import classes_of_metrics, missed_in
from train.metrics.text import aligned, percent

__all__ = ["fold_summary", "fold_summary_rows", "fold_summary_text"]

_FIGURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy",
}

_HEAD = ("mean of the folds", "standard deviation", "least..most", "pooled (95 % interval)", "n")


def fold_summary(folders: Sequence[Path]) -> dict[str, Any]:
    """Read the evaluations of k folds.

    Args:
        folders: Each as ``brain-train evaluate`` writes it: metrics.json and predictions.csv.

    Returns:
        ``mean``, ``standard_deviation`` (of a sample) and the values of each figure over the folds; ``pooled``, as in
        metrics.json, of all images together; title, n and command of each fold.

    Raises:
        UnreadableInput: A file is missing or not an evaluation.
        DataRefused: Fewer than two folds, folds of different classes, or an image or patient is tested in two of them.
    """
    if len(folders) < 2:
        raise DataRefused(f"found {len(folders)} evaluation, expected those of two or more folds")
    folds = [read_evaluation(folder) for folder in folders]
    _refuse_overlap(folds, "name", "images")
    _refuse_overlap(folds, "group", "patient groups")
    answers = [answer for fold in folds for answer in fold.answers]
    try:
        classes = _shared_classes(folds)
        labels = np.array([classes.names.index(answer["label"]) for answer in answers])
        probabilities = np.array(
            [[float(answer[f"p_{name}"]) for name in classes.names] for answer in answers]
        )
        over_folds = {key: _over(folds, key) for key in _figures(folds[0].metrics["model"])}
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableInput(
            f"an evaluation lacks fields that are written today ({error})"
        ) from error
    groups = [answer["group"] for answer in answers]
    return {
        "kind": "folds",
        "research_use_only": RESEARCH_USE_ONLY,
        "titles": [fold.title for fold in folds],
        "commands": [fold.command for fold in folds],
        "n": [fold.metrics["model"]["n"] for fold in folds],
        "over_folds": over_folds,
        "pooled": classification_metrics(labels, probabilities, classes, groups=groups),
    }


def fold_summary_text(summary: Mapping[str, Any]) -> str:
    """Render a summary for the terminal."""
    sizes, pooled = " + ".join(map(str, summary["n"])), summary["pooled"]
    first = f"{len(summary['n'])} folds, n {sizes} = {pooled['n']}, {pooled['groups']} groups"
    return "\n".join([first, *aligned(fold_summary_rows(summary))])


def fold_summary_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the table; its first row is the head."""
    pooled = summary["pooled"]
    rows: list[tuple[str, ...]] = [("", *_HEAD)]
    for key, name in _figures(pooled).items():
        its = summary["over_folds"][key]
        least, most = min(its["values"]), max(its["values"])
        rows.append(
            (
                name,
                f"{100 * its['mean']:.2f} %",
                f"{100 * its['standard_deviation']:.2f}",
                f"{100 * least:.1f}..{100 * most:.1f}",
                percent(pooled[key]),
                str(pooled[key]["n"]),
            )
        )
    by_group = percent(pooled["accuracy_by_group"])
    rows.append(("accuracy, by patient group", "", "", "", by_group, str(pooled["n"])))
    for name, its in pooled["per_class"].items():
        recall = its["recall"]
        rows.append((f"recall {name}", "", "", "", percent(recall), str(recall["n"])))
    return rows


def _figures(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures of a table and their names; what was missed is one if there is a negative class."""
    return {**_FIGURES, **dict(filter(None, [missed_in(metrics)]))}


def _shared_classes(folds: Sequence[SavedEvaluation]) -> Classes:
    first, *others = [classes_of_metrics(fold.metrics["model"]) for fold in folds]
    for fold, classes in zip(folds[1:], others, strict=True):
        if classes != first:
            raise DataRefused(
                f"{fold.folder}: has other classes than {folds[0].folder}",
                hint="give the folds of one data set",
            )
    return first


def _over(folds: Sequence[SavedEvaluation], key: str) -> dict[str, Any]:
    values = [float(fold.metrics["model"][key]["value"]) for fold in folds]
    return {
        "mean": statistics.fmean(values),
        "standard_deviation": statistics.stdev(values),
        "values": values,
    }


def _refuse_overlap(folds: Sequence[SavedEvaluation], column: str, what: str) -> None:
    seen: dict[str, Path] = {}
    for fold in folds:
        names = {answer.get(column, "") for answer in fold.answers} - {""}
        twice = names & seen.keys()
        if twice:
            other = seen[min(twice)]
            raise DataRefused(
                f"{len(twice)} {what} of {fold.folder} are also tested in {other}",
                hint="give one evaluation of the test part of each fold",
            )
        seen |= dict.fromkeys(names, fold.folder)
