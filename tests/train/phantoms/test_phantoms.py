import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge_infer.contract import LABELS
from edge_infer.errors import CannotWrite
from edge_infer.image_file import read_image
from train.data.manifest_csv import read_manifest
from train.phantoms import phantom, write_phantoms
from train.phantoms.head import Plane, draw_head, new_canvas
from train.phantoms.lesions import draw_lesion


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_phantoms(tmp_path / name, per_class=3, seed=seed, size=48)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    images = [v for k, v in digests(tmp_path / "a").items() if k.endswith(".png")]
    others = [v for k, v in digests(tmp_path / "c").items() if k.endswith(".png")]
    assert len(set(images)) == 12
    assert not set(images) & set(others)


def test_the_set_has_the_promised_layout(phantom_folder: Path) -> None:
    rows = read_manifest(phantom_folder / "manifest.csv")
    assert Counter((row.split, row.label) for row in rows) == {
        (split, label): count
        for split, count in (("train", 7), ("val", 1), ("test", 2))
        for label in range(4)
    }
    assert len({row.group for row in rows}) == len(rows) == 40
    for row in rows:
        split, label, file = row.name.split("/")
        assert (split, label) == (row.split, LABELS[row.label])
        assert file.startswith("phantom_3_")
        assert read_image(row.source).size == (64, 64)
    assert "no person" in (phantom_folder / "README.txt").read_text()


@pytest.mark.parametrize("per_class", [3, 4, 5, 7, 11])
def test_every_part_gets_every_class(tmp_path: Path, per_class: int) -> None:
    samples = write_phantoms(tmp_path / "set", per_class=per_class, seed=0, size=32)
    counts = Counter((sample.split, sample.label) for sample in samples)
    assert len(counts) == 12
    assert sum(counts.values()) == 4 * per_class


@pytest.mark.parametrize("label", LABELS)
def test_a_phantom_is_a_head_on_a_dark_ground(label: str) -> None:
    for seed in range(6):
        pixels = phantom(label, np.random.default_rng(seed), 96)
        assert pixels.shape == (96, 96)
        assert pixels.dtype == np.uint8
        rim = np.concatenate([pixels[:3].ravel(), pixels[-3:].ravel()])
        middle = pixels[28:68, 28:68]
        assert np.median(rim) < 15
        assert 40 < np.median(middle) < 230


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("label", LABELS)
def test_a_lesion_is_bright_and_where_its_class_has_it(label: str, plane: Plane) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        canvas = new_canvas(rng, 96, plane)
        healthy = draw_head(rng, canvas)
        change = draw_lesion(rng, canvas, healthy, label) - healthy
        if label == "no_tumor":
            assert not change.any()
            continue
        bright = change > 40
        assert 0.002 < bright.mean() < 0.15
        radius = np.median(canvas.radius[bright])
        if label == "pituitary":
            assert abs(np.median(canvas.x[bright])) < 0.2
            assert radius < 0.65
        elif label == "glioma":
            assert canvas.radius[bright].max() < 0.9  # inside the brain
            assert (change < -20).mean() > 0.002  # a dark core and a dim surrounding
        elif plane == "sagittal":  # no falx in view: on the vault
            assert radius > 0.5


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(CannotWrite, match="not empty"):
        write_phantoms(tmp_path, per_class=3, seed=0, size=32)
    assert digests(tmp_path).keys() == {"mine.txt"}


def test_wrong_arguments_are_a_callers_mistake(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="label"):
        phantom("cyst", rng, 64)
    with pytest.raises(ValueError, match="size"):
        phantom("glioma", rng, 8)
    with pytest.raises(ValueError, match="per_class"):
        write_phantoms(tmp_path / "x", per_class=2, seed=0)
