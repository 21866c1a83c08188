"""TIFFs are checked by their tags: what Pillow would misread is refused by name, in bounded time."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image
from tiff_writer import tiff
from tiny_bundle import scan

from edge_infer.errors import CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.image_file import read_image

GREY = np.asarray(scan())  # (48, 64), holds 0 and 255
DEEP = GREY.astype(np.uint16) * 2
COLOUR = np.repeat(GREY[..., None], 3, 2)

TWINS = {
    "8-bit": tiff(GREY),
    "8-bit big-endian": tiff(GREY, order=">"),
    "16-bit": tiff(DEEP),
    "16-bit big-endian": tiff(DEEP, order=">"),
    "16-bit deflate": tiff(DEEP, deflate=True),
    "16-bit deflate big-endian": tiff(DEEP, deflate=True, order=">"),
    "signed 16-bit": tiff(DEEP.astype(np.int16)),
    "32-bit": tiff(DEEP.astype(np.int32)),
    "32-bit above half": tiff(DEEP.astype(np.uint32) * 8_000_000),
    "float": tiff(DEEP.astype(np.float32)),
    "float big-endian": tiff(DEEP.astype(np.float32), order=">"),
    "float deflate": tiff(DEEP.astype(np.float32), deflate=True),
    "white is zero": tiff(255 - GREY, t262=0),
    "colour": tiff(COLOUR),
    "YCbCr": tiff(np.dstack([GREY, np.full((48, 64, 2), 128, np.uint8)]), t262=6, t530=(1, 1)),
}


@pytest.mark.parametrize("data", TWINS.values(), ids=TWINS.keys())
def test_twins_give_the_same_pixels(data: bytes) -> None:
    assert np.array_equal(np.asarray(read_image(data)), GREY)


NAMED = {
    "16-bit unsigned RGB in 3": tiff(np.repeat(DEEP[..., None], 3, 2)),
    "16-bit unsigned RGB in 4": tiff(np.repeat(DEEP[..., None], 4, 2), t338=2),
    "16-bit unsigned grey in 2": tiff(np.repeat(DEEP[..., None], 2, 2), t338=2),
    "16-bit unsigned palette": tiff(DEEP, t262=3),
    "8-bit signed grey": tiff((GREY // 2).astype(np.int8)),
    "16-bit floating-point": tiff(GREY.astype(np.float16)),
    "64-bit floating-point": tiff(GREY.astype(np.float64)),
    "32-bit floating-point RGB": tiff(COLOUR.astype(np.float32)),
    "64-bit complex": tiff(GREY.astype(np.complex64)),
    "CIELAB": tiff(COLOUR, t262=8),
    "raw camera": tiff(DEEP, t262=32803),
    "compressed with Zstandard": tiff(GREY, t259=50000),
    "compressed with LZMA": tiff(GREY, t259=34925),
    "compressed with WebP": tiff(COLOUR, t259=50001),
    "compressed with JPEG 2000": tiff(GREY, t259=34712),
    "compressed with JPEG XL": tiff(GREY, t259=50002),
    "compressed with method 60000": tiff(GREY, t259=60000),
    "32-bit grey in big-endian": tiff(DEEP.astype(np.float32), order=">", deflate=True),
    "16-bit grey in big-endian": tiff(DEEP.astype(np.int16), order=">", deflate=True),
    "reduced colour resolution": tiff(COLOUR, t262=6),
    "12-bit JPEG": tiff(DEEP, t258=12, t259=7),
    "(WhiteIsZero)": tiff(DEEP, t262=0),
    "several pages": tiff(GREY, pages=2),
}


@pytest.mark.parametrize(("name", "data"), NAMED.items(), ids=NAMED.keys())
def test_what_would_be_read_wrongly_is_named(name: str, data: bytes) -> None:
    with pytest.raises(UnsupportedImage) as caught:
        read_image(data)
    assert name in caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        NAMED["16-bit unsigned RGB in 3"],
        NAMED["16-bit unsigned RGB in 4"],
        NAMED["8-bit signed grey"],
        NAMED["32-bit grey in big-endian"],
        NAMED["(WhiteIsZero)"],
    ],
    ids=["rgb", "rgba", "signed", "swapped", "inverted"],
)
def test_a_pillow_image_of_such_a_file_is_refused_too(data: bytes) -> None:
    lazy, loaded = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(data))
    loaded.load()
    for image in (lazy, loaded):
        with pytest.raises(UnsupportedImage):
            read_image(image)


def test_planar_16_bit_colour_is_refused() -> None:
    planes = np.concatenate([DEEP, DEEP, DEEP])  # (3 * 48, 64), one channel below the other
    data = tiff(planes, t257=48, t258=(16, 16, 16), t262=2, t277=3, t284=2, t339=(1, 1, 1))
    with pytest.raises(UnsupportedImage, match="16-bit unsigned RGB"):
        read_image(data)


def test_a_tiff_without_photometric_interpretation_is_not_guessed() -> None:
    data = tiff(GREY).replace(struct.pack("<HHI", 262, 3, 1), struct.pack("<HHI", 263, 3, 1))
    with pytest.raises(UnsupportedImage, match="0 is black or white"):
        read_image(data)


def test_sixty_thousand_pages_are_refused_at_the_second() -> None:
    data = tiff(GREY, pages=60_000)
    for source in (data, Image.open(io.BytesIO(data))):
        started = time.process_time()
        with pytest.raises(UnsupportedImage, match="several"):
            read_image(source)
        assert time.process_time() - started < 1  # they took 15 seconds


def test_a_page_that_leads_to_itself_is_one_page() -> None:
    data = bytearray(tiff(GREY))
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    assert np.array_equal(np.asarray(read_image(bytes(data))), GREY)
    struct.pack_into("<I", data, first + 2 + 12 * entries, len(data) + 100)
    with pytest.raises(CorruptImage):
        read_image(bytes(data))


@pytest.mark.parametrize(
    "changes",
    [
        {"t273": (8,) * 70_000, "t279": (64,) * 70_000},
        {"t259": 8, "t322": 30_000, "t323": 30_000},
    ],
    ids=["pieces", "tile"],
)
def test_what_would_cost_too_much_is_refused(changes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(InputOverLimit):
        read_image(tiff(GREY, **changes))


def test_too_many_tags_are_refused() -> None:
    tags = {f"t{number}": 1 for number in range(1000, 6000)}
    with pytest.raises(InputOverLimit, match="tags"):
        read_image(tiff(GREY, **tags))


def test_a_cut_header_is_damage() -> None:
    data = tiff(GREY)
    for length in range(len(data) - 120, len(data), 5):
        with pytest.raises(CorruptImage):
            read_image(data[:length])


def test_a_damaged_second_page_is_damage() -> None:
    data = bytearray(tiff(GREY, pages=2))
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * entries)
    data[second + 2 : second + 4] = b"\7\7"  # ImageWidth becomes another tag
    for source in (bytes(data), Image.open(io.BytesIO(data))):
        with pytest.raises(CorruptImage):
            read_image(source)
