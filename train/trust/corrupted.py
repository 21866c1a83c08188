"""What a bundle decides on corrupted images; each cell is kept, so a stopped run goes on where it was.

Images are corrupted at the model's size, as for docs/robustness.md, so that the two can be compared.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.atomic import write_bytes_atomically
from edge_infer.classes import Classes
from edge_infer.classifier import Classifier
from edge_infer.errors import CannotWrite
from train.corruption.corruptions import cells as corruption_cells
from train.corruption.corruptions import corrupt
from train.data.samples import Progress
from train.metrics.figures import GroupBootstrap
from train.trust.answers import REFUSALS
from train.trust.decisions import decision_figures

__all__ = ["CORRUPTED_FILE", "corrupted_cells", "drawn_rows"]

CORRUPTED_FILE = "corrupted.json"
_CLEAN = ("clean", 0)

#: Of a cell: the answer to each image, whether it is accepted, and its reasons.
_Kept = dict[str, Any]


def corrupted_cells(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    groups: Sequence[str],
    folder: Path,
    *,
    identity: dict[str, Any],
    seed: int = 0,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Ask about the images as they are, and about every kind of corruption at every severity.

    Args:
        classifier: The bundle.
        pixels: uint8, (N, H, W), at the model's size.
        labels: (N,), true class ids.
        groups: Patient group of each image.
        folder: Gets corrupted.json after every cell.
        identity: Tells this bundle, these images and this seed from others.
        seed: Of noise and whatever is random.
        progress: Called with (done, total), in images.

    Returns:
        For each cell ``kind``, ``severity`` (0 for images as they are), the ``figures`` of its decisions and the
        ``reasons``, counted.

    Raises:
        CannotWrite: The folder holds the cells of another bundle, of other images or of another seed.
    """
    path = folder / CORRUPTED_FILE
    cells = (_CLEAN, *corruption_cells())
    known = _read(path, identity)
    bootstrap = GroupBootstrap(len(labels), groups=groups)
    for number, cell in enumerate(cells):
        if cell not in known:
            images = (_changed(image, cell, (seed, row)) for row, image in enumerate(pixels))
            tell = _within(progress, number * len(labels), len(cells) * len(labels))
            known[cell] = _ask(classifier, images, tell)
            _write(path, identity, known)
        if progress is not None:
            progress((number + 1) * len(labels), len(cells) * len(labels))
    classes = classifier.bundle.classes
    return [_entry(cell, known[cell], labels, groups, bootstrap, classes) for cell in cells]


def drawn_rows(labels: Sequence[int], count: int, seed: int) -> list[int]:
    """Draw images at random, of each class as many as its share; rounding may make it a few more or fewer."""
    generator = np.random.default_rng(seed)
    given = np.array(labels)
    chosen: list[int] = []
    for label in np.unique(given):
        rows = np.flatnonzero(given == label)
        few = max(1, round(count * len(rows) / len(given)))
        chosen += generator.permutation(rows)[:few].tolist()
    return sorted(chosen)


def _changed(
    image: NDArray[np.uint8], cell: tuple[str, int], seed: tuple[int, ...]
) -> NDArray[np.uint8]:
    return np.asarray(image) if cell == _CLEAN else corrupt(np.asarray(image), *cell, seed)


def _ask(
    classifier: Classifier, images: Iterator[NDArray[np.uint8]], tell: Callable[[int], None]
) -> _Kept:
    predicted, accepted, reasons = [], [], Counter[str]()
    for outcome in classifier.predict_each(images):
        answer = outcome.prediction
        if answer is None:
            if not isinstance(outcome.error, REFUSALS):
                raise outcome.error or RuntimeError("an outcome without prediction and error")
            predicted.append(-1)
            accepted.append(0)
            reasons["refused"] += 1
        else:
            predicted.append(classifier.bundle.classes.names.index(answer.label))
            accepted.append(int(answer.decision == "accept"))
            reasons.update(map(str, answer.reasons))
        tell(len(predicted))
    return {"predicted": predicted, "accepted": accepted, "reasons": dict(reasons.most_common())}


def _within(progress: Progress | None, before: int, total: int) -> Callable[[int], None]:
    def tell(done: int) -> None:
        if progress is not None:
            progress(before + done, total)

    return tell


def _entry(
    cell: tuple[str, int],
    kept: _Kept,
    labels: NDArray[np.int64],
    groups: Sequence[str],
    bootstrap: GroupBootstrap,
    classes: Classes,
) -> dict[str, Any]:
    predicted = np.array(kept["predicted"], dtype=np.int64)
    accepted = np.array(kept["accepted"], dtype=np.bool_)
    return {
        "kind": cell[0],
        "severity": cell[1],
        "figures": decision_figures(labels, predicted, accepted, groups, bootstrap, classes),
        "reasons": kept["reasons"],
    }


def _read(path: Path, identity: dict[str, Any]) -> dict[tuple[str, int], _Kept]:
    if not path.exists():
        return {}
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["identity"] == identity:
            return {(cell["kind"], cell["severity"]): cell["kept"] for cell in table["cells"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotWrite(
            f"{path.name}: exists and is not a table of corrupted images",
            hint="name another output",
        ) from error
    raise CannotWrite(
        f"{path.name}: holds the answers of another bundle, on other images or of another seed",
        hint="name another output, or remove it to start again",
    )


def _write(path: Path, identity: dict[str, Any], known: dict[tuple[str, int], _Kept]) -> None:
    cells = [
        {"kind": kind, "severity": severity, "kept": kept}
        for (kind, severity), kept in known.items()
    ]
    text = json.dumps({"identity": identity, "cells": cells}, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, text.encode())
