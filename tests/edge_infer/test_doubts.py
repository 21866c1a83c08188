"""Doubts about the layout and the grey levels of an image: each rule finds what it is for, and is silent beside it."""

import io

import numpy as np
import pytest
from drawn_heads import head, heads, reasons_for
from PIL import Image, ImageDraw, ImageFont, ImageOps
from tiny_bundle import scan

from edge_infer.doubts import doubts_about
from edge_infer.image_file import read_image
from edge_infer.reasons import Reason


def row_of(slices: int, gap: int = 0, fill: int = 0) -> Image.Image:
    row = Image.new("L", (slices * 256 + (slices - 1) * gap, 256), fill)
    for place in range(slices):
        row.paste(head(), (place * (256 + gap), 0))
    return row


def montage(columns: int, rows: int, side: int = 128) -> Image.Image:
    tiles = Image.new("L", (columns * side, rows * side))
    for place in range(columns * rows):
        row, column = divmod(place, columns)
        tiles.paste(heads()[place % 3].resize((side, side)), (column * side, row * side))
    return tiles


def notes(image: Image.Image) -> str:
    return " | ".join(doubt.note for doubt in doubts_about(image))


@pytest.mark.parametrize("size", [(256, 256), (200, 256), (256, 130), (16, 16)])
def test_a_head_raises_no_doubt(size: tuple[int, int]) -> None:
    assert reasons_for(head(size)) == []
    assert reasons_for(scan()) == []


def test_heads_as_they_are_drawn_raise_no_doubt() -> None:
    assert [reasons_for(each) for each in heads()] == [[]] * 3


@pytest.mark.parametrize("gap", [0, 1, 8])
@pytest.mark.parametrize("slices", [2, 3, 4])
def test_slices_in_a_row_are_told_by_the_shape(slices: int, gap: int) -> None:
    row = row_of(slices, gap)
    if slices * gap <= 8:
        assert Reason.SEVERAL_SLICES in reasons_for(row)
        assert f"{slices} slices side by side" in notes(row)
    assert "far from the shape of a head" in notes(row)
    assert "far from the shape of a head" in notes(row.transpose(Image.Transpose.ROTATE_90))


def test_a_line_lost_does_not_hide_two_slices() -> None:
    assert "2 slices" in notes(row_of(2).crop((0, 0, 510, 256)))


def test_a_narrow_image_that_is_no_row_of_squares_has_an_odd_shape() -> None:
    assert reasons_for(head((256, 110))) == [Reason.ODD_SHAPE]
    assert reasons_for(head((256, 130))) == []


def test_two_narrow_slices_are_told_by_the_dark_line_between_them() -> None:
    pair = Image.new("L", (2 * 180, 256))
    for place in (0, 180):
        pair.paste(head((180, 256)), (place, 0))
    assert "dark line" in notes(pair)


@pytest.mark.parametrize(("columns", "rows"), [(2, 2), (3, 2), (2, 3), (3, 3), (5, 4)])
def test_tiles_are_told_by_the_gaps_between_them(columns: int, rows: int) -> None:
    assert reasons_for(montage(columns, rows)) == [Reason.SEVERAL_SLICES]


def test_a_thin_light_frame_around_a_head_is_no_second_slice() -> None:
    for each in (head(), *heads()):
        padded = ImageOps.expand(
            each, 10, fill=0
        )  # so that dark lines lie between the frame and the head
        assert reasons_for(ImageOps.expand(padded, 3, fill=255)) == []


@pytest.mark.parametrize("corner", ["top left", "top right", "bottom left", "bottom right"])
@pytest.mark.parametrize(("wide", "high"), [(0.2, 0.06), (0.28, 0.09), (0.35, 0.12)])
@pytest.mark.parametrize("quality", [None, 80])
def test_a_white_box_over_a_name_is_no_second_slice(
    corner: str, wide: float, high: float, quality: int | None
) -> None:
    for each in (head(), *heads()):
        named = blanked(ImageOps.expand(each, 20, fill=0), corner, wide, high)
        assert reasons_for(named if quality is None else reread(named, quality)) == []
    tiles = blanked(montage(2, 2), corner, wide, high)  # what is beside a box is still seen
    assert reasons_for(tiles) == [Reason.SEVERAL_SLICES]


@pytest.mark.parametrize("grey", [128, 255])
def test_two_slices_with_a_light_line_between_them_are_told_by_it(grey: int) -> None:
    def pair(grey: int) -> Image.Image:
        image = Image.new("L", (396, 256), grey)
        for left in (0, 200):
            image.paste(head().crop((30, 0, 226, 256)), (left, 0))
        return image

    assert "light line" in notes(pair(grey))
    assert reasons_for(pair(grey)) == [Reason.SEVERAL_SLICES]
    assert reasons_for(pair(60)) == []


def test_one_hot_pixel_is_noted_and_a_usual_16_bit_scan_is_not() -> None:
    deep = np.asarray(head()).astype(np.uint16) * 2
    assert reasons_for(read_image(deep)) == []
    for value in (65_535, 4_095):
        deep[5, 5] = value
        assert Reason.TOO_FEW_GREY_LEVELS in reasons_for(read_image(deep))


def test_an_export_of_few_bits_is_noted() -> None:
    assert Reason.TOO_FEW_GREY_LEVELS in reasons_for(head().convert("1").convert("L"))
    for bits, expected in ((2, True), (3, True), (4, True), (7, False)):
        found = reasons_for(ImageOps.posterize(heads()[0], bits))
        assert (Reason.TOO_FEW_GREY_LEVELS in found) is expected


def test_a_dim_scan_keeps_its_levels() -> None:
    for each in heads():
        assert reasons_for(each.point(lambda grey: grey // 4)) == []


def test_an_inverted_head_is_noted_and_no_line_is_seen_in_its_background() -> None:
    for each in (head(), *heads()):
        found = reasons_for(ImageOps.invert(each))
        assert Reason.INVERTED in found
        assert Reason.SEVERAL_SLICES not in found


@pytest.mark.parametrize("share", [0.03, 0.1, 0.3])
def test_a_white_frame_is_no_white_background(share: float) -> None:
    for each in heads():
        framed = ImageOps.expand(each, round(share * 256), fill=255)
        assert Reason.INVERTED not in reasons_for(framed)
        assert Reason.INVERTED in reasons_for(ImageOps.expand(ImageOps.invert(each), 20, fill=0))


@pytest.mark.parametrize(("fill", "share"), [(0, 0.5), (128, 0.1), (255, 0.1)])
def test_a_wide_frame_is_noted(fill: int, share: float) -> None:
    for each in heads():
        assert Reason.BLANK_RIM in reasons_for(ImageOps.expand(each, round(share * 256), fill=fill))


def test_the_background_of_a_scan_is_no_frame() -> None:
    for each in heads():
        assert Reason.BLANK_RIM not in reasons_for(ImageOps.expand(each, 20, fill=0))


@pytest.mark.parametrize("swap", [False, True])
def test_text_is_noted_light_on_dark_and_dark_on_light(swap: bool) -> None:
    page = Image.new("L", (400, 400))
    write(page, range(10, 380, 24))
    assert Reason.BURNT_IN_TEXT in reasons_for(ImageOps.invert(page) if swap else page)


def test_text_over_a_head_is_noted_and_a_short_mark_is_not() -> None:
    for each in heads():
        large = each.resize((512, 512), Image.Resampling.BICUBIC)
        with_mark = large.copy()
        ImageDraw.Draw(with_mark).text((8, 250), "MRI", font=ImageFont.load_default(24), fill=255)
        assert reasons_for(with_mark) == []
        write(large, (4, 24, 470, 490))
        assert Reason.BURNT_IN_TEXT in reasons_for(large)


def test_a_small_image_is_noted_where_the_model_is_twice_as_large() -> None:
    assert doubts_about(head((100, 120))) == ()
    (doubt,) = doubts_about(head((100, 120)), model_size=(224, 224))
    assert doubt.reason is Reason.TOO_SMALL
    assert "100 x 120 pixels and was enlarged more than twice to 224 x 224" in doubt.note
    assert doubts_about(head((112, 120)), model_size=(224, 224)) == ()


def test_a_large_image_is_judged_as_a_small_one() -> None:
    large = montage(2, 2).resize((4_000, 4_000))
    assert reasons_for(large) == [Reason.SEVERAL_SLICES]
    assert reasons_for(heads()[0].resize((4_000, 4_000), Image.Resampling.BICUBIC)) == []


def write(image: Image.Image, lines: range | tuple[int, ...]) -> None:
    draw = ImageDraw.Draw(image)
    for y in lines:
        text = "MR 1.5T SE TR 450 TE 12 FOV 24 W 1200 L 600 Zoom 100% Axial"
        draw.text((4, y), text, font=ImageFont.load_default(14), fill=255)


def blanked(image: Image.Image, corner: str, wide: float, high: float) -> Image.Image:
    width, height = round(wide * image.width), round(high * image.height)
    left = image.width - width if "right" in corner else 0
    top = image.height - height if "bottom" in corner else 0
    image.paste(255, (left, top, left + width, top + height))
    return image


def reread(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).copy()
