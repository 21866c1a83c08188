"""The result of the measurement: figures of each source as JSON, and every slice as CSV."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from train.volumes.answers import SliceAnswers
from train.volumes.cues import CUES, cue_scores
from train.volumes.figures import WORKING_POINT, source_figures

__all__ = ["cues_of_sources", "write_volumes"]


def cues_of_sources(
    answers: SliceAnswers, pixels: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64]]:
    """Return the score of every slice by each cue, (N,), NaN where it is unknown; each source by itself.

    Args:
        answers: N slices.
        pixels: uint8, (N, H, W).
    """
    scores = {name: np.zeros(len(answers.slices)) for name in CUES}
    for source in answers.sources():
        rows = answers.rows(source)
        its = cue_scores(answers.only(rows).slices, np.asarray(pixels[rows]))
        for name, values in its.items():
            scores[name][rows] = values
    return scores


def write_volumes(
    answers: SliceAnswers,
    cues: dict[str, NDArray[np.float64]],
    folder: Path,
    *,
    title: str,
    provenance: dict[str, Any],
    seed: int = 0,
) -> dict[str, Any]:
    """Write volumes.json and volumes.csv into a folder.

    Args:
        answers: On all slices.
        cues: From ``cues_of_sources``.
        folder: Created if missing.
        title: Names model and data.
        provenance: Model, data, part, command.
        seed: Of the bootstrap.

    Returns:
        What volumes.json holds.
    """
    sources = {}
    for source in answers.sources():
        rows = answers.rows(source)
        its_cues = {name: scores[rows] for name, scores in cues.items()}
        sources[source] = source_figures(answers.only(rows), its_cues, seed=seed)
    result = {
        "kind": "volumes",
        "title": title,
        "research_use_only": RESEARCH_USE_ONLY,
        "provenance": provenance,
        "working_point": WORKING_POINT,
        "sources": sources,
        "healthy_sources": _healthy_sources(answers, seed),
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=2, allow_nan=False) + "\n"
    write_bytes_atomically(folder / "volumes.json", text.encode())
    write_bytes_atomically(folder / "volumes.csv", _csv(answers, cues))
    return result


def _healthy_sources(answers: SliceAnswers, seed: int) -> dict[str, Any]:
    """Return the figures of all sources without a tumour together; empty if there are fewer than two."""
    by_source = [answers.rows(source) for source in answers.sources()]
    healthy = [rows for rows in by_source if not answers.tumour[rows].any()]
    if len(healthy) < 2:
        return {}
    together = answers.only([row for rows in healthy for row in rows])
    return {"sources": len(healthy), **source_figures(together, {}, seed=seed)}


def _csv(answers: SliceAnswers, cues: dict[str, NDArray[np.float64]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("name", "source", "patient", "volume", "slice", "label", "predicted"),
            *(f"p_{name}" for name in LABELS),
            "log_odds_of_tumour",
            *cues,
        ]
    )
    for row, one in enumerate(answers.slices):
        writer.writerow(
            [
                *(one.name, one.source, one.patient, one.volume),
                "" if one.position is None else one.position,
                *(LABELS[one.label], LABELS[answers.predicted[row]]),
                *(f"{value:.6f}" for value in answers.probabilities[row]),
                f"{answers.scores[row]:.6f}",
                *("" if np.isnan(its[row]) else f"{its[row]:.6f}" for its in cues.values()),
            ]
        )
    return text.getvalue().encode()
