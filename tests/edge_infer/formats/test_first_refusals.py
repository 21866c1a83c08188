"""Refusals that a later check or Pillow would often make too: each format's own check must not wait for those."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from tiff_writer import tiff
from tiny_bundle import scan

from edge_infer.errors import BrainError, CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.formats.jpeg.bits import JpegBits
from edge_infer.formats.jpeg.check import jpeg_tables
from edge_infer.formats.jpeg.huffman import BrokenJpegError
from edge_infer.formats.jpeg.segments import read_segments
from edge_infer.formats.png import pixels_only
from edge_infer.formats.tiff.kinds import check_tiff
from edge_infer.image_limits import MAX_PIXELS


def png_with_header(header: bytes) -> bytes:
    chunk = b"IHDR" + header
    length, checksum = struct.pack(">I", len(header)), struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + length + chunk + checksum


def jpeg_frame(depth: int, marker: int = 0xC0) -> bytes:
    body = bytes([depth, 0, 8, 0, 8, 1, 1, 0x11, 0])
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", 2 + len(body)) + body


def turned_tiff(width: int, length: int) -> bytes:
    return tiff(np.asarray(scan()), t256=width, t257=length, t274=6, t278=length)


REFUSED: dict[str, tuple[Callable[[], object], type[BrainError], str]] = {
    "PNG header of another length": (
        lambda: pixels_only(png_with_header(bytes(12)), "x"),
        CorruptImage,
        "another length",
    ),
    "PNG of 16-bit colour": (
        lambda: pixels_only(png_with_header(struct.pack(">II5B", 8, 8, 16, 2, 0, 0, 0)), "x"),
        UnsupportedImage,
        "16 bits a channel",
    ),
    "JPEG of 12 bits": (
        lambda: read_segments(jpeg_frame(12), "x"),
        UnsupportedImage,
        "other than 8 bits",
    ),
    "lossless JPEG": (
        lambda: read_segments(jpeg_frame(8, marker=0xC3), "x"),
        UnsupportedImage,
        "lossless or hierarchical",
    ),
    "Huffman tables that are not whole": (
        lambda: jpeg_tables(b"\xff\xd8\xff\xc4\x00\x05\x00\x01\x02\xff\xd9", "x"),
        CorruptImage,
        "JPEG tables",
    ),
    "a large TIFF that has to be turned": (
        lambda: check_tiff(turned_tiff(8000, MAX_PIXELS // 2 // 8000 + 1), "x"),
        InputOverLimit,
        "has to be turned",
    ),
}


@pytest.mark.parametrize(("check", "error", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_the_check_of_the_format_itself_refuses(
    check: Callable[[], object], error: type[BrainError], words: str
) -> None:
    with pytest.raises(error, match=words):
        check()


def test_a_fill_byte_within_the_coded_data_is_damage() -> None:
    JpegBits(b"\x12\xff\x00\x34")
    with pytest.raises(BrokenJpegError, match="fill byte"):
        JpegBits(b"\x12\xff\xff\x34")
