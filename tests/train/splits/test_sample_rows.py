from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.errors import DataRefused
from train.data.samples import Sample
from train.splits.sample_rows import apart_from, copy_groups, part_rows, rows_without_copies


def sample(number: int, split: str = "train", **fields: object) -> Sample:
    return Sample(
        source=Path("none"),
        name=f"{split}/{number}",
        label=number % 4,
        split=split,  # type: ignore[arg-type]
        **fields,  # type: ignore[arg-type]
    )


def test_a_part_has_no_conflicts_and_no_other_part() -> None:
    samples = [
        *(sample(number) for number in range(4)),
        sample(4, label_conflict=True),
        sample(5, "val"),
        sample(6, is_copy=True),
    ]
    assert part_rows(samples, "train") == [0, 1, 2, 3, 6]
    assert part_rows(samples, "train", one_of_each_copy=True) == [0, 1, 2, 3]


def test_a_missing_class_is_named_where_all_are_needed() -> None:
    samples = [sample(0), sample(1), sample(3), sample(2, label_conflict=True)]
    with pytest.raises(DataRefused, match="train part has no image of no_tumor") as refused:
        part_rows(samples, "train")
    assert refused.value.exit_code == 26
    assert part_rows(samples, "train", all_classes=False) == [0, 1, 2]


def test_images_with_a_copy_in_the_train_part_are_left_out(
    make_leaky: Callable[[Path], list[Sample]], tmp_path: Path
) -> None:
    samples = make_leaky(tmp_path / "leaky")
    cache = tmp_path / "cache"
    test = [row for row, one in enumerate(samples) if one.split == "test"]

    def left_out(*, byte_copies_only: bool) -> set[str]:
        kept = rows_without_copies(samples, test, cache, byte_copies_only=byte_copies_only)
        assert set(kept) <= set(test)
        return {Path(samples[row].name).stem for row in set(test) - set(kept)}

    assert left_out(byte_copies_only=True) == {"bytes"}
    assert left_out(byte_copies_only=False) == {"bytes", "pixels", "near", "mirrored"}


def test_nothing_is_left_out_where_no_part_shares_a_copy(
    phantom_samples: list[Sample], tmp_path: Path
) -> None:
    rows = part_rows(phantom_samples, "test")
    assert rows_without_copies(phantom_samples, rows, tmp_path, byte_copies_only=False) == rows
    undivided = [replace(one, split="") for one in phantom_samples]
    assert part_rows(undivided, "test", all_classes=False) == []


def test_copies_of_one_image_have_one_number(
    make_leaky: Callable[[Path], list[Sample]], tmp_path: Path
) -> None:
    samples = make_leaky(tmp_path / "leaky")
    rows = list(range(len(samples)))
    groups = copy_groups(samples, rows, tmp_path / "cache")
    together = {
        frozenset(Path(samples[row].name).stem for row in rows if groups[row] == group)
        for group in set(groups)
        if groups.count(group) > 1
    }
    planted = {"bytes", "pixels", "near", "mirrored", "turned", "conflict"}
    assert {next(iter(pair & planted)) for pair in together} == planted
    assert all(len(pair) == 2 for pair in together)
    some = rows[::2]
    assert copy_groups(samples, some, tmp_path / "cache") == [groups[row] for row in some]


def test_training_keeps_apart_from_the_fair_part_of_another_test(
    make_leaky: Callable[[Path], list[Sample]], phantom_samples: list[Sample], tmp_path: Path
) -> None:
    others = make_leaky(tmp_path / "leaky")
    cache = tmp_path / "cache"
    # The other set is ours with planted images: all its clean test images are copies of images in our own test part,
    # which stays. What its test part shares with its own train part protects nothing.
    assert apart_from(phantom_samples, others, cache) == phantom_samples
    planted = {"bytes", "pixels", "near", "mirrored"}
    fair = next(one for one in others if one.split == "test" and Path(one.name).stem not in planted)
    spoilt = replace(fair, name="train/spoilt", split="train")
    again = replace(fair, name="val/again", split="val")
    kept = apart_from([*phantom_samples, spoilt, again], others, cache)
    assert kept == phantom_samples
