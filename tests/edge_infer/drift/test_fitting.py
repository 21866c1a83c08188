"""Observations become a baseline that holds numbers of many images."""

import numpy as np
import pytest
from drifting import baseline_of, drawn, drawn_answers, repeated

from edge_infer.contract import LABELS
from edge_infer.drift.fitting import LEAST_REFERENCE, fit_baseline
from edge_infer.drift.gathering import observe


def test_images_of_one_patient_count_as_few() -> None:
    """Copies of an image tell nothing more, so five of each are worth what one is."""
    seen = drawn(80, 0)
    copies, patients = repeated(seen, 5)
    part = baseline_of(copies, groups=patients).parts[0]
    assert part.n == 400
    for effective in part.effective_n.values():
        assert effective == pytest.approx(80, rel=0.02)
    assert part.shares["label"].effective_n == pytest.approx(80, rel=0.02)
    alone = baseline_of(copies).parts[0]
    assert all(effective == 400 for effective in alone.effective_n.values())


def test_an_unknown_patient_is_one_of_its_own() -> None:
    assert baseline_of(drawn(120, 0), groups=["a", "a", *[""] * 118]).groups == 119


def test_points_have_the_mix_of_all_images_whoever_they_are_of() -> None:
    """Patients with one image each must not be more of the points than of the images: a window is as all images are."""
    many = drawn_answers(300, 0, label="glioma")
    few = drawn_answers(200, 1, label="no_tumor")
    groups = ["the same"] * 300 + [f"patient {number}" for number in range(200)]
    points = baseline_of(observe([*many, *few]), groups=groups).points
    assert points is not None
    assert len(points.labels) == 256
    share = (points.labels == LABELS.index("no_tumor")).mean()
    assert share == pytest.approx(0.4, abs=0.08)  # 2.6 standard errors of 256 images


def test_parts_of_few_images_are_left_out() -> None:
    few = [*drawn_answers(300, 0, label="glioma"), *drawn_answers(50, 1, label="pituitary")]
    baseline = baseline_of(observe(few))
    assert [(part.by, part.name) for part in baseline.parts] == [(None, None), ("label", "glioma")]
    assert LEAST_REFERENCE == 100


def test_measures_that_an_image_lacks_are_left_out() -> None:
    baseline = baseline_of(drawn(150, 0, facts=None, scope_score=None, embedding=None))
    assert set(baseline.parts[0].quantiles) == {"doubt", "entropy"}
    assert baseline.points is None


def test_no_embedding_is_kept_where_none_is_asked_for() -> None:
    assert (
        fit_baseline(drawn(150, 0), labels=LABELS, source="x", with_points=False)["embedding"]
        is None
    )
    with pytest.raises(ValueError, match="needs images"):
        fit_baseline(observe(()), labels=LABELS, source="x")


def test_the_same_images_give_the_same_baseline() -> None:
    one, two = (fit_baseline(drawn(300, 4), labels=LABELS, source="x") for _ in range(2))
    assert one == two
    assert np.isfinite(drawn(300, 4).values).all()


def test_of_too_many_parts_the_largest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_infer.drift.fitting._MOST_PARTS", 2)
    answers = [*drawn_answers(120, 0, device="a"), *drawn_answers(200, 1, device="b")]
    baseline = baseline_of(observe(answers), by=("device",))
    assert [part.name for part in baseline.parts] == [None, "b"]
