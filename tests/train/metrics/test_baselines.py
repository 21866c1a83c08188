from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.data.samples import Sample
from train.metrics.baselines import image_size_table, nearest_neighbour


def scans(count: int, seed: int) -> NDArray[np.uint8]:
    """Smooth images, (count, 48, 48), so that thumbnails keep what they show."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    return np.kron(coarse, np.ones((6, 6), dtype=np.uint8))


def test_copies_get_the_label_of_their_original() -> None:
    train = scans(40, seed=0)
    labels = np.random.default_rng(1).integers(0, 4, 40)
    order = np.random.default_rng(2).permutation(40)
    noise = np.random.default_rng(3).normal(0, 6, train.shape)
    dimmed = np.clip(0.6 * train + 20 + noise, 0, 255).astype(np.uint8)  # another window, noise
    assert (nearest_neighbour(train, labels, train[order]) == labels[order]).all()
    assert (nearest_neighbour(train, labels, dimmed[order]) == labels[order]).all()


def test_a_blank_image_gets_some_label_and_no_error() -> None:
    blank = np.zeros((1, 48, 48), dtype=np.uint8)
    answer = nearest_neighbour(scans(3, seed=0), np.array([1, 2, 3]), blank)
    assert answer.shape == (1,)
    assert answer[0] in (1, 2, 3)


def sample(label: int, size: tuple[int, int], mode: str = "L") -> Sample:
    return Sample(
        source=Path("none"), name="none", label=label, original_size=size, original_mode=mode
    )


def test_the_table_votes_by_width_height_and_mode() -> None:
    train = [
        *(sample(0, (512, 512)) for _ in range(3)),
        sample(1, (512, 512)),
        *(sample(2, (256, 300)) for _ in range(2)),
        sample(3, (512, 512), "RGB"),
    ]
    test = [
        sample(1, (512, 512)),
        sample(1, (256, 300)),
        sample(1, (512, 512), "RGB"),
        sample(1, (300, 256)),  # never seen: the most frequent class of all
    ]
    assert image_size_table(train, test).tolist() == [0, 2, 3, 0]
