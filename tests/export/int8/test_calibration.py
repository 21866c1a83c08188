"""The kit holds what its page says: BRISC 2025's train and validation images, and nothing of a test part."""

import csv
import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_infer.contract import LABELS
from edge_infer.preprocessing import PreprocessorConfig
from export.int8 import calibration
from export.int8.calibration import KIT, from_data_set, from_kit, from_phantoms
from train.data.layouts import load_samples

Row = dict[str, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with (KIT / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_image_has_a_row_and_each_row_an_image(rows: list[Row]) -> None:
    found = {path.relative_to(KIT).as_posix() for path in (KIT / "pictures").rglob("*.jpg")}
    assert found == {row["path"] for row in rows}
    assert len(found) == len(rows) == 556


def test_nothing_of_a_test_part_is_in_it(rows: list[Row]) -> None:
    assert {row["proposed_split"] for row in rows} == {"train", "val"}
    assert {row["official_split"] for row in rows} == {"train"}
    assert {row["dataset"] for row in rows} == {"brisc2025"}
    assert all("_train_" in row["path"] for row in rows)


def test_each_class_calibrates_as_often_and_no_patient_is_on_both_sides(rows: list[Row]) -> None:
    train = Counter(row["label"] for row in rows if row["proposed_split"] == "train")
    assert train == dict.fromkeys(LABELS, 48)
    groups = {
        part: {row["group"] for row in rows if row["proposed_split"] == part}
        for part in ("train", "val")
    }
    assert not groups["train"] & groups["val"]
    copies = [row["copy_group"] for row in rows]
    assert len(set(copies)) == len(copies), "one of each copy"
    assert {(row["first_of_copies"], row["label_conflict"]) for row in rows} == {("1", "0")}


def test_no_patient_is_named(rows: list[Row]) -> None:
    assert "patient_id" not in rows[0]
    for row in rows:
        with Image.open(KIT / row["path"]) as image:
            assert not image.getexif()
            assert image.mode == "L"
            assert max(image.size) <= 256


def test_its_page_counts_rightly_and_cites_the_authors(rows: list[Row]) -> None:
    page = (KIT / "README.md").read_text(encoding="utf-8")
    assert f"{len(rows)} scans" in page
    judged = Counter(row["label"] for row in rows if row["proposed_split"] == "val")
    assert ", ".join(f"{label} {judged[label]}" for label in LABELS) in page
    assert "CC BY 4.0" in page
    assert "arXiv:2506.14318" in page
    assert re.search(r"Changed: shrunk to 256 pixels", page)


def test_it_gives_calibration_and_gate(tmp_path: Path) -> None:
    images = from_kit(PreprocessorConfig(height=32, width=32), tmp_path, seed=0)
    assert images.calibration.grey.shape == (192, 32, 32)
    assert images.gate.grey.shape == (364, 32, 32)
    assert images.corrupted == 10_000
    assert not images.synthetic
    hurried = from_kit(PreprocessorConfig(height=32, width=32), tmp_path, seed=0, quick=True)
    assert hurried.corrupted == 1_000
    np.testing.assert_array_equal(hurried.gate.grey, images.gate.grey)


def test_it_is_a_data_set_like_any_other(tmp_path: Path) -> None:
    config = PreprocessorConfig(height=32, width=32)
    samples = load_samples(KIT, manifest=KIT / "manifest.csv")
    given = from_data_set(samples, config, tmp_path, source="kit", seed=0)
    kit = from_kit(config, tmp_path, seed=0)
    np.testing.assert_array_equal(given.calibration.grey, kit.calibration.grey)
    np.testing.assert_array_equal(given.gate_labels, kit.gate_labels)


def test_phantoms_stay_for_tests() -> None:
    images = from_phantoms(PreprocessorConfig(height=16, width=16), seed=0)
    assert images.synthetic
    assert images.corrupted == calibration._CORRUPTED_PHANTOMS


@pytest.mark.real_scans
def test_its_images_are_the_data_sets_byte_for_byte(rows: list[Row], real_scans: Path) -> None:
    with (real_scans / "manifest.csv").open(encoding="utf-8", newline="") as file:
        known = {Path(row["path"]).name: row for row in csv.DictReader(file)}
    for row in rows:
        original = known[Path(row["path"]).name]
        assert row["proposed_split"] == original["proposed_split"]
        assert row["label"] == original["label"]
        digests = {
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (KIT / row["path"], real_scans / original["path"])
        }
        assert len(digests) == 1, row["path"]
