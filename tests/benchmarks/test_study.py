"""The test part of a study: one of each image, as everywhere else."""

from pathlib import Path

import numpy as np

from benchmarks.study import open_test_part
from train.data.samples import Sample


def test_copies_of_an_image_count_once(tmp_path: Path) -> None:
    samples = [
        Sample(
            source=b"",
            name=f"{row}.jpg",
            label=row % 4,
            split="test" if row < 6 else "train",
            group=f"g{row // 2}",
            is_copy=row in (1, 4),
            label_conflict=row == 5,
            dataset="brisc2025",
            original_size=(8, 8),
            original_mode="L",
            original_sha256="",
        )
        for row in range(8)
    ]
    pixels = np.arange(8, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    part = open_test_part(samples, pixels, tmp_path)
    assert np.load(part.grey)[:, 0, 0].tolist() == [0, 2, 3]
    assert part.labels.tolist() == [0, 2, 3]
    assert part.groups == ("g0", "g1", "g1")
