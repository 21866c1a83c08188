import json

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.errors import DataRefused
from edge_infer.figures import intervals
from train.metrics.figures import classification_metrics
from train.metrics.missed import (
    classes_of_metrics,
    missed_figure,
    missed_in,
    needs_negative,
    negative_field,
)

LABELS = np.array([0, 0, 1, 1, 2, 2, 2])
ANSWERS = np.array([0, 1, 1, 1, 1, 2, 2])


@pytest.fixture(autouse=True)
def _quick_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_RESAMPLES", 20)


def one_hot(answers: NDArray[np.int64], classes: Classes) -> NDArray[np.float64]:
    return np.eye(len(classes))[answers]


def test_what_is_missed_is_counted_for_the_negative_class_whatever_its_place() -> None:
    for negative, missed, of in (("b", 2, 5), ("a", 0, 5), ("c", 0, 4)):
        classes = Classes(("a", "b", "c"), negative)
        metrics = classification_metrics(LABELS, one_hot(ANSWERS, classes), classes)
        found = missed_figure(metrics)
        assert found is not None
        words, figure = found
        assert words == f"another class called {negative}"
        assert (figure["value"], figure["n"]) == (missed / of, of)
        assert metrics["positive_called_negative"] == figure
        assert "tumor_called_no_tumor" not in metrics


def test_without_a_negative_class_nothing_is_missed() -> None:
    classes = Classes(("a", "no_tumor", "c"))
    metrics = classification_metrics(LABELS, one_hot(ANSWERS, classes), classes)
    assert missed_figure(metrics) is None
    assert "positive_called_negative" not in metrics
    assert metrics["negative_label"] is None


def test_the_brain_classes_keep_their_keys() -> None:
    metrics = classification_metrics(LABELS, one_hot(ANSWERS, BRAIN), BRAIN)
    assert "negative_label" not in metrics
    found = missed_figure(metrics)
    assert found is not None
    assert found == ("tumour called no_tumor", metrics["tumor_called_no_tumor"])
    assert missed_in({}) == ("tumor_called_no_tumor", "tumour called no_tumor")
    assert negative_field(BRAIN) == {}


@pytest.mark.parametrize(
    "classes",
    [BRAIN, Classes(("a", "b", "c")), Classes(("no_tumor", "x", "y")), Classes(("u", "v"), "v")],
)
def test_classes_are_read_back_from_metrics(classes: Classes) -> None:
    labels = np.arange(len(classes))
    metrics = classification_metrics(labels, one_hot(labels, classes), classes)
    assert classes_of_metrics(json.loads(json.dumps(metrics))) == classes


def test_what_needs_a_negative_class_says_how_to_name_one() -> None:
    assert needs_negative(BRAIN, "x") == 2
    with pytest.raises(DataRefused, match="a map needs a class that says") as caught:
        needs_negative(Classes(("a", "b")), "a map")
    assert "--negative" in str(caught.value.hint)
