"""The three kinds, on phantoms whose healthy state is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from train.counterfactuals.donors import head_mask
from train.counterfactuals.seams import grown
from train.counterfactuals.twins import harmless, pasted, removed

MakePair = Callable[[str, int], Any]


def error(image: NDArray[np.uint8], other: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    return float(np.abs(image[where].astype(float) - other[where]).mean())


@pytest.mark.parametrize("number", range(8))
def test_a_removed_tumour_leaves_what_was_there_before(make_pair: MakePair, number: int) -> None:
    pair = make_pair("disc", number)
    twin = removed(pair.scan, pair.mask)
    assert twin is not None
    assert not twin.mask.any()
    inside = pair.mask
    brighter = pair.scan[inside].mean() - pair.healthy[inside].mean()
    assert brighter > 45
    # Folds and ventricles are not quite symmetric: a quarter of the tumour's brightness is the most that was seen.
    assert abs(twin.image[inside].mean() - pair.healthy[inside].mean()) < 15
    assert error(twin.image, pair.healthy, inside) < 0.4 * error(pair.scan, pair.healthy, inside)


def test_a_tumour_is_not_covered_with_another_part_of_it(make_pair: MakePair) -> None:
    pair = make_pair("disc", 5)
    left = np.arange(pair.scan.shape[1]) < pair.scan.shape[1] / 2
    head = np.where(left, pair.healthy, pair.healthy[:, ::-1])
    both = pair.mask | pair.mask[:, ::-1]
    scan = np.where(both, np.uint8(188), head)  # mirrored, one covers the other best
    twin = removed(scan, both)
    assert twin is not None
    assert abs(twin.image[both].mean() - head[both].mean()) < 15


@pytest.mark.parametrize("label", ["disc", "glioma", "meningioma", "pituitary"])
def test_only_the_region_changes_and_it_holds_the_whole_tumour(
    make_pair: MakePair, label: str
) -> None:
    made = 0
    for number in range(4):
        pair = make_pair(label, number)
        twin = removed(pair.scan, pair.mask)
        if twin is None:
            continue
        made += 1
        np.testing.assert_array_equal(twin.image[~twin.region], pair.scan[~twin.region])
        np.testing.assert_array_equal(twin.region, grown(pair.mask, 2))  # 1.8 % of 96
        assert not np.array_equal(twin.image[pair.mask], pair.scan[pair.mask])
    assert made


@pytest.mark.parametrize("number", range(8))
def test_a_harmless_change_leaves_the_tumour_and_its_margin(
    make_pair: MakePair, number: int
) -> None:
    pair, other = make_pair("disc", number), make_pair("pituitary", number + 1)
    twin = harmless(pair.scan, pair.mask, other.mask, np.random.default_rng(number))
    assert twin is not None
    margin = grown(pair.mask, 4)  # twice 1.8 % of 96
    assert not (twin.region & margin).any()
    np.testing.assert_array_equal(twin.image[margin], pair.scan[margin])
    np.testing.assert_array_equal(twin.mask, pair.mask)
    changed = twin.image != pair.scan
    assert changed.any()
    assert not (changed & ~twin.region).any()
    assert head_mask(pair.scan)[twin.region].mean() >= 0.97


def test_most_heads_have_a_place_for_a_harmless_change(make_pair: MakePair) -> None:
    shape = make_pair("disc", 1).mask
    twins = []
    for number in range(10):
        pair = make_pair("disc", number)
        twins.append(harmless(pair.scan, pair.mask, shape, np.random.default_rng(number)))
    assert sum(twin is not None for twin in twins) >= 8


@pytest.mark.parametrize("number", range(8))
def test_a_pasted_tumour_keeps_its_contrast_and_lies_in_the_head(
    make_pair: MakePair, number: int
) -> None:
    source, head = make_pair("disc", number), make_pair("no_tumor", number + 50)
    twin = pasted(head.scan, source.scan, source.mask)
    assert twin is not None
    assert twin.mask.sum() == source.mask.sum()
    assert head_mask(head.scan)[twin.region].mean() >= 0.97
    np.testing.assert_array_equal(twin.image[~twin.region], head.scan[~twin.region])
    # As bright against what it covers as in its own head, up to the contrast of the two heads.
    own = source.scan[source.mask].mean() - source.healthy[source.mask].mean()
    theirs = twin.image[twin.mask].mean() - head.scan[twin.mask].mean()
    assert 0.6 * own < theirs < 1.6 * own
    assert np.corrcoef(twin.image[twin.mask], source.scan[source.mask])[0, 1] > 0.9


def test_a_tumour_goes_to_the_same_place_of_a_head_of_another_size(make_pair: MakePair) -> None:
    source = make_pair("disc", 3)
    small = np.zeros_like(source.scan)
    small[20:68, 30:78] = make_pair("no_tumor", 60).scan[::2, ::2]
    twin = pasted(small, source.scan, source.mask)
    assert twin is not None
    places = []
    for image, mask in ((source.scan, source.mask), (small, twin.mask)):
        head = np.argwhere(head_mask(image))
        size = np.ptp(head, axis=0) + 1
        places.append((np.argwhere(mask).mean(axis=0) - head.min(axis=0)) / size)
    np.testing.assert_allclose(places[0], places[1], rtol=0, atol=0.02)  # a pixel of 48


def test_what_would_lie_outside_the_head_is_not_pasted(make_pair: MakePair) -> None:
    source, head = make_pair("disc", 0), make_pair("no_tumor", 60)
    inside = np.argwhere(head_mask(source.scan)[48])
    rim = np.zeros_like(source.mask)
    rim[44:52, int(inside.min()) - 4 : int(inside.min()) + 4] = True  # half of it in air
    assert pasted(source.scan, source.scan, rim) is None
    assert pasted(np.zeros_like(head.scan), source.scan, source.mask) is None
    assert pasted(head.scan, source.scan, np.zeros_like(source.mask)) is None


def test_an_empty_outline_gives_nothing(make_pair: MakePair) -> None:
    pair = make_pair("disc", 0)
    nothing = np.zeros_like(pair.mask)
    assert removed(pair.scan, nothing) is None
    assert harmless(pair.scan, pair.mask, nothing, np.random.default_rng(0)) is None


def test_the_seed_alone_decides_where_a_harmless_change_is(make_pair: MakePair) -> None:
    pair, shape = make_pair("no_tumor", 7), make_pair("disc", 1).mask
    twins = [
        harmless(pair.scan, pair.mask, shape, np.random.default_rng(seed)) for seed in (1, 1, 2)
    ]
    images = [twin.image.tobytes() for twin in twins if twin is not None]
    assert len(images) == 3
    assert images[0] == images[1] != images[2]


def test_a_tumour_at_the_border_of_the_image_is_not_removed() -> None:
    image = np.full((64, 64), 110, dtype=np.uint8)
    mask = np.zeros((64, 64), dtype=np.bool_)
    mask[0:6, 20:30] = True
    image[mask] = 250
    assert removed(image, mask) is None
