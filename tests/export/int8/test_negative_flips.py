import dataclasses

import numpy as np
import pytest
from own_classes import PETS, TWO

from edge_infer.classes import BRAIN
from export.int8.negative_flips import NegativeFlips

GLIOMA, MENINGIOMA, NO_TUMOR, PITUITARY = range(4)

#: Label, answers of FP32 and INT8; whether FP32 was right about a tumour, INT8 then calls it no_tumor, and the answer
#: that there is one was lost, right or wrong.
CASES = [
    ((GLIOMA, GLIOMA, GLIOMA), (True, False, False)),
    ((GLIOMA, GLIOMA, PITUITARY), (True, False, False)),
    ((GLIOMA, GLIOMA, NO_TUMOR), (True, True, True)),
    ((PITUITARY, PITUITARY, NO_TUMOR), (True, True, True)),
    ((GLIOMA, MENINGIOMA, NO_TUMOR), (False, False, True)),
    ((GLIOMA, MENINGIOMA, GLIOMA), (False, False, False)),
    ((GLIOMA, NO_TUMOR, NO_TUMOR), (False, False, False)),
    ((GLIOMA, NO_TUMOR, GLIOMA), (False, False, False)),
    ((NO_TUMOR, NO_TUMOR, NO_TUMOR), (False, False, False)),
    ((NO_TUMOR, NO_TUMOR, GLIOMA), (False, False, False)),
    ((NO_TUMOR, GLIOMA, NO_TUMOR), (False, False, False)),
]


def brain() -> NegativeFlips:
    flips = NegativeFlips.of(BRAIN)
    assert flips is not None
    return flips


def test_the_brain_classes_have_the_names_of_the_manifest() -> None:
    assert brain() == NegativeFlips(
        class_id=NO_TUMOR,
        label="no_tumor",
        key="tumor_to_no_tumor_flips",
        row_key="to_no_tumor",
        lost_key="tumor_answers_lost",
        words="tumour -> no_tumor",
    )


def test_other_classes_have_names_without_tumours() -> None:
    assert NegativeFlips.of(PETS) == NegativeFlips(
        class_id=2,
        label="empty bowl",
        key="positive_to_negative_flips",
        row_key="to_negative",
        lost_key="positive_answers_lost",
        words="another class -> empty bowl",
    )


def test_without_a_negative_class_there_are_none() -> None:
    assert NegativeFlips.of(TWO) is None


@pytest.mark.parametrize(("answers", "counts"), CASES)
def test_what_counts_as_a_flip(
    answers: tuple[int, int, int], counts: tuple[bool, bool, bool]
) -> None:
    labels, reference, quantized = (np.array([answer]) for answer in answers)
    found = (
        brain().at_stake(labels, reference),
        brain().flipped(labels, reference, quantized),
        brain().lost(labels, reference, quantized),
    )
    assert tuple(bool(array[0]) for array in found) == counts
    assert {(array.dtype, array.shape) for array in found} == {(np.dtype(bool), (1,))}


def test_each_image_is_counted_by_itself() -> None:
    labels, reference, quantized = np.array([answers for answers, _ in CASES]).T
    expected = np.array([counts for _, counts in CASES]).T
    np.testing.assert_array_equal(brain().at_stake(labels, reference), expected[0])
    np.testing.assert_array_equal(brain().flipped(labels, reference, quantized), expected[1])
    np.testing.assert_array_equal(brain().lost(labels, reference, quantized), expected[2])


def test_what_counts_cannot_be_changed_and_is_given_by_name() -> None:
    flips = brain()
    with pytest.raises(dataclasses.FrozenInstanceError):
        flips.class_id = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        vars(flips)  # no place for anything else
    with pytest.raises(TypeError):
        NegativeFlips(*dataclasses.astuple(flips))  # six values, five of them text: easily mixed up
