import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from train.corruption.neutralised import NEUTRALISED, content_box, neutralise, reference_greys
from train.phantoms import phantom

SIDE = 96


def head(seed: int = 0) -> NDArray[np.uint8]:
    """A head whose greys lie between 60 and 200, on black."""
    grey = phantom("glioma", np.random.default_rng(seed), SIDE).astype(np.float64)
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = ((y - 48) / 40) ** 2 + ((x - 50) / 30) ** 2 < 1
    spread = 60 + 140 * grey / grey.max()
    return np.where(inside, np.rint(spread), 0).astype(np.uint8)


REFERENCE = reference_greys(np.stack([head(seed) for seed in range(4)]), range(4))


def without(grey: NDArray[np.uint8], how: str, number: int = 0) -> NDArray[np.uint8]:
    return neutralise(grey, how, seed=(0, number), reference=REFERENCE)


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_a_head_drawn_small_wide_or_off_the_middle_looks_the_same_without_its_extent() -> None:
    image = Image.fromarray(head())
    expected = without(head(), "extent")
    assert content_box(expected) == (0, 0, SIDE, SIDE)
    for width, height, left, top in ((64, 64, 0, 0), (96, 60, 0, 30), (60, 90, 30, 5)):
        drawn = Image.new("L", (SIDE, SIDE))
        drawn.paste(image.resize((width, height), Image.Resampling.BILINEAR), (left, top))
        changed = np.asarray(drawn)
        assert difference(changed, head()) > 20
        # Drawn smaller, a head has lost detail: edges differ, and nothing else.
        assert difference(without(changed, "extent"), expected) < 9


def test_letters_and_noise_in_the_background_are_not_content() -> None:
    grey = head()
    noise = np.random.default_rng(0).integers(0, 12, grey.shape, dtype=np.uint8)
    marked = np.maximum(grey, noise)
    marked[2:4, 3:5] = 255
    assert content_box(marked) == content_box(grey)
    assert content_box(np.zeros((8, 12), dtype=np.uint8)) == (0, 0, 12, 8)


def test_every_image_gets_the_same_black_frame() -> None:
    for how in ("rim", "all"):
        framed = without(np.full((SIDE, SIDE), 255, dtype=np.uint8), how)
        width = round(0.1 * SIDE)
        rim = np.ones((SIDE, SIDE), dtype=bool)
        rim[width:-width, width:-width] = False
        assert not framed[rim].any()
        assert framed[~rim].all()


def test_orientation_is_one_of_eight_drawn_for_each_image() -> None:
    grey = head()
    ways = [np.rot90(it, turn) for it in (grey, grey[:, ::-1]) for turn in range(4)]
    seen = set()
    for number in range(60):
        turned = without(grey, "orientation", number)
        np.testing.assert_array_equal(turned, without(grey, "orientation", number))
        seen |= {way for way, its in enumerate(ways) if np.array_equal(its, turned)}
    assert seen == set(range(8))
    oblong = head()[:60]
    assert {without(oblong, "orientation", number).shape for number in range(9)} == {(60, SIDE)}


def test_window_and_gamma_leave_no_trace_in_the_intensity() -> None:
    grey = head()
    expected = without(grey, "intensity")
    greys = np.arange(256, dtype=np.float64)
    for curve in (greys * 0.55 + 4 * (greys > 0), 255 * (greys / 255) ** 0.7 + greys / 50):
        table = np.where(greys > 0, np.rint(curve), 0).astype(np.uint8)
        used = np.unique(grey)
        injective = len(np.unique(table[used])) == len(used)
        changed = without(table[grey], "intensity")
        assert difference(table[grey], grey) > 10
        # If a curve maps two greys to one, they stay one.
        assert difference(changed, expected) < (0.01 if injective else 1)


def test_every_head_gets_the_distribution_of_the_reference() -> None:
    for seed in (7, 8):
        equal = without(head(seed), "intensity")
        greys = equal[head(seed) > 0]
        cuts = np.quantile(greys, (0.1, 0.5, 0.9))
        np.testing.assert_allclose(cuts, np.quantile(REFERENCE, (0.1, 0.5, 0.9)), atol=3)
        assert not equal[head(seed) == 0].any()


def test_all_is_each_of_them_and_an_unknown_way_is_refused() -> None:
    stepwise = head()
    for how in ("intensity", "extent", "orientation", "rim"):
        stepwise = without(stepwise, how, number=5)
    np.testing.assert_array_equal(without(head(), "all", number=5), stepwise)
    assert set(NEUTRALISED) == {"intensity", "extent", "orientation", "rim", "all"}
    with pytest.raises(ValueError, match="colour"):
        without(head(), "colour")
