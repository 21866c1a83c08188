"""PNGs whose checksums are all right and whose pixels are not as many as the header says."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import scan

from edge_infer.errors import CorruptImage, InputOverLimit
from edge_infer.image_file import read_image

GREY = np.asarray(scan())  # (48, 64)
ROWS = b"".join(b"\0" + row.tobytes() for row in GREY)


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png(packed: bytes, *, width: int = 64, height: int = 48, pieces: int = 1) -> bytes:
    header = struct.pack(">II5B", width, height, 8, 0, 0, 0, 0)
    size = -(-len(packed) // pieces)
    parts = [packed[at : at + size] for at in range(0, len(packed), size)]
    data = b"".join(chunk(b"IDAT", part) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def saved(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("pieces", [1, 7])
def test_as_many_as_due_are_read(pieces: int) -> None:
    data = png(zlib.compress(ROWS), pieces=pieces)
    np.testing.assert_array_equal(np.asarray(read_image(data)), GREY)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(64, 48), (61, 47), (17, 33)])
def test_every_kind_of_pixel_is_counted_rightly(mode: str, size: tuple[int, int]) -> None:
    small = scan().resize(size)
    deep = Image.fromarray(np.asarray(small).astype(np.uint16) * 200)
    image = deep if mode == "I;16" else small.convert(mode)
    assert read_image(saved(image)).size == size


def interlaced(width: int, height: int) -> bytes:
    """Adam7 by hand: Pillow does not write it."""
    grey = np.asarray(scan().resize((width, height)))
    starts = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    rows = b"".join(
        b"\0" + row.tobytes()
        for left, top, across, down in starts
        for row in grey[top::down, left::across]
        if row.size
    )
    header = struct.pack(">II5B", width, height, 8, 0, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(64, 48), (61, 47), (17, 33)])
def test_interlaced_images_are_counted_rightly(size: tuple[int, int]) -> None:
    expected = np.asarray(scan().resize(size))
    np.testing.assert_array_equal(np.asarray(read_image(interlaced(*size))), expected)


BROKEN = {
    "half of the rows": (png(zlib.compress(ROWS[: len(ROWS) // 2])), "pixels are missing"),
    "one byte less": (png(zlib.compress(ROWS[:-1])), "pixels are missing"),
    "no rows": (png(zlib.compress(b"")), "pixels are missing"),
    "a row too many": (png(zlib.compress(ROWS + ROWS[:65])), "more pixels"),
    "a header of half the height": (png(zlib.compress(ROWS), height=24), "more pixels"),
    "a header of twice the height": (png(zlib.compress(ROWS), height=96), "pixels are missing"),
    "no end of the zlib stream": (png(zlib.compress(ROWS)[:-4]), "pixels are missing"),
    "another end of the zlib stream": (png(zlib.compress(ROWS)[:-4] + bytes(4)), "wrong Deflate"),
    "no Deflate at all": (png(b"not compressed"), "wrong Deflate"),
}


@pytest.mark.parametrize(("data", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_other_numbers_of_pixels_are_damage(data: bytes, words: str) -> None:
    with pytest.raises(CorruptImage, match=words):
        read_image(data)


def test_what_unpacks_to_gigabytes_is_refused_before_it_is_unpacked() -> None:
    bomb = png(zlib.compress(bytes(200 * 2**20), 9))
    with pytest.raises(CorruptImage, match="more pixels"):
        read_image(bomb)
    with pytest.raises(InputOverLimit, match="pixels"):
        read_image(png(zlib.compress(ROWS), width=60_000, height=60_000))
