import numpy as np
import pytest
from numpy.typing import NDArray

from train.counterfactuals.donors import Copy, best_donor, head_mask
from train.counterfactuals.seams import grown
from train.phantoms.head import smooth_noise

SIDE = 80


def symmetric_head() -> NDArray[np.uint8]:
    """An ellipse with texture in air, equal to its mirror image."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    texture = 110 + 18 * smooth_noise(np.random.default_rng(2), SIDE, 16)
    texture = (texture + texture[:, ::-1]) / 2
    inside = np.hypot((rows - 39.5) / 34, (columns - 39.5) / 28) < 1
    return np.where(inside, np.clip(texture, 60, 200), 0).astype(np.uint8)


def region_at(row: int, column: int, radius: int = 6) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.asarray(np.hypot(rows - row, columns - column) < radius)


def test_in_a_symmetric_head_the_other_hemisphere_is_found() -> None:
    head = symmetric_head()
    region = region_at(36, 54)
    ill = np.where(region, np.uint8(250), head)
    donor = best_donor(ill, region, region)
    assert donor is not None
    assert donor.dtype == np.float32
    np.testing.assert_array_equal(donor, head)


def test_what_is_forbidden_is_never_copied() -> None:
    head = symmetric_head()
    region = region_at(36, 54)
    mirrored = region[:, ::-1]
    ill = np.where(region | mirrored, np.uint8(250), head)  # a tumour on both sides
    donor = best_donor(ill, region, region | mirrored)
    assert donor is not None
    assert donor[region].max() < 250


def test_where_everything_is_forbidden_or_moves_out_nothing_fits() -> None:
    head = symmetric_head()
    region = region_at(36, 54)
    assert best_donor(head, region, np.ones_like(region)) is None
    most = np.zeros_like(region)
    most[5:75, 5:75] = True
    assert best_donor(head, most, most) is None


@pytest.mark.parametrize("filled", [False, True])
def test_without_a_region_or_without_surroundings_nothing_fits(filled: bool) -> None:
    assert best_donor(symmetric_head(), np.full((SIDE, SIDE), filled), region_at(9, 9)) is None


def test_air_is_not_put_into_the_head() -> None:
    # The left half is missing: the mirrored place is air.
    head = symmetric_head()
    head[:, : SIDE // 2 - 14] = 0
    region = region_at(36, 52, 5)
    donor = best_donor(head, region, grown(region, 1))
    assert donor is not None
    assert (donor[region] > 0).mean() > 0.88
    alone = np.where(region_at(36, 52, 9), head, np.uint8(0))
    assert best_donor(alone, region, region) is None, "there is nothing else but air"


def test_a_copy_says_where_each_pixel_comes_from() -> None:
    image = np.arange(30).reshape(5, 6)
    where = np.zeros(image.shape, dtype=bool)
    where[2, 3] = where[3, 4] = True
    moved = Copy(down=1, right=2).sources(where)
    assert moved is not None
    assert image[moved].tolist() == [image[1, 1], image[2, 2]]
    mirrored = Copy(down=0, right=1, mirrored_at=5).sources(where)
    assert mirrored is not None
    assert image[mirrored].tolist() == [image[2, 5 - 2], image[3, 5 - 3]]
    assert Copy(down=0, right=4).sources(where) is None


def test_the_head_has_no_holes_and_a_blank_image_no_head() -> None:
    head = symmetric_head()
    hole = np.where(region_at(40, 40, 8), np.uint8(0), head)
    np.testing.assert_array_equal(head_mask(hole), head_mask(head))
    assert head_mask(head).sum() == (head > 0).sum()
    assert not head_mask(np.zeros((SIDE, SIDE), np.uint8)).any()
