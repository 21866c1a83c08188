import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.contract import LABELS
from train.phantoms import phantom
from train.phantoms.head import smooth_noise
from train.splits.copies import THRESHOLD, find_copies


@pytest.fixture(scope="module")
def heads() -> NDArray[np.uint8]:
    """24 distinct phantoms, uint8, (24, 64, 64)."""
    return np.stack([phantom(LABELS[n % 4], np.random.default_rng([9, n]), 64) for n in range(24)])


def pairs_of(images: NDArray[np.uint8]) -> list[tuple[int, int, str]]:
    return [(copy.first, copy.second, copy.kind) for copy in find_copies(images)]


def test_distinct_heads_are_no_copies(heads: NDArray[np.uint8]) -> None:
    assert find_copies(heads) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda x: x, "near"),
        (lambda x: x[:, ::-1], "mirrored"),
        (lambda x: x[::-1], "mirrored"),
        (lambda x: x.T, "mirrored"),
        (lambda x: x[::-1, ::-1].T, "mirrored"),
        (lambda x: np.rot90(x), "turned"),
        (lambda x: np.rot90(x, 2), "turned"),
        (lambda x: np.rot90(x, 3), "turned"),
    ],
    ids=["same", "left-right", "up-down", "transposed", "anti-transposed", "90", "180", "270"],
)
@pytest.mark.parametrize("order", ["copy-last", "copy-first"])
def test_every_orientation_is_found_and_named(
    heads: NDArray[np.uint8], change: object, kind: str, order: str
) -> None:
    copy = change(heads[5]) // 2 + 20  # type: ignore[operator]
    noise = np.random.default_rng(0).integers(0, 3, copy.shape)
    copy = (copy + noise).astype(np.uint8)[None]
    if order == "copy-last":
        assert pairs_of(np.concatenate([heads, copy])) == [(5, 24, kind)]
    else:
        assert pairs_of(np.concatenate([copy, heads])) == [(0, 6, kind)]


def test_the_bound_loses_no_pair_that_comparing_everything_finds(
    heads: NDArray[np.uint8],
) -> None:
    rng = np.random.default_rng(4)
    # Noise is lost in the projection, so the bound is loose; a slow change is kept, so it is tight.
    fine = [rng.normal(0, sigma, (64, 64)) for sigma in (2, 5, 8, 11, 14)]
    slow = [sigma * smooth_noise(rng, 64, 3) for sigma in (2, 4, 6, 8, 10, 12)]
    changed = [
        np.clip(heads[n] + change, 0, 255).astype(np.uint8)
        for n in range(12)
        for change in (*fine, *slow)
    ]
    images = np.concatenate([heads, np.stack(changed)])
    flat = images.reshape(len(images), -1).astype(np.float64)
    brute = np.corrcoef(flat)
    clear = np.abs(brute - THRESHOLD) > 1e-5  # float32 may decide otherwise on the very edge
    expected = {
        (i, j) for i, j in zip(*np.nonzero((brute >= THRESHOLD) & clear), strict=True) if i < j
    }
    copies = find_copies(images)
    found = {(c.first, c.second) for c in copies if clear[c.first, c.second]}
    assert 100 < len(expected) < 600
    assert found == expected
    for copy in copies:
        assert copy.score == pytest.approx(brute[copy.first, copy.second], abs=1e-5)


def test_blank_images_match_nothing_and_give_no_nan() -> None:
    rng = np.random.default_rng(0)
    blank = np.zeros((3, 64, 64), np.uint8)
    blank[1] = 255
    faint = (100 + rng.integers(0, 2, (64, 64))).astype(np.uint8)
    assert find_copies(np.concatenate([blank, np.stack([faint, faint])])) == []


def test_equal_digests_come_before_likeness(heads: NDArray[np.uint8]) -> None:
    images = np.stack([heads[0], heads[0], heads[0], heads[1]])
    copies = find_copies(
        images, file_digests=["a", "a", "b", "c"], image_digests=["p", "p", "p", "q"]
    )
    assert [(c.first, c.second, c.kind, c.score) for c in copies] == [
        (0, 1, "bytes", 1.0),
        (0, 2, "pixels", 1.0),
        (1, 2, "pixels", 1.0),
    ]


def test_no_images_give_no_copies() -> None:
    assert find_copies(np.zeros((0, 64, 64), np.uint8)) == []


def test_other_shapes_are_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(N, 64, 64\)"):
        find_copies(np.zeros((2, 32, 32), np.uint8))
