import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_infer.contract import LABELS
from train.corruption.corruptions import cells, corrupt, corruptions, severities
from train.phantoms import phantom

RANDOM = {"gaussian_noise", "rician_noise", "zoom_in", "zoom_out", "rotation", "bias_field"}


@pytest.fixture(scope="module")
def head() -> NDArray[np.uint8]:
    whole = Image.fromarray(phantom(LABELS[0], np.random.default_rng(4), 128))
    return np.asarray(whole.resize((96, 80)), dtype=np.uint8)


def changed(image: NDArray[np.uint8], kind: str, severity: int) -> float:
    """Mean change over several draws, since the place of a crop is random."""
    return float(
        np.mean(
            [
                np.abs(corrupt(image, kind, severity, seed) - image.astype(float)).mean()
                for seed in range(8)
            ]
        )
    )


def test_every_kind_has_five_severities_and_a_flip_has_one() -> None:
    assert {kind: len(severities(kind)) for kind in corruptions()} == {
        kind: 1 if kind == "horizontal_flip" else 5 for kind in corruptions()
    }
    assert len(cells()) == len(set(cells())) == 5 * len(corruptions()) - 4
    assert len(corruptions()) == 15


@pytest.mark.parametrize(("kind", "severity"), cells())
def test_shape_and_type_stay_the_image_is_left_alone_and_the_result_differs(
    head: NDArray[np.uint8], kind: str, severity: int
) -> None:
    before = head.copy()
    worse = corrupt(head, kind, severity, 0)
    assert (worse.shape, worse.dtype) == (head.shape, np.uint8)
    np.testing.assert_array_equal(head, before)
    if kind != "black_border" or severity > 3:  # a thin black frame on black air is none
        assert (worse != head).any()


@pytest.mark.parametrize("kind", [kind for kind in corruptions() if kind != "horizontal_flip"])
def test_each_severity_is_worse_than_the_one_before(head: NDArray[np.uint8], kind: str) -> None:
    changes = [changed(head, kind, severity) for severity in severities(kind)]
    assert changes == sorted(changes)
    assert changes[-1] > changes[0]


@pytest.mark.parametrize("kind", corruptions())
def test_the_same_seed_gives_the_same_image_and_another_seed_another(
    head: NDArray[np.uint8], kind: str
) -> None:
    one, again = (corrupt(head, kind, 1, (3, 7)) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    others = [corrupt(head, kind, 1, (3, index)) for index in range(8, 16)]
    assert any((one != other).any() for other in others) == (kind in RANDOM)


def test_kind_and_severity_have_noise_of_their_own(head: NDArray[np.uint8]) -> None:
    flat = np.full_like(head, 128)
    one, two = (corrupt(flat, "gaussian_noise", severity, 0).astype(float) for severity in (2, 3))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.05


def test_gamma_and_contrast_go_the_way_they_are_named(head: NDArray[np.uint8]) -> None:
    for severity in severities("gamma_dark"):
        assert corrupt(head, "gamma_dark", severity, 0).mean() < head.mean()
        assert corrupt(head, "gamma_bright", severity, 0).mean() > head.mean()
        assert corrupt(head, "contrast_low", severity, 0).std() < head.std()
        assert corrupt(head, "contrast_high", severity, 0).std() > head.std()


def test_noise_has_the_stated_deviation_and_rician_noise_never_falls_below_black() -> None:
    grey = np.full((200, 200), 128, dtype=np.uint8)
    spread = corrupt(grey, "gaussian_noise", 5, 0).std() / 255
    assert spread == pytest.approx(0.08, rel=0.03)
    air = np.zeros((200, 200), dtype=np.uint8)
    # The mean of Rayleigh's distribution is sigma * sqrt(pi / 2).
    floor = corrupt(air, "rician_noise", 5, 0).mean() / 255
    assert floor == pytest.approx(0.08 * np.sqrt(np.pi / 2), rel=0.03)


def test_jpeg_is_pillows_at_that_quality(head: NDArray[np.uint8]) -> None:
    file = io.BytesIO()
    Image.fromarray(head).save(file, "JPEG", quality=10)
    np.testing.assert_array_equal(corrupt(head, "jpeg", 5, 0), np.asarray(Image.open(file)))


def test_a_flip_mirrors_left_and_right(head: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(corrupt(head, "horizontal_flip", 1, 0), head[:, ::-1])


def test_zooming_out_leaves_the_stated_share_in_a_black_frame() -> None:
    white = np.full((100, 200), 255, dtype=np.uint8)
    small = corrupt(white, "zoom_out", 5, 0)
    assert np.ptp(np.flatnonzero(small.any(axis=1))) + 1 == 60
    assert np.ptp(np.flatnonzero(small.any(axis=0))) + 1 == 120
    assert not small[0].any()
    assert not small[-1].any()


def test_zooming_in_shows_less_and_adds_no_frame() -> None:
    ramp = np.tile(np.linspace(0, 255, 100).astype(np.uint8), (100, 1))
    shown = corrupt(ramp, "zoom_in", 5, 0)
    assert np.ptp(shown.astype(int)) == pytest.approx(0.7 * 255, abs=8)


def test_the_bias_field_is_smooth_and_within_its_amplitude() -> None:
    grey = np.full((96, 96), 100, dtype=np.uint8)
    field = corrupt(grey, "bias_field", 3, 0) / 100
    assert field.min() == pytest.approx(0.7, abs=0.02)
    assert field.max() == pytest.approx(1.3, abs=0.02)
    assert np.abs(np.diff(field, axis=0)).max() < 0.05


@pytest.mark.parametrize(("kind", "value"), [("black_border", 0), ("white_border", 255)])
def test_a_border_covers_its_width_and_nothing_else(kind: str, value: int) -> None:
    grey = np.full((100, 100), 90, dtype=np.uint8)
    framed = corrupt(grey, kind, 5, 0)
    assert (framed[12:-12, 12:-12] == 90).all()
    framed[12:-12, 12:-12] = value
    assert (framed == value).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda grey: corrupt(grey, "snow", 1, 0), "kind is 'snow', expected one of gamma_dark"),
        (lambda grey: corrupt(grey, "blur", 0, 0), r"severity of blur is 0, expected one of"),
        (lambda grey: corrupt(grey, "horizontal_flip", 2, 0), r"expected one of \(1,\)"),
        (lambda grey: corrupt(grey / 255, "blur", 1, 0), "float64"),
        (lambda grey: corrupt(grey[None], "blur", 1, 0), "expected uint8"),
    ],
)
def test_what_is_not_known_is_refused(
    head: NDArray[np.uint8],
    call: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        call(head)
