import numpy as np

from export.int8.calibration import ExportImages
from export.trust.images import mildly_corrupted, some_of_each_class
from train.corruption.corruptions import cells, corrupt


def test_each_image_is_made_a_little_worse_and_always_in_the_same_way(images: ExportImages) -> None:
    train = images.trust.train  # type: ignore[union-attr]
    worse = mildly_corrupted(train)
    assert worse.grey.shape == train.grey.shape
    np.testing.assert_array_equal(worse.grey, mildly_corrupted(train).grey)
    changed = [not np.array_equal(*pair) for pair in zip(worse.grey, train.grey, strict=True)]
    assert np.mean(changed) > 0.9


def test_no_image_is_made_worse_than_severity_three(images: ExportImages) -> None:
    few = images.trust.train[:24]  # type: ignore[union-attr]
    possible = [
        [corrupt(grey, kind, severity, (21, row)) for kind, severity in cells() if severity <= 3]
        for row, grey in enumerate(few.grey)
    ]
    for one, ways in zip(mildly_corrupted(few).grey, possible, strict=True):
        assert any(np.array_equal(one, way) for way in ways)


def test_of_many_images_each_class_keeps_its_share() -> None:
    labels = [0] * 60 + [1] * 30 + [2] * 9 + [3]
    rows = some_of_each_class(range(100), labels, 20, np.random.default_rng(0))
    assert np.bincount([labels[row] for row in rows]).tolist() == [12, 6, 1, 1]
    assert len(set(rows)) == len(rows)
    assert some_of_each_class(range(100), labels, 100, np.random.default_rng(0)) == list(range(100))
