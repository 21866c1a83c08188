"""The figures of docs/data.md on the split that published works made of sartaj. Needs the real scans."""

from collections import Counter
from pathlib import Path

import pytest

from train.data.layouts import load_samples
from train.splits.division import divide
from train.splits.division_text import sharing_text

pytestmark = [pytest.mark.real_scans, pytest.mark.slow]

PAGE = " ".join((Path(__file__).parents[3] / "docs" / "data.md").read_text().split())


def test_sartaj_is_divided_as_the_page_says(real_scans: Path, tmp_path: Path) -> None:
    samples = load_samples(real_scans / "sartaj", verify=False)
    divided = divide(
        samples, fractions=(0.8, 0.2, 0.0), seed=42, by="image", keep_test=True, cache=tmp_path
    )
    parts = Counter(sample.split for sample in divided)
    assert parts == {"train": 2296, "val": 574, "test": 394}
    assert (
        "2,296 images for training, 574 for validation, the 394 of `Testing` for the test" in PAGE
    )
    assert sharing_text(divided) == "33 of 574 val images and 259 of 394 test images"
    assert "259 of these 394 and 33 of the 574 share a copy with an earlier part" in PAGE
    conflicts = sum(sample.label_conflict for sample in divided)
    assert f"images with two labels ({conflicts} here)" in PAGE
