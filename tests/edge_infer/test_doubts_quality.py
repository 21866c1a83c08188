"""Low quality: noise, blur and blocks are noted where they drown what a head shows, and not before."""

import io

import numpy as np
import pytest
from drawn_heads import heads, reasons_for
from PIL import Image, ImageOps

from edge_infer.doubts import doubts_about
from edge_infer.reasons import Reason

BICUBIC = Image.Resampling.BICUBIC


def noisy(image: Image.Image, sd: float) -> Image.Image:
    rng = np.random.default_rng(0)
    pixels = np.asarray(image) + rng.normal(0, sd, (image.height, image.width))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).copy()


def moved(image: Image.Image, wide: int, axis: int) -> Image.Image:
    pixels = np.asarray(image).astype(float)
    steps = range(-(wide // 2), wide // 2 + 1)
    return Image.fromarray(
        np.mean([np.roll(pixels, step, axis) for step in steps], axis=0).astype(np.uint8)
    )


@pytest.mark.parametrize("drawn", range(3))
def test_strong_noise_is_noted_and_is_not_taken_for_text(drawn: int) -> None:
    assert reasons_for(noisy(heads()[drawn], 60)) == [Reason.LOW_QUALITY]
    assert reasons_for(noisy(heads()[drawn], 5)) == []


@pytest.mark.parametrize("drawn", range(3))
@pytest.mark.parametrize("axis", [0, 1])
def test_motion_along_rows_or_columns_is_noted(drawn: int, axis: int) -> None:
    assert reasons_for(moved(heads()[drawn], 31, axis)) == [Reason.LOW_QUALITY]
    assert reasons_for(moved(heads()[drawn], 3, axis)) == []


@pytest.mark.parametrize("drawn", range(3))
def test_few_pixels_enlarged_are_noted_and_many_are_not(drawn: int) -> None:
    image = heads()[drawn]
    (doubt,) = doubts_about(image.resize((24, 24)).resize((256, 256), BICUBIC))
    assert doubt.reason is Reason.LOW_QUALITY
    assert "few pixels" in doubt.note
    assert reasons_for(image.resize((128, 128)).resize((512, 512), BICUBIC)) == []


@pytest.mark.parametrize("drawn", range(3))
def test_blocks_of_strong_jpeg_are_noted_and_those_of_usual_jpeg_are_not(drawn: int) -> None:
    assert Reason.LOW_QUALITY in reasons_for(jpeg(heads()[drawn], 3))
    assert reasons_for(jpeg(heads()[drawn], 50)) == []


def test_the_sides_of_a_frame_are_not_blocks() -> None:
    for each in heads():
        framed = ImageOps.expand(each, 64, fill=255)  # its sides lie where blocks would meet
        assert Reason.LOW_QUALITY not in reasons_for(framed)
