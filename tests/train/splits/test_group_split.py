from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge_infer.errors import DataRefused
from train.data.samples import Sample
from train.splits.copies import Copy
from train.splits.group_split import split_by_group
from train.splits.groups import components, grouped, patient_in_name


def make_samples(seed: int = 0, groups: int = 150) -> list[Sample]:
    rng = np.random.default_rng(seed)
    samples = []
    for group in range(groups):
        label = int(rng.choice(4, p=[0.4, 0.3, 0.1, 0.2]))
        for _ in range(int(rng.integers(1, 12))):
            name = f"{len(samples)}.png"
            samples.append(Sample(source=Path(name), name=name, label=label, group=f"g{group}"))
    return samples


def test_every_group_stays_on_one_side_and_classes_are_spread_evenly() -> None:
    samples = make_samples()
    divided = split_by_group(samples, seed=1)
    assert [s.name for s in divided] == [s.name for s in samples]
    sides: dict[str, set[str]] = {}
    for sample in divided:
        sides.setdefault(sample.group, set()).add(sample.split)
    assert all(len(side) == 1 for side in sides.values())
    whole = Counter(s.label for s in divided)
    for split, fraction in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
        part = Counter(s.label for s in divided if s.split == split)
        for label in range(4):
            # One group more or less (at most 11 images of about 80 and more) is the grain.
            assert part[label] == pytest.approx(fraction * whole[label], abs=11)


def test_the_seed_decides_and_repeats() -> None:
    samples = make_samples()
    first = split_by_group(samples, seed=1)
    assert split_by_group(samples, seed=1) == first
    assert split_by_group(samples, seed=2) != first


def test_images_without_a_group_stand_alone() -> None:
    samples = [Sample(source=b"x", name=str(n), label=n % 4) for n in range(100)]
    divided = split_by_group(samples, fractions=(0.6, 0.2, 0.2), seed=0)
    assert Counter(s.split for s in divided) == {"train": 60, "val": 20, "test": 20}


def test_a_share_of_zero_stays_empty_and_too_few_groups_are_refused() -> None:
    samples = make_samples()
    divided = split_by_group(samples, fractions=(0.8, 0.0, 0.2), seed=0)
    assert {s.split for s in divided} == {"train", "test"}
    one = [Sample(source=b"x", name=str(n), label=0, group="g") for n in range(9)]
    with pytest.raises(DataRefused, match="1 groups are too few to divide"):
        split_by_group(one, seed=0)
    with pytest.raises(ValueError, match="add up to 1"):
        split_by_group(samples, fractions=(0.8, 0.1, 0.2), seed=0)


def test_connected_pairs_become_one_component() -> None:
    assert components(6, [(4, 5), (0, 3), (3, 4)]) == [0, 1, 2, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("train/glioma/sub-012_T1w.png", "sub-012"),
        ("Patient_7_slice_3.png", "patient_7"),
        ("a/TCGA-CS-4941_12.tif", "tcga-cs-4941"),
        ("brisc2025_train_00001_gl_ax_t1.jpg", ""),
        ("gg (1).jpg", ""),
        ("sub-01/other.png", ""),
    ],
)
def test_a_patient_is_read_only_from_names_that_mark_one(name: str, patient: str) -> None:
    assert patient_in_name(name) == patient


def test_copies_known_groups_and_patients_are_joined() -> None:
    names = ["a.png", "sub-1_a.png", "sub-1_b.png", "b.png", "c.png", "d.png"]
    labels = [0, 0, 0, 1, 2, 2]
    known = ["", "", "", "k", "k", ""]
    samples = [
        Sample(source=b"x", name=name, label=label, group=group)
        for name, label, group in zip(names, labels, known, strict=True)
    ]
    copies = [
        Copy(first=0, second=1, kind="near", score=1),
        Copy(first=2, second=3, kind="near", score=1),
    ]
    joined = grouped(samples, copies)
    assert [s.group == joined[0].group for s in joined] == [True] * 5 + [False]
    assert [s.is_copy for s in joined] == [False, True, False, True, False, False]
    assert [s.label_conflict for s in joined] == [False, False, True, True, False, False]
