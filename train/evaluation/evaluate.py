"""Measure a model on one part of a data set: predictions.csv, metrics.json and plots."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import NoInputs
from edge_infer.prediction import softmax
from train.data.samples import Progress, Sample, classes_of
from train.metrics.baselines import image_size_table, nearest_neighbour
from train.metrics.figures import classification_metrics
from train.metrics.missed import missed_figure
from train.metrics.text import aligned, percent
from train.plots import plot_confusion, plot_reliability, plot_roc

__all__ = ["Predict", "evaluate", "summary"]

#: Turns grey images, uint8 (N, H, W), into logits, float (N, classes).
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float64]]

_BATCH = 64


def evaluate(
    predict: Predict,
    samples: Sequence[Sample],
    pixels: NDArray[np.uint8],
    rows: Sequence[int],
    folder: Path,
    *,
    title: str,
    temperature: float = 1.0,
    provenance: dict[str, Any],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate on the given rows and write everything into a folder.

    Args:
        predict: The model.
        samples: All of the data set; the baselines use its train part.
        pixels: uint8, (len(samples), H, W).
        rows: Indices of the images to evaluate on.
        folder: Gets predictions.csv, metrics.json, confusion.png, roc.png, reliability.png.
        title: Names the data in the plots.
        temperature: What logits are divided by before the softmax.
        provenance: Written into metrics.json: model, data hash, command.
        progress: Called with (done, total).

    Returns:
        What metrics.json holds.

    Raises:
        NoInputs: ``rows`` is empty.
    """
    if not rows:
        raise NoInputs(f"{title}: no image to evaluate on")
    classes = classes_of(samples)
    labels = np.array([samples[row].label for row in rows])
    logits = np.concatenate(list(_batches(predict, pixels, rows, progress)))
    probabilities = softmax(logits, temperature)
    groups = [samples[row].group for row in rows]
    metrics: dict[str, Any] = {
        "title": title,
        "research_use_only": RESEARCH_USE_ONLY,
        "provenance": provenance,
        "model": classification_metrics(labels, probabilities, classes, groups=groups),
        "baselines": _baselines(samples, pixels, rows, labels, groups),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(
        folder / "metrics.json", (json.dumps(metrics, indent=2, allow_nan=False) + "\n").encode()
    )
    write_bytes_atomically(
        folder / "predictions.csv", _predictions_csv(samples, rows, logits, probabilities)
    )
    plot_confusion(metrics["model"], title, folder / "confusion.png")
    plot_roc(labels, probabilities, classes.names, title, folder / "roc.png")
    plot_reliability(labels, probabilities, title, folder / "reliability.png")
    return metrics


def summary(metrics: dict[str, Any]) -> str:
    """Render metrics as a table for the terminal."""
    rows = [("", "accuracy", "macro F1", "n")]
    entries = {"model": metrics["model"], **metrics["baselines"]}
    rows += [
        (
            name.replace("_", " "),
            percent(entry["accuracy"]),
            percent(entry["macro_f1"]),
            str(entry["n"]),
        )
        for name, entry in entries.items()
    ]
    lines = [metrics["title"], *aligned(rows)]
    lines += [
        f"  recall {name}: {percent(entry['recall'])}, n {entry['recall']['n']}"
        for name, entry in metrics["model"]["per_class"].items()
    ]
    if missed := missed_figure(metrics["model"]):
        words, figure = missed
        lines.append(f"  {words}: {percent(figure)}")
    return "\n".join(lines)


def _batches(
    predict: Predict, pixels: NDArray[np.uint8], rows: Sequence[int], progress: Progress | None
) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(rows), _BATCH):
        batch = list(rows[start : start + _BATCH])
        yield predict(np.asarray(pixels[batch]))
        if progress is not None:
            progress(start + len(batch), len(rows))


def _baselines(
    samples: Sequence[Sample],
    pixels: NDArray[np.uint8],
    rows: Sequence[int],
    labels: NDArray[np.int64],
    groups: Sequence[str],
) -> dict[str, Any]:
    train = [
        row
        for row, sample in enumerate(samples)
        if sample.split == "train" and not sample.label_conflict
    ]
    if not train:
        return {}
    known = np.array([samples[row].label for row in train])
    guesses = {"nearest_neighbour": nearest_neighbour(pixels[train], known, pixels[list(rows)])}
    if all(samples[row].original_size is not None for row in [*train, *rows]):
        guesses["image_size"] = image_size_table(
            [samples[row] for row in train], [samples[row] for row in rows]
        )
    classes = classes_of(samples)
    one_hot = np.eye(len(classes))
    return {
        name: classification_metrics(labels, one_hot[guess], classes, groups=groups)
        for name, guess in guesses.items()
    }


def _predictions_csv(
    samples: Sequence[Sample],
    rows: Sequence[int],
    logits: NDArray[np.float64],
    probabilities: NDArray[np.float64],
) -> bytes:
    names = classes_of(samples).names
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "name",
            "group",
            "label",
            "predicted",
            *(f"p_{name}" for name in names),
            *(f"logit_{name}" for name in names),
        ]
    )
    for row, logit, probability in zip(rows, logits, probabilities, strict=True):
        sample = samples[row]
        numbers = [f"{value:.6f}" for value in (*probability, *logit)]
        writer.writerow(
            [
                sample.name,
                sample.group,
                sample.class_name,
                names[int(probability.argmax())],
                *numbers,
            ]
        )
    return text.getvalue().encode()
