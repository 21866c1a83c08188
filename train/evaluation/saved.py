"""Read what ``brain-train evaluate`` wrote into a folder."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.errors import UnreadableInput

__all__ = ["Answer", "SavedEvaluation", "read_evaluation"]

Answer = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedEvaluation:
    """A finished evaluation.

    Attributes:
        folder: The evaluation's folder.
        title: What was evaluated on what.
        command: The command that made it.
        metrics: All of metrics.json.
        answers: The rows of predictions.csv, each by column.
    """

    folder: Path
    title: str
    command: str
    metrics: dict[str, Any]
    answers: list[Answer]


def read_evaluation(folder: Path) -> SavedEvaluation:
    """Read metrics.json and predictions.csv.

    Raises:
        UnreadableInput: A file is missing or not an evaluation, or the two do not belong together.
    """
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        text = (folder / "predictions.csv").read_text(encoding="utf-8")
        title, command = metrics["title"], metrics["provenance"]["command"]
        count = metrics["model"]["n"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableInput(
            f"{folder}: is not an evaluation ({error})",
            hint="give the folders that brain-train evaluate wrote",
        ) from error
    answers = list(csv.DictReader(io.StringIO(text, newline="")))
    if not isinstance(title, str) or not isinstance(command, str) or len(answers) != count:
        raise UnreadableInput(f"{folder}: predictions.csv and metrics.json do not belong together")
    return SavedEvaluation(
        folder=folder, title=title, command=command, metrics=metrics, answers=answers
    )
