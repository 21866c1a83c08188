"""The figures of one cell of the robustness table."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.contract import LABELS
from train.metrics.figures import GroupBootstrap, macro_f1, wilson_interval

__all__ = ["cell_figures", "mean_figures"]

_HEALTHY = LABELS.index("no_tumor")


def cell_figures(
    labels: NDArray[np.int64],
    answers: NDArray[np.int64],
    bootstrap: GroupBootstrap,
    right_before: NDArray[np.bool_],
) -> dict[str, Any]:
    """Compute what the table shows of a cell.

    Args:
        labels: (N,), true class ids.
        answers: (N,), class ids.
        bootstrap: Of these images.
        right_before: (N,), whether the answer to the unchanged image was right.

    Returns:
        ``accuracy``, ``change`` against the unchanged images (paired, between -1 and 1), ``macro_f1``,
        ``tumor_called_no_tumor`` and the recall of each class.
    """
    right = answers == labels
    difference = right.astype(np.float64) - right_before
    tumours = labels != _HEALTHY
    return {
        "accuracy": asdict(wilson_interval(int(right.sum()), len(labels))),
        "change": asdict(bootstrap(lambda rows: float(difference[rows].mean()))),
        "macro_f1": asdict(
            bootstrap(lambda rows: macro_f1(labels[rows], answers[rows], range(len(LABELS))))
        ),
        "tumor_called_no_tumor": asdict(
            wilson_interval(int((answers[tumours] == _HEALTHY).sum()), int(tumours.sum()))
        ),
        "recall": {
            name: asdict(
                wilson_interval(int(right[labels == label].sum()), int((labels == label).sum()))
            )
            for label, name in enumerate(LABELS)
        },
    }


def mean_figures(
    labels: NDArray[np.int64], cells: Sequence[NDArray[np.int64]], bootstrap: GroupBootstrap
) -> dict[str, Any]:
    """Compute means over cells, with intervals over patient groups.

    Args:
        labels: (N,), true class ids.
        cells: Answers of each cell, (N,).
        bootstrap: Of these images.
    """
    answers = np.stack(cells)  # (cells, N)
    right = (answers == labels).mean(axis=0)
    tumours = labels != _HEALTHY
    missed = (answers == _HEALTHY).mean(axis=0)

    def share_missed(rows: NDArray[np.int64]) -> float | None:
        of_tumours = rows[tumours[rows]]
        return float(missed[of_tumours].mean()) if len(of_tumours) else None

    return {
        "cells": len(cells),
        "accuracy": asdict(bootstrap(lambda rows: float(right[rows].mean()))),
        "tumor_called_no_tumor": asdict(bootstrap(share_missed)),
    }
