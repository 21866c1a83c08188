from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.errors import DataRefused
from train.data.samples import Sample
from train.splits.division import divide
from train.splits.division_text import class_counts, class_table, sharing_text

KEPT = (0.8, 0.2, 0.0)


@pytest.fixture(scope="module")
def leaky(
    make_leaky: Callable[[Path], list[Sample]], tmp_path_factory: pytest.TempPathFactory
) -> list[Sample]:
    """46 images, 12 of them in the test part, of which four are copies of train images."""
    return make_leaky(tmp_path_factory.mktemp("division") / "leaky")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("by", ["group", "image"])
def test_the_test_part_is_kept_and_the_rest_divided(
    leaky: list[Sample], cache: Path, by: str
) -> None:
    divided = divide(leaky, fractions=KEPT, seed=1, by=by, keep_test=True, cache=cache)  # type: ignore[arg-type]
    assert [s.name for s in divided] == [s.name for s in leaky]
    assert [s.split == "test" for s in divided] == [s.split == "test" for s in leaky]
    assert {s.split for s in divided} == {"train", "val", "test"}
    # A test image planted as a copy is in the same part as its original.
    assert "4 of 12 test images" in sharing_text(divided)


def test_by_group_the_rest_does_not_leak_within_itself(leaky: list[Sample], cache: Path) -> None:
    divided = divide(leaky, fractions=KEPT, seed=1, keep_test=True, cache=cache)
    assert sharing_text([s for s in divided if s.split != "test"]) == ""


def test_one_of_each_copy_is_one_in_each_part(leaky: list[Sample], cache: Path) -> None:
    divided = divide(leaky, fractions=KEPT, seed=1, by="image", keep_test=True, cache=cache)
    # The originals in train and val count although the kept test part holds copies of them.
    groups = {s.group for s in divided if s.split == "test"}
    originals = [s for s in divided if s.split != "test" and s.group in groups]
    assert len(originals) == 4
    assert not any(s.is_copy for s in originals)
    for part in ("train", "val", "test"):
        firsts = [s.group for s in divided if s.split == part and not s.is_copy]
        assert len(firsts) == len(set(firsts)) == len({s.group for s in divided if s.split == part})


def test_a_manifest_keeps_its_parts_unless_they_are_to_be_divided_again(
    phantom_samples: list[Sample],
) -> None:
    assert all(s.group and s.split for s in phantom_samples)
    assert divide(phantom_samples, fractions=(0.7, 0.1, 0.2), seed=1) == phantom_samples
    again = divide(phantom_samples, fractions=(0.6, 0.2, 0.2), seed=1, by="image")
    assert [s.split for s in again] != [s.split for s in phantom_samples]
    kept = divide(phantom_samples, fractions=(0.6, 0.4, 0.0), seed=1, keep_test=True)
    counts = {part: sum(of_class.values()) for part, of_class in class_counts(kept).items()}
    assert counts["test"] == sum(s.split == "test" for s in phantom_samples)
    assert counts["val"] > sum(s.split == "val" for s in phantom_samples)


def test_there_must_be_a_test_part_to_keep_and_a_rest_to_divide(
    phantom_samples: list[Sample],
) -> None:
    for split in ("", "test"):
        samples = [replace(s, split=split) for s in phantom_samples]  # type: ignore[arg-type]
        with pytest.raises(DataRefused, match="cannot keep it"):
            divide(samples, fractions=KEPT, seed=0, keep_test=True)
    with pytest.raises(ValueError, match="expected no share"):
        divide(phantom_samples, fractions=(0.7, 0.1, 0.2), seed=0, keep_test=True)


def test_the_table_counts_parts_and_classes() -> None:
    parts = ["train", "train", "train", "test", ""]
    labels = [0, 0, 3, 1, 2]
    samples = [
        Sample(source=b"x", name=str(row), label=label, split=part)  # type: ignore[arg-type]
        for row, (part, label) in enumerate(zip(parts, labels, strict=True))
    ]
    rows = [line.split() for line in class_table(samples).splitlines()]
    assert rows == [
        ["glioma", "meningioma", "no_tumor", "pituitary", "all"],
        ["train", "2", "0", "0", "1", "3"],
        ["test", "0", "1", "0", "0", "1"],
        ["undivided", "0", "0", "1", "0", "1"],
    ]


def test_sharing_counts_images_whose_group_lies_in_an_earlier_part() -> None:
    pairs = [("train", "a"), ("val", "a"), ("val", "b"), ("test", "b"), ("test", "c"), ("test", "")]
    samples = [
        Sample(source=b"x", name=str(row), label=0, split=part, group=group)  # type: ignore[arg-type]
        for row, (part, group) in enumerate(pairs)
    ]
    assert sharing_text(samples) == "1 of 2 val images and 1 of 3 test images"
    assert sharing_text(samples[:1]) == ""
