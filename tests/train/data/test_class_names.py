import pytest

from edge_infer.contract import LABELS
from edge_infer.errors import DataRefused
from train.data.class_names import canonical_label, label_id
from train.data.split_names import split_of


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("glioma", "glioma"),
        ("glioma_tumor", "glioma"),
        ("Meningioma Tumour", "meningioma"),
        ("meningioma_tumor", "meningioma"),
        ("notumor", "no_tumor"),
        ("no_tumor", "no_tumor"),
        ("no tumor", "no_tumor"),
        ("No-Tumor", "no_tumor"),
        ("PITUITARY", "pituitary"),
        ("pituitary_tumor", "pituitary"),
    ],
)
def test_the_names_of_known_data_sets_map_to_the_canonical_ones(name: str, label: str) -> None:
    assert canonical_label(name) == label
    assert label_id(name) == LABELS.index(label)


@pytest.mark.parametrize("name", ["yes", "no", "normal", "tumor", "other", "", "glioma2", "masks"])
def test_a_name_that_is_unknown_or_ambiguous_is_refused_by_name(name: str) -> None:
    with pytest.raises(DataRefused, match="unknown class") as caught:
        canonical_label(name)
    assert repr(name) in caught.value.message
    assert caught.value.exit_code == 26


def test_parts_are_known_by_their_usual_names() -> None:
    assert [split_of(n) for n in ("Training", "validation", "val", "Testing", "test")] == [
        "train",
        "val",
        "val",
        "test",
        "test",
    ]
    assert split_of("glioma") is None
