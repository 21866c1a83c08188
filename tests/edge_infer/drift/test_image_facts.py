"""Statistics of an image as the model saw it."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.drift.image_facts import FACTS, image_facts


def facts(seen: NDArray[np.uint8]) -> dict[str, float]:
    return dict(zip(FACTS, image_facts(seen), strict=True))


def head() -> NDArray[np.uint8]:
    rows, columns = np.mgrid[-1:1:160j, -1:1:160j]
    inside = (rows / 0.8) ** 2 + (columns / 0.6) ** 2 < 1
    return np.asarray(inside * (100 + 50 * rows), dtype=np.uint8)


def test_what_a_histogram_says_is_what_numpy_says_of_the_pixels() -> None:
    seen = np.random.default_rng(0).integers(0, 256, (64, 48), dtype=np.uint8)
    found = facts(seen)
    assert found["mean"] == pytest.approx(seen.mean(), rel=1e-5)
    assert found["sd"] == pytest.approx(seen.std(), rel=1e-5)
    for name, share in (("median", 0.5), ("p99", 0.99)):
        assert found[name] == np.quantile(seen, share, method="inverted_cdf")
    assert found["background"] == pytest.approx((seen < 16).mean(), rel=1e-5)
    shares = np.unique(seen, return_counts=True)[1] / seen.size
    assert found["grey_entropy"] == pytest.approx(-(shares * np.log2(shares)).sum(), rel=1e-5)


@pytest.mark.parametrize("sigma", [3.0, 10.0])
def test_the_noise_that_was_added_is_found(sigma: float) -> None:
    drawn = np.random.default_rng(1).normal(128, sigma, (160, 160))
    assert facts(drawn.round().astype(np.uint8))["noise"] == pytest.approx(sigma, rel=0.03)


def test_the_head_s_extent_is_found_and_a_mirrored_head_has_the_same_asymmetry() -> None:
    found = facts(head())
    assert found["head_width"] == pytest.approx(0.6, abs=0.03)
    assert found["head_height"] == pytest.approx(0.8, abs=0.03)
    assert found["asymmetry"] == 0
    lopsided = head()
    lopsided[:, :80] //= 2
    assert facts(lopsided)["asymmetry"] > 0.2
    assert facts(lopsided)["asymmetry"] == facts(lopsided[:, ::-1])["asymmetry"]


def test_a_blurred_image_has_fewer_edges() -> None:
    sharp = head()
    blurred = sharp.astype(float)
    for _ in range(5):
        blurred = (blurred + np.roll(blurred, 1, 0) + np.roll(blurred, 1, 1)) / 3
    assert facts(blurred.astype(np.uint8))["edges"] < facts(sharp)["edges"]


@pytest.mark.parametrize("value", [0, 255])
def test_an_even_image_has_finite_facts(value: int) -> None:
    found = image_facts(np.full((3, 3), value, dtype=np.uint8))
    assert all(map(math.isfinite, found))


@pytest.mark.parametrize(
    "seen",
    [np.zeros((2, 8), np.uint8), np.zeros((8, 8), np.float32), np.zeros((1, 8, 8), np.uint8)],
)
def test_other_arrays_are_refused(seen: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        image_facts(seen)
