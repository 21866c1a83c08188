"""PNGs are checked before Pillow gets them: bounded, and without chunks that do not matter for the pixels."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import scan

from edge_infer.errors import CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.formats.png import MAX_CHUNKS
from edge_infer.image_file import read_image

GREY = np.asarray(scan())  # (48, 64), holds 0 and 255
SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = (b"IEND", b"")


def raw_png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [SIGNATURE]
    for kind, body in chunks:
        checksum = zlib.crc32(kind + body)
        parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum))
    return b"".join(parts)


def header(depth: int = 8, colour: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", 64, 48, depth, colour, 0, 0, 0)


def pixels(array: np.ndarray = GREY) -> tuple[bytes, bytes]:
    deep = array.astype(">u2") if array.dtype == np.uint16 else array
    return b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in deep))


def exif(orientation: int) -> bytes:
    made = Image.Exif()
    made[0x0112] = orientation
    return made.tobytes()[6:]


LONG = zlib.compress(b"a" * 3_000_000)
XMP = b'<x:xmpmeta tiff:Orientation="%d"/>'
XMP_START = b"XML:com.adobe.xmp\0\0\0\0\0"


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"Comment\0\0" + LONG),
        (b"iTXt", b"Comment\0\1\0\0\0" + LONG),
        (b"tEXt", b"Comment\0" + b"a" * 3_000_000),
        (b"iCCP", b"profile\0\0" + LONG),
        (b"iTXt", XMP_START + b" " * 3_000_000),
        (b"prVt", b"\0" * 3_000_000),
    ],
    ids=["zTXt", "iTXt", "tEXt", "iCCP", "XMP", "private"],
)
def test_large_descriptions_do_not_matter(chunk: tuple[bytes, bytes]) -> None:
    for data in (
        raw_png(header(), chunk, pixels(), END),
        raw_png(header(), pixels(), chunk, END),
    ):
        assert np.array_equal(np.asarray(read_image(data)), GREY)


@pytest.mark.parametrize(
    "chunk",
    [(b"eXIf", exif(3)), (b"iTXt", XMP_START + XMP % 3)],
    ids=["EXIF", "XMP"],
)
def test_the_orientation_is_kept(chunk: tuple[bytes, bytes]) -> None:
    for data in (raw_png(header(), chunk, pixels(), END), raw_png(header(), pixels(), chunk, END)):
        assert np.array_equal(np.asarray(read_image(data)), np.rot90(GREY, 2))


def test_a_description_too_long_to_read_must_not_turn_the_image() -> None:
    for chunk in (
        (b"iTXt", XMP_START + b" " * 3_000_000 + XMP % 6),
        (b"zTXt", b"Raw profile type exif\0\0" + LONG),
    ):
        with pytest.raises(InputOverLimit, match="find its orientation"):
            read_image(raw_png(header(), chunk, pixels(), END))


def test_many_chunks_are_refused_quickly() -> None:
    empty = raw_png((b"teSt", b""))[8:] * 1_000_000
    started = time.process_time()
    with pytest.raises(InputOverLimit, match="chunks"):
        read_image(raw_png(header()) + empty + raw_png(pixels(), END)[8:])
    assert (
        time.process_time() - started < 2
    )  # it was 4 seconds, and Pillow's walk 20 for five times as many


def test_as_many_chunks_as_an_encoder_writes_are_read() -> None:
    kind, body = pixels()
    single = [(kind, body[at : at + 1]) for at in range(len(body))]
    assert len(single) < MAX_CHUNKS
    assert np.array_equal(np.asarray(read_image(raw_png(header(), *single, END))), GREY)


DEEP = GREY.astype(np.uint16) * 2


@pytest.mark.parametrize(
    ("colour", "channels"), [(2, 3), (4, 2), (6, 4)], ids=["rgb", "grey and alpha", "rgba"]
)
def test_16_bits_of_several_channels_are_refused(colour: int, channels: int) -> None:
    data = raw_png(header(16, colour), pixels(np.repeat(DEEP[..., None], channels, 2)), END)
    for source in (data, Image.open(io.BytesIO(data))):
        with pytest.raises(UnsupportedImage, match="16 bits"):
            read_image(source)


def test_a_transparent_16_bit_value_is_black() -> None:
    marked = np.where(GREY == 255, 65535, DEEP).astype(np.uint16)
    data = raw_png(header(16), (b"tRNS", b"\xff\xff"), pixels(marked), END)
    left = np.where(GREY == 255, 0, DEEP)
    expected = np.rint(left * (255 / left.max()))
    assert np.array_equal(np.asarray(read_image(data)), expected)


def test_a_16_bit_palette_does_not_exist() -> None:
    with pytest.raises(UnsupportedImage):
        read_image(raw_png(header(16, 3), (b"PLTE", b"\0\0\0"), pixels(DEEP), END))


@pytest.mark.parametrize(
    "chunks",
    [
        [pixels(), END],
        [header(), header(), pixels(), END],
        [header(), END],
        [header(), pixels()],
        [header(), pixels(), (b"tEXt", b"a\0b"), pixels(), END],
        [header(), pixels(), (b"PLTE", b"\0\0\0"), END],
    ],
    ids=["no header", "two headers", "no pixels", "no end", "split", "late palette"],
)
def test_chunks_out_of_order_are_damage(chunks: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(CorruptImage):
        read_image(raw_png(*chunks))


def test_a_flipped_bit_anywhere_is_found() -> None:
    data = raw_png(header(), (b"tEXt", b"Comment\0abc"), pixels(), END)
    whole = np.asarray(read_image(data))
    for at in range(8, len(data), 3):
        spoilt = bytearray(data)
        spoilt[at] ^= 0x10
        try:
            read = np.asarray(read_image(bytes(spoilt)))
        except CorruptImage:
            continue
        assert np.array_equal(read, whole)


def test_an_unknown_chunk_that_may_not_be_skipped_is_refused() -> None:
    with pytest.raises(UnsupportedImage, match="an unknown chunk"):
        read_image(raw_png(header(), (b"CgBI", b"\0\0\0\0"), pixels(), END))


def test_a_description_is_unpacked_a_few_times_at_most() -> None:
    bomb = (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 2**24))
    started = time.process_time()
    with pytest.raises(InputOverLimit):
        read_image(raw_png(header(), *[bomb] * 1000, pixels(), END))
    assert time.process_time() - started < 3
