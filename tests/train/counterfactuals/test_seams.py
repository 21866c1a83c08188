import numpy as np
import pytest
from numpy.typing import NDArray

from train.counterfactuals.seams import grown, seamless

RNG = np.random.default_rng(5)


def block(shape: tuple[int, int], rows: slice, columns: slice) -> NDArray[np.bool_]:
    region = np.zeros(shape, dtype=bool)
    region[rows, columns] = True
    return region


def dense_reference(
    image: NDArray[np.uint8], region: NDArray[np.bool_], donor: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Solve for the result itself, pixel by pixel: its Laplacian is the donor's, its border the image's."""
    height, width = image.shape
    matrix = np.eye(height * width)
    known = image.astype(np.float64).ravel()
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            if region[row, column]:
                own = row * width + column
                around = [own - width, own + width, own - 1, own + 1]
                matrix[own, own], matrix[own, around] = 4, -1
                known[own] = 4 * donor.ravel()[own] - donor.ravel()[around].sum()
    return np.clip(np.linalg.solve(matrix, known), 0, 255).reshape(image.shape)


def test_a_flat_donor_in_a_linear_image_continues_it_exactly() -> None:
    rows, columns = np.mgrid[:20, :24]
    image = (3 * rows + 5 * columns + 7).astype(np.uint8)
    donor = np.full(image.shape, 90, np.float32)
    region = block(image.shape, slice(4, 15), slice(6, 19))
    np.testing.assert_array_equal(seamless(image, region, donor), image)


def test_the_result_has_the_donors_differences_and_the_images_border() -> None:
    image = RNG.integers(40, 200, (12, 13), dtype=np.uint8)
    donor = RNG.uniform(100, 140, image.shape).astype(np.float32)
    region = RNG.random(image.shape) < 0.4  # in several parts, with single pixels, up to the rim
    expected = dense_reference(image, region, donor)
    result = seamless(image, region, donor)
    # Rounded to whole grey levels.
    np.testing.assert_allclose(result, expected, rtol=0, atol=0.5 + 1e-6)


def test_outside_of_the_region_nothing_changes_and_the_input_is_kept() -> None:
    image = RNG.integers(0, 256, (16, 16), dtype=np.uint8)
    before = image.copy()
    region = block(image.shape, slice(3, 9), slice(5, 12))
    result = seamless(image, region, np.zeros(image.shape, np.float32))
    np.testing.assert_array_equal(result[~region], image[~region])
    assert not np.array_equal(result, image)
    np.testing.assert_array_equal(image, before)
    assert result.dtype == np.uint8


@pytest.mark.parametrize("offset", [-60.0, 17.5, 400.0])
def test_a_constant_offset_of_the_donor_vanishes(offset: float) -> None:
    image = RNG.integers(80, 120, (14, 14), dtype=np.uint8)
    donor = RNG.uniform(90, 110, image.shape).astype(np.float32)
    region = block(image.shape, slice(2, 11), slice(3, 12))
    np.testing.assert_array_equal(
        seamless(image, region, donor + np.float32(offset)), seamless(image, region, donor)
    )


def test_pixels_at_the_images_border_stay_as_they_are() -> None:
    image = RNG.integers(0, 256, (10, 10), dtype=np.uint8)
    everything = np.ones(image.shape, dtype=bool)
    result = seamless(image, everything, np.zeros(image.shape, np.float32))
    for rim in ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)):
        np.testing.assert_array_equal(result[rim], image[rim])
    # With a flat donor each pixel inside is the mean of its neighbours.
    inner = result.astype(float)
    means = (inner[:-2, 1:-1] + inner[2:, 1:-1] + inner[1:-1, :-2] + inner[1:-1, 2:]) / 4
    np.testing.assert_allclose(inner[1:-1, 1:-1], means, rtol=0, atol=1)


@pytest.mark.parametrize("rows", [slice(0, 0), slice(0, 1)])
def test_an_empty_region_or_one_in_the_rim_gives_the_image(rows: slice) -> None:
    image = RNG.integers(0, 256, (8, 8), dtype=np.uint8)
    region = block(image.shape, rows, slice(0, 8))
    result = seamless(image, region, np.zeros(image.shape, np.float32))
    np.testing.assert_array_equal(result, image)
    assert result is not image


def test_grey_levels_stay_in_their_range() -> None:
    image = np.full((9, 9), 250, np.uint8)
    donor = np.zeros(image.shape, np.float32)
    donor[4, 4], donor[4, 5] = 200, -200
    result = seamless(image, block(image.shape, slice(2, 7), slice(2, 7)), donor)
    assert result[4, 4] == 255
    assert result[4, 5] < 250


def test_a_grown_mask_has_what_is_within_so_many_steps() -> None:
    mask = block((9, 9), slice(4, 5), slice(4, 5))
    rows, columns = np.mgrid[:9, :9]
    steps = abs(rows - 4) + abs(columns - 4)
    for pixels in range(4):
        np.testing.assert_array_equal(grown(mask, pixels), steps <= pixels)
    assert grown(mask, 0) is not mask
