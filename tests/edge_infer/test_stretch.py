"""Percentiles in place of a window."""

import numpy as np

from edge_infer.stretch import stretch


def test_one_value_in_five_hundred_is_white_and_one_in_a_thousand_black() -> None:
    values = np.random.default_rng(0).permutation(100_000).reshape(100, 1000).astype(float)
    grey = stretch(values)
    assert grey is not None
    assert (grey == 255).sum() == 200
    assert (grey == 0).sum() == 100


def test_scale_and_offset_do_not_matter() -> None:
    values = np.random.default_rng(1).gamma(2, 300, (50, 50))
    np.testing.assert_allclose(stretch(values), stretch(values * 2.36 - 1000), atol=1e-9)


def test_what_is_no_number_is_black_and_not_counted() -> None:
    values = np.random.default_rng(2).uniform(10, 20, (50, 50))
    holes = values.copy()
    holes[:5], holes[5] = np.nan, np.inf
    grey = stretch(holes)
    assert grey is not None
    assert not grey[:6].any()
    np.testing.assert_allclose(grey[6:], stretch(values[6:]), atol=1e-9)


def test_what_is_not_counted_does_not_shift_the_others() -> None:
    values = np.random.default_rng(3).uniform(10, 20, (50, 50))
    padded = np.where(np.arange(50)[:, None] < 10, -2000, values)
    grey = stretch(padded, padded > -2000)
    assert grey is not None
    np.testing.assert_allclose(grey[10:], stretch(values[10:]), atol=1e-9)


def test_a_slice_of_few_bright_pixels_is_stretched_between_its_extremes() -> None:
    values = np.zeros((100, 100))
    values[0, :3] = (1, 2, 4)
    grey = stretch(values)
    assert grey is not None
    np.testing.assert_allclose(grey[0, :3], [63.75, 127.5, 255])


def test_a_blank_slice_has_no_grey_levels() -> None:
    assert stretch(np.full((9, 9), 7.0)) is None
    assert stretch(np.full((9, 9), np.nan)) is None


def test_values_near_the_largest_number_do_not_overflow() -> None:
    grey = stretch(1.7e308 * np.linspace(-1, 1, 10_000).reshape(100, 100))
    assert grey is not None
    assert (grey.min(), grey.max()) == (0, 255)
