"""Slices turned as a radiologist sees them: all 48 ways to store a volume show the same."""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.slice_view import geometry_of, shown_image, square_size, view_of

AXES = np.eye(3)
#: As shown: a slice of V[z, y, x] (x to the left, y to the back, z to the head), by the axis that is its normal.
SHOWN = {
    2: lambda volume, at: volume[at],  # axial: rows to the back, columns to the left
    1: lambda volume, at: volume[::-1, at],  # coronal: rows to the feet
    0: lambda volume, at: volume[::-1, :, at],  # sagittal: rows to the feet, columns to the back
}


def _ways() -> Iterator[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            yield order, signs


def _stored(
    volume: NDArray[np.uint8], order: tuple[int, ...], signs: tuple[int, ...], at: int
) -> NDArray[np.uint8]:
    """Return a slice stored with these axes: (of its normal, of rising row, of rising column)."""
    turned = volume.transpose([2 - axis for axis in order])
    for place, sign in enumerate(signs):
        turned = turned if sign > 0 else np.flip(turned, place)
    size = turned.shape[0]
    return turned[at if signs[0] > 0 else size - 1 - at]


@pytest.mark.parametrize(("order", "signs"), list(_ways()))
def test_every_way_to_store_a_volume_shows_the_same(
    order: tuple[int, int, int], signs: tuple[int, int, int]
) -> None:
    volume = np.random.default_rng(0).integers(0, 256, (5, 6, 7), dtype=np.uint8)
    normal, down, across = (sign * AXES[axis] for axis, sign in zip(order, signs, strict=True))
    found = geometry_of(across, down, 2 * normal, spacing=(1.0, 1.0), size=(6, 6))
    assert found is not None
    geometry, view = found
    assert geometry.plane == ("sagittal", "coronal", "axial")[order[0]]
    assert geometry.tilt_degrees == pytest.approx(0)
    assert geometry.normal == tuple(AXES[order[0]])
    assert geometry.position_mm == pytest.approx(2 * signs[0])
    image = shown_image(_stored(volume, order, signs, 2), view, None)
    np.testing.assert_array_equal(np.asarray(image), SHOWN[order[0]](volume, 2))


def test_a_tilted_slice_belongs_to_the_nearest_plane() -> None:
    angle = np.radians(20)
    row, column = AXES[0], np.array([0, np.cos(angle), -np.sin(angle)])
    found = geometry_of(row, column, np.zeros(3), spacing=None, size=(9, 9))
    assert found is not None
    assert (found[0].plane, found[0].shown) == ("axial", "as stored")
    assert found[0].tilt_degrees == pytest.approx(20)


@pytest.mark.parametrize(
    ("row", "column", "position"),
    [
        ((1, 0, 0), (1, 0, 0), (0, 0, 0)),  # the same direction twice
        ((1, 0, 0), (0.5, 0.87, 0), (0, 0, 0)),  # 60 degrees
        ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
        ((2, 0, 0), (0, 1, 0), (0, 0, 0)),
        ((np.nan, 0, 0), (0, 1, 0), (0, 0, 0)),
        ((1, 0, 0), (0, 1, 0), (0, 0, np.inf)),
        ((1, 0, 0), (0, 1, 0), (0, 0, 1e9)),
    ],
)
def test_directions_that_are_none_give_no_geometry(
    row: tuple[float, ...], column: tuple[float, ...], position: tuple[float, ...]
) -> None:
    given = (np.array(one, dtype=float) for one in (row, column, position))
    assert geometry_of(*given, spacing=None, size=(9, 9)) is None


def test_rounded_directions_are_believed() -> None:
    row, column = np.array([0.999, -0.022, 0.038]), np.array([0.027, 0.991, -0.128])
    assert geometry_of(row, column, np.zeros(3), spacing=None, size=(9, 9)) is not None


def test_what_was_done_is_said() -> None:
    _, view = view_of(-AXES[1], -AXES[0])
    assert (
        view.words
        == "rows and columns swapped, then mirrored left to right, then turned upside down"
    )
    assert view_of(AXES[0], AXES[1])[1].words == "as stored"


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        ((1.0, 1.0), None),
        ((1.0, 1.005), None),
        ((2.0, 1.0), (200, 50)),
        ((1.0, 2.0), (100, 100)),
        ((50.0, 1.0), None),  # not to be believed
        (None, None),
    ],
)
def test_pixels_become_square_without_losing_any(
    spacing: tuple[float, float] | None, expected: tuple[int, int] | None
) -> None:
    assert square_size((100, 50), spacing) == expected


def test_a_disc_stored_with_flat_pixels_is_shown_round() -> None:
    rows, columns = np.mgrid[-1:1:60j, -1:1:120j]
    disc = ((rows**2 + columns**2 < 0.8) * 200).astype(np.uint8)
    found = geometry_of(AXES[1], AXES[0], np.zeros(3), spacing=(2.0, 1.0), size=disc.shape)
    assert found is not None
    assert found[0].spacing_mm == (1.0, 1.0)
    assert found[0].shown.endswith("resampled to square pixels")
    image = np.asarray(shown_image(disc, found[1], (2.0, 1.0)))
    assert image.shape == (120, 120)
    assert abs((image > 100).any(axis=0).sum() - (image > 100).any(axis=1).sum()) <= 2


def test_spacing_is_that_of_the_shown_slice() -> None:
    found = geometry_of(AXES[1], AXES[0], np.zeros(3), spacing=(1.0, 1.008), size=(9, 9))
    assert found is not None
    assert found[0].spacing_mm == (1.008, 1.0)
