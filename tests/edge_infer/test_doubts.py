"""Notes beside the answer: too few grey levels, several slices, black and white swapped."""

import numpy as np
import pytest
from PIL import Image, ImageOps
from tiny_bundle import scan

from edge_infer.doubts import doubts_about
from edge_infer.image_file import read_image


def head(size: tuple[int, int] = (256, 256)) -> Image.Image:
    """A bright disc with smooth shading, on black."""
    rows, columns = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    inside = rows**2 + columns**2 < 0.8
    return Image.fromarray((inside * (110 + 100 * rows + 40 * columns)).astype(np.uint8))


def row_of(slices: int, gap: int = 0) -> Image.Image:
    row = Image.new("L", (slices * 256 + (slices - 1) * gap, 256))
    for place in range(slices):
        row.paste(head(), (place * (256 + gap), 0))
    return row


def notes(image: Image.Image) -> str:
    return " | ".join(doubts_about(image))


@pytest.mark.parametrize("size", [(256, 256), (200, 256), (256, 130), (16, 16)])
def test_a_head_gets_no_note(size: tuple[int, int]) -> None:
    assert notes(head(size)) == ""
    assert notes(scan()) == ""


@pytest.mark.parametrize("gap", [0, 1, 8])
@pytest.mark.parametrize("slices", [2, 3, 4])
def test_slices_in_a_row_are_noted(slices: int, gap: int) -> None:
    row = row_of(slices, gap)
    assert f"{slices} slices side by side" in notes(row) or slices * gap > 8
    assert "far from the shape of a head" in notes(row)
    assert "far from the shape of a head" in notes(row.transpose(Image.Transpose.ROTATE_90))


def test_a_line_lost_does_not_hide_two_slices() -> None:
    assert "2 slices" in notes(row_of(2).crop((0, 0, 510, 256)))


def test_two_narrow_slices_are_told_by_the_dark_line_between_them() -> None:
    pair = Image.new("L", (2 * 180, 256))
    for place in (0, 180):
        pair.paste(head().crop((0, 0, 256, 256)).resize((180, 256)), (place, 0))
    assert "dark line" in notes(pair)
    four = Image.new("L", (512, 512))
    for corner in ((0, 0), (256, 0), (0, 256), (256, 256)):
        four.paste(head(), corner)
    assert "dark line" in notes(four)


def test_one_hot_pixel_is_noted_and_a_usual_16_bit_scan_is_not() -> None:
    deep = np.asarray(head()).astype(np.uint16) * 2
    assert notes(read_image(deep)) == ""
    deep[5, 5] = 65535
    assert "few grey levels" in notes(read_image(deep))
    deep[5, 5] = 4095
    assert "few grey levels" in notes(read_image(deep))


def test_an_export_of_few_bits_is_noted() -> None:
    assert "few grey levels" in notes(head().convert("1").convert("L"))
    assert "few grey levels" in notes(ImageOps.posterize(head(), 4))


def test_an_inverted_head_is_noted() -> None:
    assert "swapped" in notes(ImageOps.invert(head()))
