import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import CorruptImage
from edge_infer.image_file import read_image

SIDE = 256


def head(depth: int = 8) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A textured ellipse on a background of exactly 0."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    texture = np.random.default_rng(1).integers(70, 200, (SIDE, SIDE))
    grey = np.where((x / 90) ** 2 + (y / 110) ** 2 < 1, texture, 0)
    return grey.astype(np.uint8) if depth == 8 else (grey * 16).astype(np.uint16)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def overwritten(data: bytes, place: float, length: int, value: int = 0) -> bytes:
    at = int(place * len(data))
    return data[:at] + bytes([value]) * length + data[at + length :]


def within_the_head(data: bytes) -> float:
    """A place in the file, in the middle of a row of the head; the pixels end with the file."""
    row = len(data) // SIDE
    return 1 - (SIDE // 2 * row - row * 2 // 5) / len(data)


HEAD = Image.fromarray(head())
FORMS = {
    "BMP": saved(HEAD, "BMP"),
    "colour BMP": saved(HEAD.convert("RGB"), "BMP"),
    "TIFF": saved(HEAD, "TIFF"),
    "16-bit TIFF": saved(Image.fromarray(head(16)), "TIFF"),
    "colour TIFF": saved(HEAD.convert("RGB"), "TIFF"),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS.keys())
def test_a_whole_image_on_pure_black_is_read(data: bytes) -> None:
    read_image(data)


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS.keys())
def test_a_lost_sector_within_the_head_is_damage(data: bytes) -> None:
    with pytest.raises(CorruptImage, match="of one value"):
        read_image(overwritten(data, within_the_head(data), 4096))


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("place", [0.45, 0.5, 0.501])
def test_a_lost_half_is_damage_wherever_in_a_row_it_begins(data: bytes, place: float) -> None:
    with pytest.raises(CorruptImage, match="of one value"):
        read_image(overwritten(data, place, len(data) - int(place * len(data))))


def test_sectors_of_ones_are_damage_too() -> None:
    with pytest.raises(CorruptImage, match="of one value"):
        read_image(overwritten(FORMS["TIFF"], within_the_head(FORMS["TIFF"]), 1024, 255))


def test_a_top_down_bmp_is_read_from_its_top() -> None:
    data = bytearray(FORMS["BMP"])
    data[22:26] = (-SIDE).to_bytes(4, "little", signed=True)
    read_image(bytes(data))
    with pytest.raises(CorruptImage, match="of one value"):
        read_image(overwritten(bytes(data), within_the_head(data), 4096))


@pytest.mark.parametrize("form", ["BMP", "TIFF"])
@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.rotate(1),
        lambda image: image.rotate(-4, Image.Resampling.BICUBIC),
        lambda image: image.crop((0, 60, SIDE, 200)),
        lambda image: image.crop((0, 60, SIDE, 200)).crop(
            (0, -58, SIDE, 198)
        ),  # bars above and below
        lambda image: image.crop((0, -40, SIDE, 180)),  # a bar on one side
        lambda image: image.resize((700, 700)),
        lambda image: image.crop((30, 30, 226, 226)).crop((-40, -40, 236, 236)),  # a frame
    ],
)
def test_an_image_with_usual_changes_is_read(change: object, form: str) -> None:
    read_image(saved(change(HEAD), form))  # type: ignore[operator]  # a function of the list above


def test_a_drawn_line_is_not_a_lost_sector() -> None:
    large = HEAD.resize((700, 700))
    large.paste(255, (8, 300, 690, 301))
    read_image(saved(large, "TIFF"))
    read_image(saved(large, "BMP"))


def test_an_image_with_a_checksum_may_look_so() -> None:
    cut = head()
    cut.ravel()[SIDE * SIDE // 2 + 90 :] = 0
    read_image(saved(Image.fromarray(cut), "PNG"))
    read_image(saved(Image.fromarray(cut), "TIFF", compression="tiff_adobe_deflate"))
    with pytest.raises(CorruptImage, match="PNG, which has checksums"):
        read_image(saved(Image.fromarray(cut), "TIFF"))
