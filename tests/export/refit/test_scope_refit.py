"""A few wrong images without labels hardly move the scope threshold; a site's own images do."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.classifier import Classifier
from export.refit.scope_refit import refit_scope, within_fence
from export.trust.scope_fit import threshold_at

OLD: dict[str, Any] = {"threshold": 2.0, "accepted": 0.95, "fitted_on": {"n_train": 9}}


def usual(count: int, seed: int = 0, centre: float = 1.5) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(centre, 0.25, count)


@pytest.mark.parametrize(("right", "wrong"), [(48, 2), (95, 5), (100, 8)])
def test_a_few_wrong_ones_hardly_move_the_threshold(right: int, wrong: int) -> None:
    scores = usual(right)
    mixed = np.concatenate([np.linspace(3.0, 3.4, wrong), scores])
    fitted = refit_scope(OLD, mixed, labelled=False, source="x")
    assert abs(fitted.described["threshold"] - threshold_at(scores)) < 0.15
    # The farthest first, and all that is left out is named.
    assert fitted.far[:wrong] == tuple(reversed(range(wrong)))
    assert fitted.described["fitted_on"]["n_threshold"] == len(mixed) - len(fitted.far)


def test_with_labels_every_image_counts() -> None:
    mixed = np.concatenate([usual(95), np.full(5, 3.2)])
    fitted = refit_scope(OLD, mixed, labelled=True, source="x")
    assert fitted.described["threshold"] == threshold_at(mixed)
    assert fitted.far == ()


def test_a_site_that_is_a_little_different_raises_it() -> None:
    scores = usual(200, centre=1.95)
    fitted = refit_scope(OLD, scores, labelled=False, source="x")
    assert fitted.described["threshold"] == pytest.approx(threshold_at(scores), abs=0.05)
    assert fitted.described["threshold"] > 2.3
    newly = scores[list(fitted.newly)]
    assert ((newly > 2.0) & (newly <= fitted.described["threshold"])).all()
    assert (np.diff(newly) <= 0).all()


def test_scores_that_are_all_the_same_are_all_usual() -> None:
    assert within_fence(np.full(50, 1.0)).all()


@pytest.mark.real_scans
@pytest.mark.parametrize(("right", "wrong"), [(48, 2), (95, 5), (100, 8)])
def test_chest_x_rays_among_scans(real_scans: Path, right: int, wrong: int) -> None:
    with (real_scans / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            real_scans / row["path"]
            for row in csv.DictReader(file)
            if row["dataset"] == "brisc2025" and row["proposed_split"] == "val"
        ]
    strange = sorted((real_scans / "external" / "out_of_scope").rglob("*.jpg"))
    generator = np.random.default_rng(0)
    classifier = Classifier.load()

    def scored(paths: list[Path], count: int) -> NDArray[np.float64]:
        chosen = [paths[row] for row in generator.permutation(len(paths))[:count]]
        found = [one.scope_score for one in classifier.predict_many(chosen)]
        return np.array(found, dtype=np.float64)

    scans, others = scored(rows, right), scored(strange, wrong)
    trust = classifier.bundle.manifest["trust"]["scope"]
    mixed = np.concatenate([scans, others])
    fitted = refit_scope(trust, mixed, labelled=False, source="x").described["threshold"]
    assert abs(fitted - threshold_at(scans)) < 0.2
    assert threshold_at(mixed) - threshold_at(scans) > 0.3, "without the fence they do move it"
