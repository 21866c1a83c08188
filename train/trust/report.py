"""Write the result: trust.json, trust.html, and every answer as a row of answers.csv."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from train.trust.answers import TrustAnswers
from train.trust.examples import examples
from train.trust.figures import part_figures, set_figures
from train.trust.image_set import NO_CLASS, ImageSet
from train.trust.page import render_page

__all__ = ["ANSWERS", "PAGE", "RESULT", "write_trust"]

RESULT, PAGE, ANSWERS = "trust.json", "trust.html", "answers.csv"


def write_trust(
    part: TrustAnswers,
    sets: Sequence[tuple[ImageSet, TrustAnswers]],
    folder: Path,
    *,
    trust: Mapping[str, Any],
    title: str,
    provenance: Mapping[str, Any],
    corrupted: Mapping[str, Any] | None,
    cost: Mapping[str, Any] | None,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute the figures and write them into a folder.

    Args:
        part: Answers on the part.
        sets: Other images, each set with the answers on it.
        folder: Created if missing.
        trust: Field ``trust`` of the bundle's manifest.
        title: Names model and data.
        provenance: Model, data, part, command.
        corrupted: ``n`` and the ``cells`` of ``train.trust.corrupted``; None if none were measured.
        cost: Of ``train.trust.cost``; None if it was not measured.
        seed: Of everything random.

    Returns:
        What trust.json holds.

    Raises:
        DataRefused: The bundle refuses images of the part.
        CannotWrite: A file cannot be written.
    """
    result = {
        "kind": "trust",
        "title": title,
        "research_use_only": RESEARCH_USE_ONLY,
        "provenance": dict(provenance),
        "trust": _without_arrays(trust),
        "part": part_figures(part, trust, seed=seed),
        "sets": set_figures(part, sets, seed=seed),
        "corrupted": corrupted,
        "cost": cost,
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
    write_bytes_atomically(folder / RESULT, text.encode())
    write_bytes_atomically(
        folder / ANSWERS, _csv([("part", part), *((s.name, a) for s, a in sets)])
    )
    shown = {"part": examples(part, seed=seed)}
    shown |= {one.name: examples(answers, seed=seed) for one, answers in sets}
    page = render_page(result, {name: its for name, its in shown.items() if its})
    write_bytes_atomically(folder / PAGE, page.encode())
    return result


def _without_arrays(trust: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out how scope.bin is laid out: no figure depends on it."""
    scope = trust["scope"]
    if scope is None:
        return dict(trust)
    return {**trust, "scope": {key: value for key, value in scope.items() if key != "arrays"}}


def _csv(sets: Sequence[tuple[str, TrustAnswers]]) -> bytes:
    text, names = io.StringIO(), sets[0][1].classes.names
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("set", "name", "group", "label", "decision", "reasons", "prediction_set"),
            *("scope_score", "predicted"),
            *(f"p_{name}" for name in names),
        ]
    )
    for name, answers in sets:
        predicted = answers.predicted
        for row, image in enumerate(answers.images):
            refused = bool(answers.refused[row])
            decision = "accept" if answers.accepted[row] else "abstain"
            kept = [
                label for label, inside in zip(names, answers.in_set[row], strict=True) if inside
            ]
            score = answers.scope_scores[row]
            writer.writerow(
                [
                    *(name, image.name, image.group),
                    "" if image.label == NO_CLASS else names[image.label],
                    "refused" if refused else decision,
                    " ".join(answers.reasons[row]),
                    " ".join(kept),
                    "" if np.isnan(score) else f"{score:.6f}",
                    "" if refused else names[predicted[row]],
                    *("" if refused else f"{value:.6f}" for value in answers.probabilities[row]),
                ]
            )
    return text.getvalue().encode()
