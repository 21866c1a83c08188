"""Colours of their own: what is drawn over a scan has them; a tint and the noise of JPEG do not."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from drawn_heads import heads, reasons_for
from PIL import Image, ImageDraw

from edge_infer.colour import coloured_share
from edge_infer.doubts import COLOURED
from edge_infer.image_file import open_source
from edge_infer.reasons import Reason

RED = (255, 0, 0)


def marked(draw_on: Callable[[ImageDraw.ImageDraw], None], drawn: int = 0) -> Image.Image:
    image = heads()[drawn].convert("RGB")
    draw_on(ImageDraw.Draw(image))
    return image


def circle(draw: ImageDraw.ImageDraw) -> None:
    draw.ellipse((110, 110, 145, 145), outline=RED)


def box(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((101, 101, 141, 141), outline=(255, 255, 0))


def tinted(image: Image.Image, factors: tuple[float, ...], offsets: tuple[int, ...]) -> Image.Image:
    grey = np.asarray(image)[..., None].astype(float)
    pixels = grey * np.array(factors) + np.array(offsets)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("draw_on", [circle, box])
@pytest.mark.parametrize("drawn", range(3))
def test_a_contour_of_one_pixel_is_noted(
    draw_on: Callable[[ImageDraw.ImageDraw], None], drawn: int
) -> None:
    assert reasons_for(marked(draw_on, drawn)) == [Reason.COLOUR_OVERLAY]


def test_a_faint_mask_is_noted() -> None:
    image = heads()[0].convert("RGB")
    full = image.copy()
    ImageDraw.Draw(full).ellipse((100, 100, 150, 150), fill=RED)
    assert reasons_for(Image.blend(image, full, 0.4)) == [Reason.COLOUR_OVERLAY]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF"])
def test_files_bytes_arrays_and_images_are_seen_alike(kind: str) -> None:
    image = marked(lambda draw: draw.ellipse((90, 90, 150, 150), outline=RED, width=3))
    assert open_source(saved(image, kind)).coloured > 0.001
    assert open_source(np.asarray(image)).coloured > 0.001
    assert open_source(image).coloured > 0.001
    assert open_source(saved(heads()[0], kind)).coloured == 0


def test_palettes_and_transparency_are_seen_too() -> None:
    image = marked(lambda draw: draw.ellipse((90, 90, 150, 150), fill=RED))
    assert coloured_share(image.quantize(64)) > 0.01
    assert coloured_share(image.convert("RGBA")) > 0.01
    assert coloured_share(image.convert("CMYK")) > 0.01
    hidden = image.convert("RGBA")
    hidden.putalpha(Image.new("L", image.size, 0))
    assert coloured_share(hidden) == 0  # it lies on black, as in the grey image


@pytest.mark.parametrize(
    ("factors", "offsets"),
    [((1.07, 0.95, 0.75), (0, 0, 0)), ((0.7, 0.85, 1.0), (0, 10, 30)), ((1, 1, 1), (0, 0, 0))],
)
def test_a_tint_of_the_whole_scan_is_no_overlay(
    factors: tuple[float, ...], offsets: tuple[int, ...]
) -> None:
    for each in heads():
        image = tinted(each, factors, offsets)
        assert coloured_share(image) == 0
        # Reread from JPEG, with chroma of half the resolution.
        assert open_source(saved(image, "JPEG", quality=40)).coloured == 0


def test_false_colours_are_no_overlay_where_brighter_stays_brighter() -> None:
    hot = tinted(heads()[0], (3, 3, 3), (0, -255, -510))
    assert coloured_share(hot) == 0
    grey = np.asarray(heads()[0])[..., None] / 255
    jet = 255 * (1.5 - np.abs(4 * grey - np.array([3, 2, 1]))).clip(0, 1)
    assert coloured_share(Image.fromarray(jet.astype(np.uint8))) > COLOURED


def test_the_colour_noise_of_jpeg_is_no_overlay() -> None:
    rng = np.random.default_rng(0)
    pixels = np.asarray(heads()[0].convert("YCbCr")).astype(float)
    pixels[..., 1:] += rng.normal(0, 3, (32, 32, 2)).repeat(8, axis=0).repeat(8, axis=1)
    noisy = Image.fromarray(pixels.clip(0, 255).astype(np.uint8), "YCbCr").convert("RGB")
    assert np.ptp(np.asarray(noisy).astype(int), axis=2).max() > 10
    assert Reason.COLOUR_OVERLAY not in reasons_for(noisy)


@pytest.mark.parametrize("mode", ["L", "LA", "I", "F", "I;16", "1"])
def test_grey_has_no_colour(mode: str) -> None:
    assert coloured_share(Image.new(mode, (64, 64), 1)) == 0
