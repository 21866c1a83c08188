import numpy as np
import pytest
from PIL import Image

from edge_infer.heatmap import relative_strength
from train.evaluation.evidence_maps import (
    best_overlap,
    enlarged,
    mass_inside,
    peak,
    relative_evidence,
    widened,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(36, 63), (20, 7), (4, 35)])  # an odd number of pixels a cell
def test_the_peak_is_where_the_enlarged_map_is_largest(shape: tuple[int, int]) -> None:
    for _ in range(20):
        relative = RNG.normal(size=(4, 7)).astype(np.float32)
        y, x = peak(relative, shape)
        large = enlarged(relative, shape)
        assert large.shape == shape
        assert large[int(y), int(x)] == large.max()
        assert (y % 1, x % 1) == (0.5, 0.5)


def test_the_map_is_the_one_that_the_heat_map_draws() -> None:
    evidence = RNG.normal(size=(4, 8, 8)).astype(np.float32)
    drawn = relative_strength(evidence, 1, (96, 96))
    relative = relative_evidence(evidence, 1)
    np.testing.assert_allclose(
        enlarged(relative, (96, 96)) / np.abs(relative).max(), drawn, atol=1e-6
    )


@pytest.mark.parametrize("radius", [0.0, 1.0, 3.7, 7.5])
def test_widening_takes_in_all_within_the_radius_and_nothing_else(radius: float) -> None:
    mask = np.zeros((20, 24), dtype=bool)
    mask[4:6, 3] = mask[0, 20] = mask[19, 23] = True
    places = np.argwhere(mask)
    expected = [
        [bool((np.hypot(*(places - (y, x)).T) <= radius).any()) for x in range(24)]
        for y in range(20)
    ]
    np.testing.assert_array_equal(widened(mask, radius), expected)


def test_the_mass_inside_counts_what_speaks_for_the_class() -> None:
    evidence = np.array([[3.0, 1.0], [-50.0, 4.0]], dtype=np.float32)
    mask = np.array([[True, False], [True, False]])
    assert mass_inside(evidence, mask) == pytest.approx(3 / 8)
    assert mass_inside(-np.ones((2, 2), dtype=np.float32), mask) == 0


def test_the_best_overlap_is_that_of_the_best_threshold() -> None:
    for _ in range(5):
        evidence = RNG.normal(size=(6, 6)).astype(np.float32)
        mask = np.asarray(Image.fromarray(evidence > 0.3).rotate(90))
        tried = [
            ((evidence >= cut) & mask).sum() / ((evidence >= cut) | mask).sum()
            for cut in evidence.ravel()
        ]
        assert best_overlap(evidence, mask) == pytest.approx(max(tried))
