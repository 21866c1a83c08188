from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.errors import DataRefused
from train.data.samples import Sample
from train.splits.leaks import find_leaks, refuse_leaks


def test_a_clean_split_passes(phantom_samples: list[Sample]) -> None:
    leaks = find_leaks(phantom_samples)
    assert not leaks
    refuse_leaks(leaks)


def test_copies_on_two_sides_are_refused_with_their_number(
    make_leaky: Callable[[Path], list[Sample]], tmp_path: Path
) -> None:
    leaks = find_leaks(make_leaky(tmp_path / "leaky"))
    assert leaks.images == {"train": 0, "val": 1, "test": 4}
    assert len(leaks.copies) == 5
    with pytest.raises(DataRefused, match="1 of 5 val images and 4 of 12 test images") as caught:
        refuse_leaks(leaks)
    assert caught.value.exit_code == 26
    assert "--allow-leaks" in caught.value.hint


def test_a_group_on_two_sides_is_refused(phantom_samples: list[Sample]) -> None:
    parts = {sample.split: sample for sample in phantom_samples}
    patient = [replace(sample, group="patient") for sample in parts.values()]
    rest = [sample for sample in phantom_samples if sample not in parts.values()]
    leaks = find_leaks([*patient, *rest])
    assert leaks.groups == ("patient",)
    assert leaks.copies == ()
    assert leaks.images == {"train": 0, "val": 1, "test": 1}
    with pytest.raises(DataRefused, match="1 groups and 0 pairs"):
        refuse_leaks(leaks)


def test_a_set_that_is_not_divided_cannot_leak(phantom_samples: list[Sample]) -> None:
    assert not find_leaks([replace(sample, split="", group="g") for sample in phantom_samples])
