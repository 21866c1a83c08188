"""Accept or abstain: each reason by itself, and what each mode makes of it."""

from collections.abc import Sequence
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from tiny_bundle import tiny_trust

from edge_infer.contract import LABELS
from edge_infer.decision import ABSTAINING, NOTED, SCOPE_MODES, Decision, ScopeMode, decide
from edge_infer.reasons import Doubt, Reason
from edge_infer.trust import Trust, read_trust

SURE = (0.9, 0.05, 0.03, 0.02)
TORN = (0.46, 0.44, 0.06, 0.04)
NONE_FITS = (0.29, 0.27, 0.24, 0.2)
TRUST = read_trust(tiny_trust(), LABELS)


def decided(
    probabilities: Sequence[float] = SURE,
    *,
    score: float | None = 0.5,
    doubts: Sequence[Reason] = (),
    trust: Trust | None = TRUST,
    mode: ScopeMode = "enforce",
) -> Decision:
    seen = [Doubt(reason, "seen") for reason in doubts]
    return decide(np.array(probabilities), LABELS, score, seen, trust, mode)


def test_a_sure_answer_within_scope_is_accepted() -> None:
    for mode in SCOPE_MODES:
        found = decided(mode=mode)
        assert (found.decision, found.reasons) == ("accept", ())
        assert found.prediction_set == ("glioma",)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        (TORN, ("glioma", "meningioma")),
        (NONE_FITS, ()),
        ((0.3, 0.3, 0.3, 0.1), ("glioma", "meningioma", "no_tumor")),  # 1 - 0.3 <= 0.7
    ],
)
def test_a_set_of_none_or_several_classes_is_ambiguous(
    probabilities: Sequence[float], expected: tuple[str, ...]
) -> None:
    found = decided(probabilities)
    assert found.prediction_set == expected
    assert (found.decision, found.reasons) == ("abstain", (Reason.AMBIGUOUS,))


def test_thresholds_are_those_of_each_class() -> None:
    wide = {**dict.fromkeys(LABELS, 0.7), "pituitary": 1.0}
    found = decided(trust=read_trust(tiny_trust(set_thresholds=wide), LABELS))
    assert found.prediction_set == ("glioma", "pituitary")
    narrow = {**dict.fromkeys(LABELS, 0.7), "glioma": 0.05}
    assert decided(trust=read_trust(tiny_trust(set_thresholds=narrow), LABELS)).prediction_set == ()


def test_one_class_with_too_little_probability_is_ambiguous() -> None:
    for least, expected in ((0.9, ()), (0.91, (Reason.AMBIGUOUS,))):
        found = decided(trust=read_trust(tiny_trust(least_score=least), LABELS))
        assert found.reasons == expected
        assert found.prediction_set == ("glioma",)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(1.0, ()), (1.0000001, (Reason.OUT_OF_SCOPE,)), (float("nan"), (Reason.OUT_OF_SCOPE,))],
)
def test_a_score_above_the_threshold_is_out_of_scope(
    score: float, expected: tuple[Reason, ...]
) -> None:
    assert decided(score=score).reasons == expected


def test_report_lists_reasons_and_accepts() -> None:
    found = decided(TORN, score=9.0, doubts=[Reason.INVERTED], mode="report")
    assert found.decision == "accept"
    assert found.reasons == (Reason.OUT_OF_SCOPE, Reason.AMBIGUOUS, Reason.INVERTED)


def test_off_leaves_out_the_scope_and_nothing_else() -> None:
    assert decided(score=9.0, mode="off").decision == "accept"
    assert decided(TORN, score=None, mode="off").reasons == (Reason.AMBIGUOUS,)
    assert decided(doubts=[Reason.INVERTED], mode="off").decision == "abstain"


def test_without_trust_only_doubts_decide() -> None:
    found = decided(NONE_FITS, score=None, trust=None)
    assert (found.decision, found.prediction_set) == ("accept", ())
    found = decided(score=None, doubts=[Reason.SEVERAL_SLICES], trust=None)
    assert (found.decision, found.reasons) == ("abstain", (Reason.SEVERAL_SLICES,))


def test_without_a_scope_check_nothing_is_out_of_scope() -> None:
    trust = read_trust(tiny_trust(scope=None), LABELS)
    assert trust.scope_threshold is None
    for score in (None, 9.0):
        assert decided(score=score, trust=trust).reasons == ()


@pytest.mark.parametrize("mode", SCOPE_MODES)
def test_a_score_that_was_not_computed_is_no_reason(mode: ScopeMode) -> None:
    assert decided(score=None, mode=mode).reasons == ()


def test_every_doubt_abstains_or_is_noted_and_the_table_says_why() -> None:
    assert {*ABSTAINING, *NOTED} == set(Reason) - {Reason.OUT_OF_SCOPE, Reason.AMBIGUOUS}
    assert not set(ABSTAINING) & set(NOTED)
    for reason, why in {**ABSTAINING, **NOTED}.items():
        assert len(why) > 20
        assert decided(doubts=[reason]).reasons == ((reason,) if reason in ABSTAINING else ())


def test_reasons_come_once_and_in_one_order() -> None:
    doubts = [Reason.INVERTED, Reason.SEVERAL_SLICES, Reason.INVERTED, Reason.TOO_SMALL]
    found = decided(TORN, score=2.0, doubts=doubts)
    expected = (
        Reason.OUT_OF_SCOPE,
        Reason.AMBIGUOUS,
        Reason.SEVERAL_SLICES,
        Reason.INVERTED,
    )
    assert found.reasons == expected


@pytest.mark.parametrize("probabilities", [SURE[:3], (*SURE, 0.0)])
def test_another_number_of_probabilities_than_labels_is_a_bug_of_the_caller(
    probabilities: Sequence[float],
) -> None:
    with pytest.raises(ValueError, match="zip"):
        decided(probabilities)


def test_a_decision_cannot_be_changed_and_its_fields_are_named() -> None:
    found = decided(TORN)
    with pytest.raises(FrozenInstanceError):
        found.decision = "accept"  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        Decision("accept", (), ("glioma",))  # type: ignore[call-arg]
