import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from train.volumes.separation import area, false_alarms_at, roc, sensitivity_at


def test_a_small_case_worked_out_by_hand() -> None:
    #                  0.9   0.8    0.7   0.6    0.5    0.4
    tumour = np.array([True, False, True, True, False, False])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    alarms, found = roc(tumour, scores)
    assert alarms.tolist() == [0, 0, 1, 1, 1, 2, 3]
    assert found.tolist() == [0, 1, 1, 2, 3, 3, 3]
    assert area(tumour, scores) == pytest.approx(7 / 9)  # of 9 pairs, 0.8 stands above 0.7 and 0.6
    assert sensitivity_at(0.9, tumour, scores) == pytest.approx(1 / 3)  # no false alarm is allowed
    assert sensitivity_at(2 / 3, tumour, scores) == 1.0
    assert false_alarms_at(0.9, tumour, scores) == pytest.approx(1 / 3)
    assert false_alarms_at(1 / 3, tumour, scores) == 0.0


def test_slices_with_equal_scores_are_called_alike() -> None:
    tumour = np.array([True, True, False, False])
    scores = np.array([1.0, 0.5, 0.5, 0.0])
    alarms, found = roc(tumour, scores)
    assert (alarms.tolist(), found.tolist()) == ([0, 0, 1, 2], [0, 1, 2, 2])
    assert area(tumour, scores) == pytest.approx(3.5 / 4)  # one pair is a tie
    assert sensitivity_at(0.9, tumour, scores) == 0.5
    assert false_alarms_at(0.9, tumour, scores) == 0.5


def test_a_score_that_is_the_same_everywhere_is_chance() -> None:
    tumour = np.array([True, False, False, True])
    same = np.zeros(4)
    assert area(tumour, same) == 0.5
    assert sensitivity_at(0.9, tumour, same) == 0.0
    assert false_alarms_at(0.9, tumour, same) == 1.0


@pytest.mark.parametrize("slices", [10, 30, 70])
def test_ninety_percent_of_a_round_number_is_met_exactly(slices: int) -> None:
    tenth = slices // 10
    tumour = np.repeat([True, False], slices)
    # A tenth of the slices without a tumour scores highest, a tenth of the tumours lowest.
    others = [9.0] * tenth + [1.0] * (slices - tenth)
    scores = np.array([2.0] * (slices - tenth) + [0.0] * tenth + others)
    assert sensitivity_at(0.9, tumour, scores) == 0.9
    assert false_alarms_at(0.9, tumour, scores) == pytest.approx(0.1)


@pytest.mark.parametrize("seed", range(20))
def test_curve_and_area_are_those_of_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    tumour = generator.random(60) < 0.4
    scores = np.round(generator.normal(tumour, 1), seed % 3)  # with many ties, few or none
    assert area(tumour, scores) == pytest.approx(roc_auc_score(tumour, scores))
    false_rate, true_rate, _ = roc_curve(tumour, scores, drop_intermediate=False)
    alarms, found = roc(tumour, scores)
    np.testing.assert_allclose(alarms / (~tumour).sum(), false_rate)
    np.testing.assert_allclose(found / tumour.sum(), true_rate)
    assert sensitivity_at(0.9, tumour, scores) == true_rate[false_rate <= 0.1 + 1e-12].max()
    assert false_alarms_at(0.9, tumour, scores) == false_rate[true_rate >= 0.9 - 1e-12].min()


@pytest.mark.parametrize("kind", [True, False])
def test_of_one_kind_alone_nothing_can_be_said(kind: bool) -> None:
    tumour, scores = np.full(5, kind), np.arange(5.0)
    assert area(tumour, scores) is None
    assert sensitivity_at(0.9, tumour, scores) is None
    assert false_alarms_at(0.9, tumour, scores) is None
