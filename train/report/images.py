"""The report's plots as files, each with its alternative text."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from edge_infer.names import shown_name
from train.evaluation.answers import Answers
from train.plots import (
    plot_class_counts,
    plot_confusion,
    plot_epochs,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
)
from train.report.data import DataFacts
from train.report.runs import RunFacts
from train.report.scans import Scan

__all__ = ["ReportImage", "answer_images", "class_image", "epoch_image", "scan_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportImage:
    """A PNG of the report.

    Attributes:
        path: The file.
        alt: Alternative text.
        width: In pixels.
        height: In pixels.
    """

    path: Path
    alt: str
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The PNG as a data: URI."""
        return f"data:image/png;base64,{base64.b64encode(self.path.read_bytes()).decode('ascii')}"


def epoch_image(runs: Sequence[RunFacts], folder: Path) -> ReportImage:
    """Draw the curves of all runs."""
    path = folder / "epochs.png"
    plot_epochs([run.curves for run in runs], path)
    best = [
        f"{shown_name(run.name)}: best {100 * run.curves.best[1]:.1f} % at epoch {run.curves.best[0]:.0f}"
        for run in runs
        if run.curves.best is not None
    ]
    said = f" Validation accuracy: {'; '.join(best)}." if best else ""
    return _image(path, f"Training loss, validation loss and accuracy over the epochs.{said}")


def class_image(data: DataFacts, folder: Path) -> ReportImage:
    """Draw how many images of each class each part has."""
    path = folder / "classes.png"
    plot_class_counts(data.images, f"{shown_name(data.name)}: images by part and class", path)
    counts = "; ".join(f"{part}: {_listed(of_class)}" for part, of_class in data.images.items())
    return _image(path, f"Bars of the number of images by part and class. {counts}.")


def answer_images(run: RunFacts, answers: Answers, folder: Path) -> dict[str, ReportImage]:
    """Draw confusion, ROC, precision against recall, and reliability on the test part."""
    title = f"{shown_name(run.name)}, test part"
    paths = {
        kind: folder / f"run-{run.number}-{kind.replace('_', '-')}.png"
        for kind in ("confusion", "roc", "precision_recall", "reliability")
    }
    plot_confusion(answers.metrics["model"], title, paths["confusion"])
    given = (answers.labels, answers.probabilities)
    curves = (*given, answers.classes.names, title)
    plot_roc(*curves, paths["roc"])
    plot_precision_recall(*curves, paths["precision_recall"])
    plot_reliability(*given, title, paths["reliability"])
    matrix = answers.metrics["model"]["confusion_matrix"]["rows_true_columns_predicted"]
    right = ", ".join(
        f"{matrix[row][row]} of {sum(matrix[row])} {name}"
        for row, name in enumerate(answers.classes.names)
    )
    of_run = f"of run {shown_name(run.name)} on its test part"
    alts = {
        "confusion": f"Confusion matrix {of_run}. Right: {right}.",
        "roc": f"ROC curves, each class against the rest, {of_run}. The areas are in the table by class.",
        "precision_recall": f"Precision against recall of each class {of_run}. "
        "The average precisions are in the table by class.",
        "reliability": f"Accuracy against confidence in ten bins {of_run}. "
        "The expected calibration error is in the first table.",
    }
    return {kind: _image(path, alts[kind]) for kind, path in paths.items()}


def scan_image(scan: Scan, folder: Path) -> ReportImage:
    """Describe a scan that ``draw_scans`` has drawn."""
    verdict = "right" if scan.right else "wrong"
    return _image(
        folder / scan.file,
        f"Scan with true class {scan.true}, predicted {scan.predicted} ({scan.score:.0%}), {verdict}; "
        "beside it the same scan with the evidence for the predicted class.",
    )


def _image(path: Path, alt: str) -> ReportImage:
    with Image.open(path) as image:
        return ReportImage(path=path, alt=alt, width=image.width, height=image.height)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
