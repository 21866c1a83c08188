"""The robustness table: the accuracy on corrupted images and on images without cues.

A cell is one kind of change to all images: none (``clean``), a cue removed (``train.corruption.neutralised``), or a
corruption at one severity (``train.corruption.corruptions``). Each cell is saved when it is done, so a stopped run
continues where it was.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_infer.atomic import write_bytes_atomically
from edge_infer.classes import Classes
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import CannotWrite
from train.data.samples import Progress, Sample, classes_of
from train.evaluation.evaluate import Predict
from train.metrics.baselines import image_size_table, nearest_thumbnail, thumbnails
from train.metrics.figures import GroupBootstrap
from train.metrics.missed import negative_field
from train.robustness.cells import Cell, Variants, all_cells
from train.robustness.figures import cell_figures, mean_figures
from train.splits.sample_rows import part_rows

__all__ = ["robustness"]

_VERSION = 1
_BATCH = 64
_FILE = "robustness.json"

_Answers: TypeAlias = dict[str, NDArray[np.int64]]  # keys: the model and the baselines


def robustness(
    predict: Predict,
    samples: Sequence[Sample],
    pixels: NDArray[np.uint8],
    rows: Sequence[int],
    folder: Path,
    *,
    title: str,
    digest: str,
    provenance: dict[str, Any],
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compute the cells of the table that the folder does not hold yet.

    Args:
        predict: The model.
        samples: All of the data set; the baselines use its train part.
        pixels: uint8, (len(samples), H, W).
        rows: Images to measure on.
        folder: Gets robustness.json after every cell.
        title: Names model and data.
        digest: Identifies the model.
        provenance: Model, data, part, command.
        seed: Random seed of noise, orientation and everything random in a cell.
        progress: Called with (done, total), in images.

    Returns:
        What the complete robustness.json holds.

    Raises:
        CannotWrite: The folder holds the table of another model or of other images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    classes = classes_of(samples)
    labels = np.array([samples[row].label for row in rows])
    groups = [samples[row].group for row in rows]
    table: dict[str, Any] = {
        "kind": "robustness",
        "title": title,
        "research_use_only": RESEARCH_USE_ONLY,
        "identity": _identity(samples, rows, pixels.shape[1:], digest, seed),
        "provenance": provenance,
        "n": len(rows),
        "groups": len({group for group in groups if group}),
        "labels": _digits(labels),
        **negative_field(classes),
        "complete": False,
        "cells": [],
    }
    known = _answers_so_far(folder / _FILE, table["identity"])
    train = part_rows(samples, "train", all_classes=False)
    todo = all_cells()
    variants = Variants(samples, pixels, train, seed)
    bootstrap = GroupBootstrap(len(rows), groups=groups)
    for number, cell in enumerate(todo):
        is_new = cell not in known
        if is_new:
            tell = _within(progress, number * len(rows), len(todo) * len(rows))
            known[cell] = _ask(predict, variants, cell, rows, tell)
        table["cells"].append(_entry(cell, known[cell], known[todo[0]], labels, bootstrap, classes))
        if is_new:  # saved cells come first in the table, so none of them is lost
            _write(folder, table)
        if progress is not None:
            progress((number + 1) * len(rows), len(todo) * len(rows))
    corrupted = [known[cell]["model"] for cell in todo if cell.severity]
    table["corrupted"] = mean_figures(labels, corrupted, bootstrap, classes)
    table["baselines"] = _image_size(samples, rows, train, labels, bootstrap)
    table["complete"] = True
    _write(folder, table)
    return table


def _ask(
    predict: Predict,
    variants: Variants,
    cell: Cell,
    rows: Sequence[int],
    tell: Callable[[int], None],
) -> _Answers:
    """Return the answers of the model and of the nearest training thumbnail."""
    images: list[NDArray[np.uint8]] = []
    answers: list[NDArray[np.int64]] = []
    for start in range(0, len(rows), _BATCH):
        batch = variants.of(cell, rows[start : start + _BATCH])
        images.append(batch)
        answers.append(predict(batch).argmax(axis=1))
        tell(start + len(batch))
    given: _Answers = {"model": np.concatenate(answers)}
    if len(variants.labels):
        given["nearest_neighbour"] = nearest_thumbnail(
            variants.train(cell), variants.labels, thumbnails(np.concatenate(images))
        )
    return given


def _entry(
    cell: Cell,
    answers: _Answers,
    before: _Answers,
    labels: NDArray[np.int64],
    bootstrap: GroupBootstrap,
    classes: Classes,
) -> dict[str, Any]:
    return {
        **cell._asdict(),
        "answers": {who: _digits(its) for who, its in answers.items()},
        "figures": {
            who: cell_figures(labels, its, bootstrap, before[who] == labels, classes)
            for who, its in answers.items()
        },
    }


def _within(progress: Progress | None, before: int, total: int) -> Callable[[int], None]:
    def tell(done: int) -> None:
        if progress is not None:
            progress(before + done, total)

    return tell


def _image_size(
    samples: Sequence[Sample],
    rows: Sequence[int],
    train: Sequence[int],
    labels: NDArray[np.int64],
    bootstrap: GroupBootstrap,
) -> dict[str, Any]:
    """Measure the image-size baseline: it uses no pixels, so it is the same in every cell."""
    if not train or any(samples[row].original_size is None for row in [*train, *rows]):
        return {}
    guess = image_size_table([samples[row] for row in train], [samples[row] for row in rows])
    figures = cell_figures(labels, guess, bootstrap, guess == labels, classes_of(samples))
    return {"image_size": figures}


def _identity(
    samples: Sequence[Sample], rows: Sequence[int], shape: tuple[int, ...], digest: str, seed: int
) -> dict[str, Any]:
    names = [[samples[row].name, samples[row].label] for row in rows]
    classes = classes_of(samples)
    return {
        "version": _VERSION,
        "model": digest,
        "pictures": hashlib.sha256(json.dumps(names).encode()).hexdigest(),
        "shape": list(shape),
        "seed": seed,
        **({} if classes.is_brain else {"classes": list(classes.names)}),
    }


def _answers_so_far(path: Path, identity: dict[str, Any]) -> dict[Cell, _Answers]:
    """Read the cells of a run that was stopped."""
    if not path.exists():
        return {}
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["identity"] == identity:
            return dict(_read_cells(table))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotWrite(
            f"{path}: exists and is not a robustness table", hint="name another output"
        ) from error
    raise CannotWrite(
        f"{path}: holds the table of another model, of other images or of another seed",
        hint="name another output, or remove it to start again",
    )


def _read_cells(table: dict[str, Any]) -> Iterator[tuple[Cell, _Answers]]:
    for cell in table["cells"]:
        answers = {
            who: np.array(list(map(int, _split(digits))), dtype=np.int64)
            for who, digits in cell["answers"].items()
        }
        yield Cell(cell["kind"], cell["severity"]), answers


def _digits(answers: NDArray[np.int64]) -> str:
    """Write class ids in one line instead of a column of numbers, with spaces if one has two digits."""
    after = " " if len(answers) and answers.max() > 9 else ""
    return "".join(f"{answer}{after}" for answer in answers.tolist())


def _split(digits: str) -> list[str]:
    """Undo ``_digits``."""
    return digits.split() if " " in digits else list(digits)


def _write(folder: Path, table: dict[str, Any]) -> None:
    text = json.dumps(table, indent=1, allow_nan=False) + "\n"
    write_bytes_atomically(folder / _FILE, text.encode())
