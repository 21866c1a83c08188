"""Scans made worse in all ways of the gate, by number: first those of the kit, then those of the whole data set."""

import csv
import os
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reliability.bundles.float_bundle import TOP

from edge_infer.bundle import load_bundle, shipped_bundle_path
from edge_infer.image_file import read_image
from edge_infer.preprocessing import PreprocessorConfig, resize_grey, to_pixel_values
from train.corruption.corruptions import cells, corrupt

__all__ = ["FROM_KIT", "calibration", "corrupted_scan"]

#: So many trials take scans of the kit, which every clone has.
FROM_KIT = 10 * len(cells())

_KIT = TOP / "export" / "kit"
_DATA = Path(os.environ.get("BRAIN_EDGE_DATA", TOP.parent / "shared" / "data"))
_SEED = 0


def corrupted_scan(number: int) -> tuple[NDArray[np.uint8], str, str]:
    """Return a scan of the model's size, uint8 (H, W), its label, and how it was made worse.

    All kinds and severities come in turn, each on other scans: no two numbers give the same.

    Raises:
        FileNotFoundError: The data set is not here, and the number is not one of the kit's.
    """
    if number < FROM_KIT:
        scans, turn = _scans(_KIT, ("val",)), number
    else:
        scans, turn = _scans(_DATA, ("val", "test")), number - FROM_KIT
    every = cells()
    cell = turn % len(every)
    row = (turn // len(every) + cell * 17) % len(scans)
    kind, severity = every[cell]
    path, label = scans[row]
    return corrupt(_grey(path), kind, severity, (_SEED, row)), label, f"{kind} {severity}"


def calibration() -> NDArray[np.float32]:
    """Return 64 scans of the kit's train part as pixel_values."""
    chosen = _scans(_KIT, ("train",))[:64]
    return to_pixel_values(np.stack([_grey(path) for path, _ in chosen]), _preprocessor())


@cache
def _scans(folder: Path, parts: tuple[str, ...]) -> list[tuple[Path, str]]:
    """Path and label of one of each copy whose label nobody contradicts, in a fixed shuffled order."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["dataset"] == "brisc2025"
            and row["proposed_split"] in parts
            and row["first_of_copies"] == "1"
            and row["label_conflict"] == "0"
        ]
    order = np.random.default_rng(_SEED).permutation(len(rows))
    return [(folder / rows[place]["path"], rows[place]["label"]) for place in order]


@cache
def _grey(path: Path) -> NDArray[np.uint8]:
    return resize_grey(read_image(path), _preprocessor())


@cache
def _preprocessor() -> PreprocessorConfig:
    return load_bundle(shipped_bundle_path()).preprocessor
