from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.classes import Classes
from train.data.layouts import load_samples
from train.data.samples import classes_of
from train.phantoms import phantom, write_phantoms
from train.phantoms.shapes import SHAPES


def drawn(label: str, number: int, size: int = 64) -> NDArray[np.uint8]:
    return phantom(label, np.random.default_rng(number), size)


def test_a_data_set_of_shapes_has_classes_of_its_own_and_says_which_is_empty(
    tmp_path: Path,
) -> None:
    written = write_phantoms(tmp_path / "set", kind="shapes", per_class=3, seed=1, size=64)
    assert classes_of(written) == Classes(("disk", "empty", "ring"), "empty")
    manifest = tmp_path / "set" / "manifest.csv"
    read = load_samples(tmp_path / "set", manifest=manifest)
    assert classes_of(read) == classes_of(written)
    # Folders say nothing of a negative class.
    assert classes_of(load_samples(tmp_path / "set")) == Classes(SHAPES)


def test_the_same_seed_draws_the_same_shape_and_another_one_another() -> None:
    assert np.array_equal(drawn("disk", 3), drawn("disk", 3))
    assert not np.array_equal(drawn("disk", 3), drawn("disk", 4))


@pytest.mark.parametrize("label", ["disk", "ring"])
def test_a_shape_is_all_that_differs_from_an_empty_head(label: str) -> None:
    for number in range(5):
        changed = np.abs(drawn(label, number).astype(int) - drawn("empty", number)) > 8
        share = changed.mean()
        assert 0.008 < share < 0.06
        rows, columns = np.nonzero(changed)
        assert np.ptp(rows) < 32
        assert np.ptp(columns) < 32


def test_a_ring_is_a_disk_with_a_hole() -> None:
    for number in range(5):
        empty = drawn("empty", number, 128).astype(int)
        disk, ring = (np.abs(drawn(label, number, 128) - empty) > 12 for label in ("disk", "ring"))
        hole = disk & ~ring
        assert 0.1 < hole.sum() / disk.sum() < 0.4
        assert (ring & ~disk).sum() < 0.05 * ring.sum()
