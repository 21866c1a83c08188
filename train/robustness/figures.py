"""The figures of one cell of the robustness table."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from train.metrics.figures import GroupBootstrap, macro_f1, wilson_interval
from train.metrics.missed import missed_key

__all__ = ["cell_figures", "mean_figures"]


def cell_figures(
    labels: NDArray[np.int64],
    answers: NDArray[np.int64],
    bootstrap: GroupBootstrap,
    right_before: NDArray[np.bool_],
    classes: Classes = BRAIN,
) -> dict[str, Any]:
    """Compute what the table shows of a cell.

    Args:
        labels: (N,), true class ids.
        answers: (N,), class ids.
        bootstrap: Of these images.
        right_before: (N,), whether the answer to the unchanged image was right.
        classes: What is told apart.

    Returns:
        ``accuracy``, ``change`` against the unchanged images (paired, between -1 and 1), ``macro_f1``,
        ``tumor_called_no_tumor`` (``train.metrics.missed``) and the recall of each class.
    """
    right = answers == labels
    difference = right.astype(np.float64) - right_before
    missed = {}
    if classes.negative_id is not None:
        others = labels != classes.negative_id
        count = int((answers[others] == classes.negative_id).sum())
        missed = {missed_key(classes): asdict(wilson_interval(count, int(others.sum())))}
    return {
        "accuracy": asdict(wilson_interval(int(right.sum()), len(labels))),
        "change": asdict(bootstrap(lambda rows: float(difference[rows].mean()))),
        "macro_f1": asdict(
            bootstrap(lambda rows: macro_f1(labels[rows], answers[rows], range(len(classes))))
        ),
        **missed,
        "recall": {
            name: asdict(
                wilson_interval(int(right[labels == label].sum()), int((labels == label).sum()))
            )
            for label, name in enumerate(classes.names)
        },
    }


def mean_figures(
    labels: NDArray[np.int64],
    cells: Sequence[NDArray[np.int64]],
    bootstrap: GroupBootstrap,
    classes: Classes = BRAIN,
) -> dict[str, Any]:
    """Compute means over cells, with intervals over patient groups.

    Args:
        labels: (N,), true class ids.
        cells: Answers of each cell, (N,).
        bootstrap: Of these images.
        classes: What is told apart.
    """
    answers = np.stack(cells)  # (cells, N)
    right = (answers == labels).mean(axis=0)
    figures = {
        "cells": len(cells),
        "accuracy": asdict(bootstrap(lambda rows: float(right[rows].mean()))),
    }
    if classes.negative_id is None:
        return figures
    others = labels != classes.negative_id
    missed = (answers == classes.negative_id).mean(axis=0)

    def share_missed(rows: NDArray[np.int64]) -> float | None:
        of_others = rows[others[rows]]
        return float(missed[of_others].mean()) if len(of_others) else None

    return figures | {missed_key(classes): asdict(bootstrap(share_missed))}
