"""Decisions, calibration and other sets, on answers that are counted by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from edge_infer.contract import LABELS
from edge_infer.errors import DataRefused
from edge_infer.figures.calibration import brier_score
from edge_infer.figures.shares import share
from train.metrics.figures import GroupBootstrap, wilson_interval
from train.trust.answers import TrustAnswers
from train.trust.calibration import calibration_figures
from train.trust.decisions import decision_figures
from train.trust.figures import part_figures, set_figures
from train.trust.image_set import NO_CLASS, ImageSet, Kind
from train.trust.shares import share_by_patient
from train.trust.strangers import stranger_figures

Make = Callable[..., TrustAnswers]
GLIOMA, _, HEALTHY, _ = range(4)


def trust(**changes: Any) -> dict[str, Any]:
    return {
        "alpha": 0.1,
        "set_thresholds": dict.fromkeys(LABELS, 0.5),
        "fitted_on": {"source": "x", "n": 1, "groups": {}, "way": "validation"},
        "scope": None,
        **changes,
    }


def test_a_share_has_the_wider_of_both_intervals() -> None:
    counted = np.array([True] * 9 + [False])
    everywhere = np.ones(10, dtype=bool)
    alone = share(counted, everywhere, GroupBootstrap(10))
    assert alone["value"] == 0.9
    one_patient_wrong = share(counted, everywhere, GroupBootstrap(10, groups=[*"aaaaabbbb", "c"]))
    assert one_patient_wrong["interval"] == "group_bootstrap"
    assert one_patient_wrong["low"] == 0.0, "all three groups drawn may be c"
    alike = share(everywhere, everywhere, GroupBootstrap(10))
    assert (alike["interval"], alike["low"]) == ("wilson", wilson_interval(10, 10).low)
    nobody = share(counted, ~everywhere, GroupBootstrap(10))
    assert (nobody["value"], nobody["n"]) == (None, 0)


def test_each_patient_counts_the_same_in_a_share_by_patient() -> None:
    counted = np.array([True] * 8 + [False, False, True])
    among = np.array([True] * 10 + [False])
    groups = [*"aaaaaaaa", "b", "b", "c"]
    bootstrap = GroupBootstrap(11, groups=groups)
    found = share_by_patient(counted, among, groups, bootstrap)
    assert (found["value"], found["n"]) == (pytest.approx(0.5), 2)
    assert (found["low"], found["high"]) == (0, 1), "both patients drawn may be the same"
    alone = share_by_patient(counted, among, [""] * 11, GroupBootstrap(11))
    assert (alone["value"], alone["n"]) == (pytest.approx(0.8), 10)
    alike = share_by_patient(among, among, groups, bootstrap)
    assert (alike["interval"], alike["low"]) == ("wilson", wilson_interval(2, 2).low)
    assert share_by_patient(counted, ~np.ones(11, bool), groups, bootstrap)["value"] is None


def test_decisions_are_counted() -> None:
    labels = np.array([GLIOMA, GLIOMA, GLIOMA, HEALTHY, HEALTHY, HEALTHY])
    predicted = np.array([GLIOMA, HEALTHY, HEALTHY, HEALTHY, GLIOMA, HEALTHY])
    accepted = np.array([True, True, False, False, False, True])
    groups = ["p", "p", "p", "q", "", ""]
    found = decision_figures(labels, predicted, accepted, groups, GroupBootstrap(6))
    values = {name: (figure["value"], figure["n"]) for name, figure in found.items()}
    assert values == {
        "accepted": (0.5, 6),
        "accuracy_among_accepted": (pytest.approx(2 / 3), 3),
        "accuracy_among_accepted_by_patient": (0.75, 2),
        "accuracy": (0.5, 6),
        "tumor_called_no_tumor_among_accepted": (0.5, 2),
        "tumor_called_no_tumor": (pytest.approx(2 / 3), 3),
        "right_lost": (pytest.approx(1 / 3), 3),
        "wrong_and_accepted": (pytest.approx(1 / 6), 6),
    }


def test_the_brier_score_is_that_of_the_definition() -> None:
    probabilities = np.array([[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]])
    expected = (0.3**2 + 3 * 0.1**2 + 0.75**2 + 3 * 0.25**2) / 2
    assert brier_score(np.array([0, 3]), probabilities) == pytest.approx(expected)
    assert brier_score(np.array([0]), np.array([[0, 1.0, 0, 0]])) == 2


def test_calibration_sees_what_is_too_sure(make_answers: Make) -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1, 3000)
    labels = np.where(generator.random(3000) < confidence, 0, 1)
    honest = make_answers(labels.tolist(), [0] * 3000, confidence.tolist())
    sure = make_answers(labels.tolist(), [0] * 3000, (confidence**0.25).tolist())
    found = [
        calibration_figures(labels, answers.probabilities, GroupBootstrap(3000))
        for answers in (honest, sure)
    ]
    assert found[0]["ece"]["value"] < 0.03
    assert found[1]["ece"]["value"] > 0.12
    assert found[1]["ece"]["low"] > found[0]["ece"]["high"]
    assert [it["n"] for it in found[0]["bins"]] == [200] * 15


def test_a_set_is_compared_by_score_and_by_the_own_decision(make_answers: Make) -> None:
    generator = np.random.default_rng(1)
    scores = generator.normal(1, 0.2, 100)
    part = make_answers([0] * 100, [0] * 100, [0.9] * 100, scores=scores.tolist())
    others = generator.normal(1.4, 0.2, 40)
    far = make_answers(
        [NO_CLASS] * 41,
        [0] * 30 + [2] * 11,
        [0.8] * 41,
        scores=[*others.tolist(), np.nan],
        accepted=[True] * 5 + [False] * 36,
        refused=[False] * 40 + [True],
        reasons=[()] * 5 + [("out_of_scope",)] * 20 + [("out_of_scope", "ambiguous")] * 15 + [()],
    )
    found = stranger_figures(part, far)
    assert (found["n"], found["groups"], found["refused"]) == (41, 41, 1)
    expected = roc_auc_score([0] * 100 + [1] * 40, [*scores, *others])
    assert found["roc_auc"]["value"] == pytest.approx(expected)
    assert found["roc_auc"]["low"] < expected < found["roc_auc"]["high"]
    threshold = np.sort(scores)[94]  # 95 of 100 do not exceed it
    accepted = found["accepted_at_95"]
    assert (accepted["value"], accepted["n"]) == ((others <= threshold).mean(), 40)
    assert found["accepted"]["value"] == pytest.approx(5 / 41), "what is refused is not accepted"
    assert found["reasons"] == {"out_of_scope": 35, "ambiguous": 15}
    assert found["labels"]["accepted"]["glioma"] == 5
    assert sum(found["labels"]["all"].values()) == 40
    assert found["decisions"] is None


def test_a_set_of_known_classes_has_decisions_of_its_own(make_answers: Make) -> None:
    part = make_answers([0, 0], [0, 0], [0.9, 0.9], scores=[np.nan, np.nan])
    elsewhere = make_answers(
        [0, 0, 2, NO_CLASS], [0, 2, 2, 2], [0.9] * 4, accepted=[True, False, False, True]
    )
    found = stranger_figures(part, elsewhere)
    assert (found["roc_auc"], found["accepted_at_95"]) == (None, None), "no scope check"
    assert found["decisions"]["accuracy"]["n"] == 3
    assert found["decisions"]["right_lost"]["value"] == 0.5


def test_sets_of_a_kind_are_summed_up(make_answers: Make) -> None:
    part = make_answers([0] * 20, [0] * 20, [0.9] * 20, scores=list(range(20)))
    one, other = (
        make_answers([NO_CLASS] * n, [0] * n, [0.9] * n, scores=[50] * n, accepted=[False] * n)
        for n in (3, 4)
    )
    sets = [
        (ImageSet(name=name, kind=kind, note="", images=answers.images), answers)
        for name, kind, answers in (
            ("a", Kind.FAR, one),
            ("b", Kind.FAR, other),
            ("c", Kind.NEAR, one),
        )
    ]
    found = set_figures(part, sets)
    assert [its["n"] for its in found["each"]] == [3, 4, 3]
    assert list(found["together"]) == ["far"], "one set needs no sum"
    assert found["together"]["far"]["n"] == 7
    assert found["together"]["far"]["roc_auc"]["value"] == 1.0


def test_the_part_has_every_figure_and_no_refused_image(make_answers: Make) -> None:
    labels = list(range(4)) * 15
    predicted = [*labels[:-4], 1, 2, 3, 0]
    groups = [f"p{row // 2}" for row in range(60)]
    part = make_answers(labels, predicted, [0.9] * 60, groups=groups)
    found = part_figures(part, trust())
    assert (found["n"], found["groups"]) == (60, 30)
    assert found["coverage"]["all"]["coverage"]["value"] == pytest.approx(56 / 60)
    assert found["decisions"]["accuracy"]["value"] == pytest.approx(56 / 60)
    assert found["selective"]["accuracy_at"]["1.00"]["value"] == pytest.approx(56 / 60)
    assert found["shuffled_labels"]["all"]["coverage"]["value"] < 0.5
    refusing = make_answers([0, 1], [0, 1], [0.9] * 2, refused=[False, True])
    with pytest.raises(DataRefused, match=r"1 image .* such as 1\.png"):
        part_figures(refusing, trust())
