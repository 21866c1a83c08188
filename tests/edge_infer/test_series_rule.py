from typing import Any

import numpy as np
import pytest
from tiny_bundle import tiny_series

from edge_infer.classes import BRAIN, Classes
from edge_infer.contract import LABELS
from edge_infer.errors import BundleIncompatible
from edge_infer.series_rule import SeriesRule, read_series_rule, score_of


def rule(**changes: Any) -> SeriesRule:
    found = read_series_rule(tiny_series(**changes))
    assert found is not None
    return found


def logits(*tumour: float, label: str = "glioma") -> np.ndarray[Any, Any]:
    """Make logits whose softmax at temperature 1 gives these probabilities of one tumour, the rest to no_tumor."""
    rows = np.full((len(tumour), len(LABELS)), -50.0)
    shares = np.clip(np.array(tumour), 1e-9, 1 - 1e-9)
    rows[:, LABELS.index(label)] = np.log(shares)
    rows[:, LABELS.index("no_tumor")] = np.log(1 - shares)
    return rows


def thick(count: int) -> np.ndarray[Any, Any]:
    return np.arange(count) * 6.5


def test_the_score_is_the_largest_mean_of_neighbours() -> None:
    found = score_of(logits(0.9, 0.1, 0.6, 0.8, 0.2), thick(5), BRAIN, rule(temperature=1.0))
    assert found is not None
    assert found.score == pytest.approx(0.7)
    assert (found.first, found.last, found.label) == (2, 3, "glioma")


def test_one_slice_alone_is_no_evidence() -> None:
    alone = score_of(logits(0, 0, 1, 0, 0), thick(5), BRAIN, rule(temperature=1.0))
    two = score_of(logits(0, 1, 1, 0, 0), thick(5), BRAIN, rule(temperature=1.0))
    assert alone is not None
    assert two is not None
    assert alone.score == pytest.approx(0.5, abs=1e-6)
    assert two.score == pytest.approx(1.0, abs=1e-6)


def test_thin_slices_need_as_many_as_reach_as_far() -> None:
    two_of_many = logits(*[0.0] * 20, 1.0, 1.0, *[0.0] * 20)
    thin = score_of(two_of_many, np.arange(42) * 1.0, BRAIN, rule(temperature=1.0))
    assert thin is not None
    assert thin.last - thin.first == 6
    assert thin.score == pytest.approx(2 / 7, abs=1e-6)


def test_the_label_is_the_tumour_of_the_run_and_never_the_healthy_class() -> None:
    rows = np.concatenate([logits(0.3, 0.3, label="pituitary"), logits(0.1, label="glioma")])
    found = score_of(rows, thick(3), BRAIN, rule())
    assert found is not None
    assert found.label == "pituitary"


def test_a_run_does_not_reach_over_a_gap() -> None:
    hot = logits(0, 1, 1, 0, 0)
    over = score_of(hot, thick(5), BRAIN, rule(temperature=1.0), gaps=[2])
    beside = score_of(hot, thick(5), BRAIN, rule(temperature=1.0), gaps=[1, 3])
    none = score_of(hot, thick(5), BRAIN, rule(temperature=1.0), gaps=[1, 2, 3, 4])
    assert over is not None
    assert beside is not None
    assert over.score == pytest.approx(0.5, abs=1e-6)
    assert beside.score == pytest.approx(1.0, abs=1e-6)
    assert none is None


def test_a_series_too_short_for_a_run_has_no_score() -> None:
    assert score_of(logits(1.0), thick(1), BRAIN, rule()) is None
    assert score_of(logits(1.0, 1.0, 1.0), np.arange(3) * 1.0, BRAIN, rule()) is None


def test_the_rule_has_a_temperature_of_its_own() -> None:
    rows = logits(0.7, 0.7)
    warm, cold = (
        score_of(rows, thick(2), BRAIN, rule(temperature=temperature)) for temperature in (2.0, 0.5)
    )
    assert warm is not None
    assert cold is not None
    assert warm.score < 0.7 < cold.score


def test_a_bundle_without_a_rule_has_none() -> None:
    assert read_series_rule(None) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rule": "any-slice"}, "series.rule"),
        ({"slices": 0}, "series.slices"),
        ({"slices": 2.5}, "series.slices"),
        ({"length_mm": -1}, "series.length_mm"),
        ({"length_mm": float("nan")}, "series.length_mm"),
        ({"positive": 1.5}, "series.positive"),
        ({"negative": 0.95}, "series.negative"),
        ({"temperature": 0}, "series.temperature"),
        ({"fitted_on": None}, "series.fitted_on.source"),
        ({"fitted_on": {"source": "x", "patients": 0, "volumes": 1}}, "series.fitted_on.patients"),
        ({"fitted_on": {"source": "x", "patients": 1, "volumes": 1}}, "series.fitted_on.planes"),
    ],
)
def test_a_rule_that_cannot_be_computed_with_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleIncompatible, match=said):
        rule(**change)


def test_a_score_needs_a_negative_class() -> None:
    with pytest.raises(ValueError, match="negative"):
        score_of(logits(1.0, 1.0), thick(2), Classes(LABELS), rule())


def test_the_rule_speaks_of_tumours_only_where_the_classes_are_tumours() -> None:
    own = rule().words(Classes(("cat", "dog", "empty"), "empty"))
    assert own.startswith("the largest mean probability of any class but empty over 2 or more")
    assert "tumour" not in own
    assert "tumour evidence" in rule().words(BRAIN)


def test_a_rule_that_is_no_object_is_refused() -> None:
    with pytest.raises(BundleIncompatible, match="expected an object"):
        read_series_rule([1])  # type: ignore[arg-type]
