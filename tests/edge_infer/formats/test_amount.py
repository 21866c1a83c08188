"""TIFF and BMP whose headers claim another size than their data hold."""

import io
import struct

import numpy as np
import pytest
from tiff_writer import tiff
from tiny_bundle import noise

from edge_infer.errors import CorruptImage
from edge_infer.image_file import read_image

GREY = np.asarray(noise())  # (48, 64)
DEEP = GREY.astype(np.uint16) * 3


def bmp(mode: str = "L", *, height: int | None = None, after: bytes = b"") -> bytes:
    file = io.BytesIO()
    noise().convert(mode).save(file, "BMP")
    data = file.getvalue()
    if height is not None:
        data = data[:22] + struct.pack("<i", height) + data[26:]
    return data + after


def strips(rows: int, *, lost: int = 0) -> bytes:
    """A TIFF of several strips, whose header does not name the last of them if some are lost."""
    tops = range(0, 48, rows)[: -(-48 // rows) - lost]
    sizes = tuple(64 * min(rows, 48 - top) for top in tops)
    return tiff(GREY, t273=tuple(8 + 64 * top for top in tops), t279=sizes, t278=rows)


WHOLE = {
    "BMP": bmp(),
    "BMP of 24 bits": bmp("RGB"),
    "BMP of 1 bit": bmp("1"),
    "BMP with a few bytes after the pixels": bmp(after=bytes(63)),
    "BMP from top to bottom": bmp(height=-48),
    "TIFF": tiff(GREY),
    "deep TIFF": tiff(DEEP),
    "TIFF whose strip could hold more rows": tiff(GREY, t278=2**16 - 1),
    "deflated TIFF": tiff(DEEP, deflate=True),
    "TIFF of three strips": strips(16),
    "TIFF whose last strip is lower": strips(20),
}

BROKEN = {
    "BMP of half its height": (bmp(height=24), "more pixels"),
    "BMP of twice its height": (bmp(height=96), "damaged or cut short"),
    "BMP of half its height, from top to bottom": (bmp(height=-24), "more pixels"),
    "TIFF of half its height": (tiff(GREY, t257=24), "more pixels"),
    "TIFF of a little more height": (tiff(GREY, t257=50), "pixels are missing"),
    "TIFF of half its width": (tiff(GREY, t256=32), "more pixels"),
    "deep TIFF of half its height": (tiff(DEEP, t257=24), "more pixels"),
    "deflated TIFF of half its height": (tiff(DEEP, deflate=True, t257=24), "more pixels"),
    "deflated TIFF of more height": (tiff(DEEP, deflate=True, t257=60), "pixels are missing"),
    "TIFF whose strip is said to be shorter": (tiff(GREY, t279=1000), "pixels are missing"),
    "BMP sent as text": (bmp().replace(b"\n", b"\r\n"), "text mode"),
    "TIFF sent as text": (tiff(GREY).replace(b"\n", b"\r\n"), "text mode"),
    "TIFF that lost a strip": (strips(16, lost=1), "pixels are missing"),
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_whole_images_are_read(data: bytes) -> None:
    assert read_image(data).size == (64, 48)


@pytest.mark.parametrize(("data", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_another_size_than_the_data_hold_is_damage(data: bytes, words: str) -> None:
    with pytest.raises(CorruptImage, match=words):
        read_image(data)
