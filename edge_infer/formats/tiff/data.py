"""Whether the pixels of a TIFF are complete, as far as the compression allows a check: fully for JPEG and Deflate.

libtiff prints the warnings of its JPEG decoder to the terminal and fills in what is missing; of Deflate it reads only
the pixels and not the checksum after them.
"""

import zlib
from collections.abc import Iterator

from PIL import Image

from edge_infer.errors import CorruptImage, InputOverLimit
from edge_infer.formats.jpeg.check import check_jpeg_stream, jpeg_tables
from edge_infer.formats.tiff.amount import check_amount
from edge_infer.image_limits import MAX_PIXELS

__all__ = ["check_tiff_data"]

_WIDTH, _LENGTH, _COMPRESSION, _ROWS_PER_STRIP = 256, 257, 259, 278
_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 273, 279, 324, 325
_TILE_WIDTH, _TILE_LENGTH, _JPEG_TABLES = 322, 323, 347
_UNCOMPRESSED, _JPEG = 1, 7
_DEFLATE = frozenset({8, 32946})
_FILL_ORDER = 266  # 2: the bits of each byte are reversed
_PIECE = 2**20  # bytes unpacked at once
_MAX_UNPACKED = 8 * MAX_PIXELS


def check_tiff_data(image: Image.Image, data: bytes, name: str) -> None:
    """Check the strips or tiles of a TIFF before it is decoded; other images pass.

    Args:
        image: As opened.
        data: Of the file.
        name: For messages.

    Raises:
        CorruptImage: Damaged or cut short.
        UnsupportedImage: JPEG strips of a kind that is not read.
        InputOverLimit: JPEG over the limits of a JPEG file, or Deflate that unpacks to far more than an image.
    """
    if image.format != "TIFF":
        return
    tags = getattr(image, "tag_v2", {})
    compression = tags.get(_COMPRESSION, 1)
    pieces = list(_pieces(image))
    held = None
    if compression == _JPEG:
        _check_jpegs(image, data, name)
    elif compression == _UNCOMPRESSED:
        held = sum(max(0, min(length, len(data) - start)) for start, length in pieces)
    elif compression in _DEFLATE and tags.get(_FILL_ORDER, 1) == 1:
        held = 0
        for start, length in pieces:
            held += _deflated_size(data[start : start + length], _MAX_UNPACKED - held, name)
    check_amount(tags, len(pieces), held, name)


def _pieces(image: Image.Image) -> Iterator[tuple[int, int]]:
    """Yield begin and length of each strip or tile."""
    tags = getattr(image, "tag_v2", {})
    is_tiled = _TILE_OFFSETS in tags
    offsets = tags.get(_TILE_OFFSETS if is_tiled else _STRIP_OFFSETS, ())
    lengths = tags.get(_TILE_COUNTS if is_tiled else _STRIP_COUNTS, ())
    yield from zip(offsets, lengths, strict=False)


def _check_jpegs(image: Image.Image, data: bytes, name: str) -> None:
    tags = getattr(image, "tag_v2", {})
    shared = tags.get(_JPEG_TABLES, b"")
    tables = jpeg_tables(shared, name) if shared else {}
    height = tags[_LENGTH]
    width = tags.get(_TILE_WIDTH, tags[_WIDTH])
    rows = tags.get(_TILE_LENGTH, min(tags.get(_ROWS_PER_STRIP, height), height))
    for index, (start, length) in enumerate(_pieces(image)):
        stream = data[start : start + length]
        frame = check_jpeg_stream(stream, name, tables=tables)
        is_last = _TILE_LENGTH not in tags and (index + 1) * rows >= height
        due = height - index * rows if is_last and index * rows < height else rows
        if frame.width < width or frame.height < due:
            raise CorruptImage(f"{name}: image is damaged (a JPEG strip has another size)")


def _deflated_size(packed: bytes, limit: int, name: str) -> int:
    """Unpack a strip up to its checksum; return how many bytes it held."""
    unpacker = zlib.decompressobj()
    size = 0
    try:
        while packed and not unpacker.eof:
            size += len(unpacker.decompress(packed, _PIECE))
            packed = unpacker.unconsumed_tail
            if size > limit:
                raise InputOverLimit(f"{name}: TIFF unpacks to more than {_MAX_UNPACKED:,} bytes")
    except zlib.error as error:
        raise CorruptImage(f"{name}: image is damaged (wrong Deflate data)") from error
    if not unpacker.eof:
        raise CorruptImage(f"{name}: image is cut short (Deflate)")
    return size
