"""Plots of evaluations, runs and data sets, as PNG."""

from train.plots.answers import (
    plot_confusion,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
)
from train.plots.classes import plot_class_counts
from train.plots.epochs import RunCurves, plot_curve, plot_epochs

__all__ = [
    "RunCurves",
    "plot_class_counts",
    "plot_confusion",
    "plot_curve",
    "plot_epochs",
    "plot_precision_recall",
    "plot_reliability",
    "plot_roc",
]
