import io

import numpy as np
import pytest
import torch
from PIL import Image
from strong_augmentation import STRONG
from torch import Generator, Tensor

from train.augmentation import augment, augment_with_masks
from train.augmentation.jpeg import compressed
from train.phantoms import phantom
from train.recipe import Augmentation


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 6, height: int = 24, width: int = 20) -> Tensor:
    return torch.rand(count, 1, height, width, generator=seeded(99))


def test_the_same_generator_state_gives_the_same_views() -> None:
    grey = images()
    assert torch.equal(augment(grey, STRONG, seeded(1)), augment(grey, STRONG, seeded(1)))
    assert not torch.equal(augment(grey, STRONG, seeded(1)), augment(grey, STRONG, seeded(2)))


def test_nothing_is_drawn_from_the_global_generator() -> None:
    before = torch.random.get_rng_state()
    augment(images(), STRONG, seeded())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_with_everything_at_zero_the_images_stay_as_they_are() -> None:
    grey = images()
    views = augment(grey, Augmentation(), seeded())
    torch.testing.assert_close(views, grey, rtol=0, atol=1e-5)


def test_strength_zero_switches_off_all_but_the_flips() -> None:
    settings = Augmentation(
        rotation_degrees=30,
        scale=(0.5, 1.5),
        shift=0.2,
        gamma=1,
        blur=1,
        erase=1,
        contrast_curve=1,
        non_monotone=1,
        bias_field=1,
        low_resolution=1,
        jpeg=1,
        frame=1,
    )
    grey = images()
    views = augment(grey, settings, seeded(), strength=0.0)
    # An exponent of 1 still lifts black to 1e-4, where powers are safe; curves have 1,024 levels.
    torch.testing.assert_close(views, grey, rtol=0, atol=6e-4)


def test_views_keep_shape_and_range() -> None:
    grey = images(32)
    for seed in range(5):
        views = augment(grey, STRONG, seeded(seed))
        assert views.shape == grey.shape
        assert views.dtype == torch.float32
        assert 0 <= float(views.min()) <= float(views.max()) <= 1


@pytest.mark.parametrize(("flip", "axis"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_flips_mirror_the_image(flip: str, axis: int) -> None:
    grey = images()
    views = augment(grey, Augmentation(**{flip: 1.0}), seeded())
    torch.testing.assert_close(views, grey.flip(axis), rtol=0, atol=1e-5)


def test_about_half_of_the_images_are_flipped_at_probability_one_half() -> None:
    grey = images(400)
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


def test_each_image_gets_its_own_view() -> None:
    same = images(1).expand(4, 1, 24, 20)
    views = augment(same, STRONG, seeded())
    for other in range(1, 4):
        assert not torch.allclose(views[0], views[other], atol=1e-3)


def test_erasing_fills_one_rectangle_with_the_mean() -> None:
    grey = images(8, 40, 40)
    views = augment(grey, Augmentation(erase=1.0), seeded())
    changed = (views - grey).abs() > 1e-4
    assert changed.any(dim=(1, 2, 3)).all()
    assert float(changed.float().mean()) < 0.15
    for view, image, where in zip(views, grey, changed, strict=True):
        torch.testing.assert_close(view[where], image.mean().expand(int(where.sum())))


def test_blur_smooths_and_noise_roughens() -> None:
    grey = images()
    blurred = augment(grey, Augmentation(blur=1.0), seeded())
    assert float(blurred.std()) < 0.6 * float(grey.std())
    flat = torch.full((16, 1, 32, 32), 0.5)
    noisy = augment(flat, Augmentation(noise=0.1), seeded())
    sigma = noisy.std(dim=(1, 2, 3))
    assert 0 <= float(sigma.min()) < float(sigma.max()) <= 0.11


def heads(count: int = 4, size: int = 64) -> Tensor:
    drawn = [phantom("glioma", np.random.default_rng(seed), size) for seed in range(count)]
    return torch.from_numpy(np.stack(drawn))[:, None].float() / 255


def test_what_is_switched_off_draws_nothing_so_old_recipes_see_their_old_images() -> None:
    generator, expected = seeded(5), seeded(5)
    augment(images(), Augmentation(), generator)
    for _ in range(7):  # the warp's: angle, scale, stretch, two flips, two shifts
        torch.rand(6, generator=expected)
    assert torch.equal(generator.get_state(), expected.get_state())


def test_masks_move_with_the_images_and_change_nothing_about_them() -> None:
    shapes = (heads() > 0.3).float()
    geometry = Augmentation(
        rotation_degrees=40,
        scale=(0.6, 1.3),
        aspect=0.2,
        shift=0.1,
        horizontal_flip=0.5,
        quarter_turns=0.5,
    )
    views, masks = augment_with_masks(shapes, shapes, geometry, seeded(3))
    assert masks is not None
    assert torch.equal(views, masks.clamp(0, 1))
    assert not torch.allclose(views, shapes, atol=0.1)
    with_masks, _ = augment_with_masks(heads(), shapes, STRONG, seeded(3))
    assert torch.equal(with_masks, augment(heads(), STRONG, seeded(3)))


def test_grey_levels_change_without_the_masks_but_what_is_erased_leaves_them() -> None:
    masks = torch.ones(6, 1, 24, 20)
    intensity = Augmentation(gamma=1, noise=0.3, blur=1, non_monotone=1, frame=1, jpeg=1)
    _, kept = augment_with_masks(images(), masks, intensity, seeded())
    assert kept is not None
    torch.testing.assert_close(kept, masks, rtol=0, atol=1e-6)
    grey = images()
    views, holes = augment_with_masks(grey, masks, Augmentation(erase=1.0), seeded())
    assert holes is not None
    assert torch.equal(holes < 0.5, (views - grey).abs() > 1e-4)


def test_quarter_turns_are_by_90_180_or_270_degrees() -> None:
    grey = images(60, 16, 16)
    views = augment(grey, Augmentation(quarter_turns=1.0), seeded())
    seen = set()
    for view, image in zip(views, grey, strict=True):
        errors = [float((view - torch.rot90(image, k, (1, 2))).abs().max()) for k in range(4)]
        assert min(errors) < 1e-4
        seen.add(errors.index(min(errors)))
    assert seen == {1, 2, 3}


def test_a_contrast_curve_changes_levels_and_keeps_their_order() -> None:
    ramp = torch.linspace(0, 1, 256).view(1, 1, 16, 16).expand(20, 1, 16, 16)
    curves = augment(ramp, Augmentation(contrast_curve=1.0), seeded()).flatten(1)
    assert float(curves.diff(dim=1).min()) >= -1e-6
    assert float(curves[:, 0].abs().max()) < 1e-3
    assert float((curves[:, -1] - 1).abs().max()) < 1e-3
    assert float((curves - ramp.flatten(1)).abs().amax(dim=1).median()) > 0.1


def test_a_curve_that_falls_swaps_bright_and_dark_but_air_stays_dark() -> None:
    ramp = torch.linspace(0, 1, 256).view(1, 1, 16, 16).expand(20, 1, 16, 16)
    curves = augment(ramp, Augmentation(non_monotone=1.0), seeded()).flatten(1)
    assert float((curves[:, :15] - ramp.flatten(1)[:, :15]).abs().max()) < 1e-3  # up to 0.055
    assert float(curves[:, 32:].min()) > 0.07, "tissue is not black"
    assert int((curves.diff(dim=1).amin(dim=1) < -1e-3).sum()) >= 18


def test_a_curve_includes_gamma() -> None:
    ramp = torch.linspace(0, 1, 256).view(1, 1, 16, 16).expand(20, 1, 16, 16)
    straight = Augmentation(contrast_curve=1e-6, gamma=0.7)
    curves = augment(ramp, straight, seeded()).flatten(1)
    middle = curves[:, 128]
    exponents = middle.log() / ramp.flatten(1)[:, 128].log()
    assert 1 / 2.1 < float(exponents.min()) < 0.8 < 1.25 < float(exponents.max()) < 2.1
    expected = ramp.flatten(1) ** exponents[:, None]
    torch.testing.assert_close(curves, expected, rtol=0, atol=5e-3)  # 1,024 levels, steep at 0


def test_a_bias_field_is_smooth_and_within_its_amplitude() -> None:
    flat = torch.full((16, 1, 48, 48), 0.5)
    field = augment(flat, Augmentation(bias_field=0.4), seeded()) / 0.5
    assert 0.6 - 1e-4 <= float(field.min()) < 0.9 < 1.1 < float(field.max()) <= 1.4 + 1e-4
    step = torch.cat([field.diff(dim=2).flatten(), field.diff(dim=3).flatten()]).abs().max()
    # The steepest term of third degree rises by 3 * 0.4 on a length of 1, which is 24 pixels.
    assert float(step) <= 3 * 0.4 / 24 + 1e-4


@pytest.mark.parametrize("quality", [12, 50, 75])
def test_jpeg_loses_what_pillows_jpeg_loses(quality: int) -> None:
    # 60 is not a multiple of 8. Pillow computes with integers, so single levels differ.
    grey = (heads(2, 60) * 255).round().to(torch.uint8)
    ours = compressed(grey.float() / 255, torch.full((2, 1, 1, 1), float(quality))) * 255
    for image, view in zip(grey, ours, strict=True):
        file = io.BytesIO()
        Image.fromarray(image[0].numpy()).save(file, "JPEG", quality=quality)
        theirs = np.asarray(Image.open(file), dtype=np.float32)
        difference = np.abs(view[0].numpy() - theirs)
        assert difference.mean() < 0.3
        assert np.abs(image[0].numpy() - theirs).mean() > 5 * difference.mean()


def test_a_lower_resolution_loses_detail_and_keeps_the_mean() -> None:
    grey = images(6, 48, 48)
    views = augment(grey, Augmentation(low_resolution=1.0), seeded())
    assert float(views.std()) < 0.9 * float(grey.std())
    torch.testing.assert_close(views.mean(), grey.mean(), rtol=0, atol=0.01)


def test_frames_and_marks_cover_the_rim_and_leave_the_middle() -> None:
    grey = images(64, 50, 50)
    views = augment(grey, Augmentation(frame=1.0), seeded())
    changed = (views - grey).abs() > 1e-4
    assert not changed[:, :, 10:40, 18:32].any(), "a mark is up to 0.43 of the width from a corner"
    assert int(changed.any(dim=(1, 2, 3)).sum()) > 50
    values = views[changed]
    assert float(values.min()) == 0
    assert float(values.max()) == 1


def test_a_part_of_the_images_is_changed_at_a_part_of_the_probability() -> None:
    grey = images(200, 16, 16)
    for part in ("jpeg", "low_resolution", "frame", "blur"):
        views = augment(grey, Augmentation(**{part: 0.5}), seeded())
        changed = int(((views - grey).abs() > 1e-3).any(dim=(1, 2, 3)).sum())
        assert 60 < changed < 130, part  # 100 expected; some frames are too thin to be seen
        none = augment(grey, Augmentation(**{part: 1e-9}), seeded())
        torch.testing.assert_close(none, grey, rtol=0, atol=1e-5)
