import pytest
import torch
from torch import Generator, Tensor

from train.augmentation import augment
from train.recipe import Augmentation

STRONG = Augmentation(
    rotation_degrees=30,
    scale=(0.6, 1.3),
    aspect=0.2,
    shift=0.1,
    horizontal_flip=0.5,
    vertical_flip=0.5,
    brightness=0.5,
    contrast=0.5,
    gamma=0.7,
    noise=0.2,
    blur=0.5,
    erase=0.5,
)


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 6, height: int = 24, width: int = 20) -> Tensor:
    return torch.rand(count, 1, height, width, generator=seeded(99))


def test_the_same_generator_state_gives_the_same_views() -> None:
    grey = pictures()
    assert torch.equal(augment(grey, STRONG, seeded(1)), augment(grey, STRONG, seeded(1)))
    assert not torch.equal(augment(grey, STRONG, seeded(1)), augment(grey, STRONG, seeded(2)))


def test_nothing_is_drawn_from_the_global_generator() -> None:
    before = torch.random.get_rng_state()
    augment(pictures(), STRONG, seeded())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_with_everything_at_zero_the_pictures_stay_as_they_are() -> None:
    grey = pictures()
    views = augment(grey, Augmentation(), seeded())
    torch.testing.assert_close(views, grey, rtol=0, atol=1e-5)


def test_strength_zero_switches_off_all_but_the_flips() -> None:
    settings = Augmentation(
        rotation_degrees=30, scale=(0.5, 1.5), shift=0.2, gamma=1, blur=1, erase=1
    )
    grey = pictures()
    views = augment(grey, settings, seeded(), strength=0.0)
    # An exponent of 1 still lifts black to 1e-4, where powers are safe.
    torch.testing.assert_close(views, grey, rtol=0, atol=1.1e-4)


def test_views_keep_shape_and_range() -> None:
    grey = pictures(32)
    for seed in range(5):
        views = augment(grey, STRONG, seeded(seed))
        assert views.shape == grey.shape
        assert views.dtype == torch.float32
        assert 0 <= float(views.min()) <= float(views.max()) <= 1


@pytest.mark.parametrize(("flip", "axis"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_flips_mirror_the_picture(flip: str, axis: int) -> None:
    grey = pictures()
    views = augment(grey, Augmentation(**{flip: 1.0}), seeded())
    torch.testing.assert_close(views, grey.flip(axis), rtol=0, atol=1e-5)


def test_about_half_of_the_pictures_are_flipped_at_probability_one_half() -> None:
    grey = pictures(400)
    views = augment(grey, Augmentation(horizontal_flip=0.5), seeded())
    flipped = (views - grey.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-4
    assert 160 < int(flipped.sum()) < 240  # 200 expected, standard deviation 10


def test_a_scale_over_one_zooms_out_and_leaves_a_black_rim() -> None:
    white = torch.ones(3, 1, 32, 32)
    view = augment(white, Augmentation(scale=(2.0, 2.0)), seeded())
    assert float(view[:, :, :7].max()) == float(view[:, :, :, -7:].max()) == 0
    torch.testing.assert_close(view[:, :, 9:23, 9:23], torch.ones(3, 1, 14, 14))


def test_a_scale_under_one_zooms_in_and_leaves_none() -> None:
    grey = torch.ones(1, 1, 32, 32)
    grey[:, :, 8:24, 8:24] = 0.25
    view = augment(grey, Augmentation(scale=(0.45, 0.45)), seeded())
    torch.testing.assert_close(view, torch.full_like(view, 0.25))


def test_a_rotation_moves_the_rim_and_not_the_centre() -> None:
    bar = ((torch.arange(33) - 16).abs() <= 1).float().expand(8, 1, 33, 33)  # upright
    views = augment(bar, Augmentation(rotation_degrees=40), seeded())
    torch.testing.assert_close(views[:, 0, 16, 16], torch.ones(8))
    assert float((views[:, 0, 2] - bar[:, 0, 2]).abs().amax(dim=1).median()) > 0.5


def test_each_picture_gets_its_own_view() -> None:
    same = pictures(1).expand(4, 1, 24, 20)
    views = augment(same, STRONG, seeded())
    for other in range(1, 4):
        assert not torch.allclose(views[0], views[other], atol=1e-3)


def test_erasing_fills_one_rectangle_with_the_mean() -> None:
    grey = pictures(8, 40, 40)
    views = augment(grey, Augmentation(erase=1.0), seeded())
    changed = (views - grey).abs() > 1e-4
    assert changed.any(dim=(1, 2, 3)).all()
    assert float(changed.float().mean()) < 0.15
    for view, picture, where in zip(views, grey, changed, strict=True):
        torch.testing.assert_close(view[where], picture.mean().expand(int(where.sum())))


def test_blur_smooths_and_noise_roughens() -> None:
    grey = pictures()
    blurred = augment(grey, Augmentation(blur=1.0), seeded())
    assert float(blurred.std()) < 0.6 * float(grey.std())
    flat = torch.full((16, 1, 32, 32), 0.5)
    noisy = augment(flat, Augmentation(noise=0.1), seeded())
    sigma = noisy.std(dim=(1, 2, 3))
    assert 0 <= float(sigma.min()) < float(sigma.max()) <= 0.11
