"""Answers become arrays; of a series, one image counts."""

import numpy as np
import pytest
from drifting import drawn_answers

from edge_infer.drift.gathering import observe
from edge_infer.drift.observing import MEASURES, Answer
from edge_infer.drift.projection import DIMENSIONS, project


def answer(**changed: object) -> Answer:
    fields = {"probabilities": [0.7, 0.1, 0.1, 0.1], "label": "glioma", "decision": "accept"}
    return Answer(**{**fields, **changed})  # type: ignore[arg-type]


def test_of_each_series_one_image_counts_whatever_their_order() -> None:
    slices = [
        answer(series=f"1.2.{series}", key=str(number), scope_score=100.0 * series + number)
        for series in range(50)
        for number in range(20)
    ]
    one, two = observe(slices), observe(slices[::-1])
    assert (len(one), one.answered, one.of_series) == (50, 1000, 50)
    column = list(MEASURES).index("scope_score")
    kept = [sorted(seen.values[:, column].tolist()) for seen in (one, two)]
    assert kept[0] == kept[1]
    # ... and not always the first slice: the middle of a head looks otherwise than its rim.
    places = [round(value) % 100 for value in kept[0]]
    assert 5 < np.mean(places) < 14


def test_images_of_no_series_all_count() -> None:
    seen = observe(answer() for _ in range(7))
    assert (len(seen), seen.of_series) == (7, 0)


def test_doubt_and_entropy_are_those_of_the_probabilities() -> None:
    sure, unsure = observe(
        [answer(probabilities=[1.0, 0, 0, 0]), answer(probabilities=[0.25] * 4)]
    ).values
    assert sure[:2].tolist() == [0, 0]
    assert unsure[:2].tolist() == [0.75, 1]
    assert np.isnan(sure[2:]).all()


def test_the_first_reason_counts() -> None:
    seen = observe([answer(reasons=["out_of_scope", "ambiguous"], decision="abstain"), answer()])
    assert seen.reasons == ("out_of_scope", "none")


def test_huge_scores_are_cut_and_not_infinite() -> None:
    assert np.isfinite(observe([answer(scope_score=1e30)]).values[0, 2])


def test_projections_keep_distances() -> None:
    generator = np.random.default_rng(0)
    unit = generator.normal(size=(60, 1392))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    points = np.stack([project(3 * one) for one in unit]).astype(float)
    assert points.shape == (60, DIMENSIONS)
    assert points[:, -1] == pytest.approx(np.full(60, np.log(3)), abs=1e-3)
    rows, columns = np.triu_indices(60, 1)
    before = ((unit[rows] - unit[columns]) ** 2).sum(axis=1)
    after = ((points[rows, :-1] - points[columns, :-1]) ** 2).mean(axis=1)
    assert (after / before).mean() == pytest.approx(1, abs=0.05)
    assert np.isnan(project(np.full(5, np.nan))).all()


def test_nothing_of_a_drawn_answer_is_lost() -> None:
    answers = list(drawn_answers(3, 0))
    seen = observe(answers)
    assert np.isfinite(seen.values).all()
    assert np.isfinite(seen.points).all()
    assert seen.named("plane") == ("axial", "coronal", "axial")
