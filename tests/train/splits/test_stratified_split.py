from collections import Counter

import pytest
from sklearn.model_selection import train_test_split

from edge_infer.errors import DataRefused
from train.data.samples import Sample
from train.splits.stratified_split import split_by_image

SIZES = (83, 82, 40, 81)


def make_samples(sizes: tuple[int, ...] = SIZES) -> list[Sample]:
    return [
        Sample(source=b"x", name=f"{label}/{number}.png", label=label, group="one")
        for label, size in enumerate(sizes)
        for number in range(size)
    ]


def names(samples: list[Sample], split: str) -> list[str]:
    return [sample.name for sample in samples if sample.split == split]


def test_the_parts_are_those_of_scikit_learn_with_the_same_seed() -> None:
    samples = make_samples()
    divided = split_by_image(samples, fractions=(0.8, 0.2, 0.0), seed=42)
    train, val = train_test_split(
        [sample.name for sample in samples],
        test_size=0.2,
        stratify=[sample.label for sample in samples],
        random_state=42,
    )
    assert names(divided, "train") == sorted(train, key=[s.name for s in samples].index)
    assert sorted(names(divided, "val")) == sorted(val)
    assert names(divided, "test") == []


def test_three_parts_have_their_shares_of_every_class() -> None:
    divided = split_by_image(make_samples(), fractions=(0.7, 0.1, 0.2), seed=1)
    assert Counter(s.split for s in divided) == {"train": 199, "val": 29, "test": 58}
    for part, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
        counts = Counter(s.label for s in divided if s.split == part)
        for label, size in enumerate(SIZES):
            assert counts[label] == pytest.approx(share * size, abs=1.5)  # rounded twice


def test_the_seed_decides_and_repeats() -> None:
    samples = make_samples()
    first = split_by_image(samples, fractions=(0.8, 0.2, 0.0), seed=1)
    assert split_by_image(samples, fractions=(0.8, 0.2, 0.0), seed=1) == first
    assert split_by_image(samples, fractions=(0.8, 0.2, 0.0), seed=2) != first
    assert [s.name for s in first] == [s.name for s in samples]


def test_too_few_images_of_a_class_are_refused() -> None:
    with pytest.raises(DataRefused, match="42 images cannot be divided"):
        split_by_image(make_samples((20, 20, 1, 1)), fractions=(0.8, 0.2, 0.0), seed=0)
    with pytest.raises(DataRefused, match="larger shares"):
        split_by_image(make_samples((5, 5, 5, 5)), fractions=(0.9, 0.1, 0.0), seed=0)
