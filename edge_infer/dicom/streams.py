"""Check a compressed frame before it is decoded: that it is whole, and of the size that the header says.

Decoders believe the size within the stream: one that says 60,000 x 60,000 takes the memory for it. And a stream that is
cut short may decode, with noise or grey in place of what is missing; its missing end gives it away.
"""

import struct

from edge_infer.errors import CorruptImage

__all__ = ["check_stream", "unpadded"]

_END = b"\xff\xd9"  # of JPEG, JPEG-LS (EOI) and JPEG 2000 (EOC) alike
_JPEG_2000 = b"\xff\x4f\xff\x51"  # SOC, SIZ
_JP2 = b"\0\0\0\x0cjP  "  # boxes around the stream, which have no place in DICOM but occur
_TILE_PART = b"\xff\x90"  # SOT
_MOST_BOXES = 65_536
_JPEG = b"\xff\xd8"
_SIZES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {
    0xC4,
    0xC8,
    0xCC,
}  # SOF markers; F7 is that of JPEG-LS
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def unpadded(stream: bytes) -> bytes:
    """Return a frame without what fills it up to an even length: a zero by the standard, FF in some files."""
    return stream.rstrip(b"\0\xff")


def check_stream(stream: bytes, name: str, *, rows: int, columns: int, samples: int) -> None:
    """Check a frame of JPEG, JPEG-LS or JPEG 2000.

    Args:
        stream: Of one frame.
        name: As shown.
        rows: As in the header.
        columns: As in the header.
        samples: Per pixel, as in the header.

    Raises:
        CorruptImage: It is cut short, of another size, or no such stream.
    """
    if not unpadded(stream).endswith(_END):
        raise _damaged(name, "the end of the compressed pixels is missing")
    if stream.startswith((_JPEG_2000, _JP2)):
        start = _start_of_jpeg_2000(stream) + 4
        found = _size_of_jpeg_2000(stream[start : start + 38])
        if found is not None and not _has_all_tiles(stream, start):
            raise _damaged(name, "a part of the compressed pixels is missing")
    elif stream.startswith(_JPEG):
        found = _size_of_jpeg(stream)
    else:
        found = None
    if found is None:
        raise _damaged(name, "the compressed pixels have no size")
    if found != (rows, columns, samples):
        raise _damaged(name, "the compressed pixels have another size than the header says")


def _start_of_jpeg_2000(stream: bytes) -> int:
    """Return where the codestream begins, behind boxes if there are any; its end if it begins nowhere.

    pydicom walks along the boxes, and never ends at one whose length is 0.
    """
    if stream.startswith(_JPEG_2000):
        return 0
    at = len(_JP2) + 4
    while at < min(len(stream), _MOST_BOXES):
        if stream[at + 4 : at + 8] == b"jp2c":
            return at + 8 if stream.startswith(_JPEG_2000, at + 8) else len(stream)
        length = int.from_bytes(stream[at : at + 4], "big")
        if length < 8:
            break
        at += length
    return len(stream)


def _size_of_jpeg_2000(size: bytes) -> tuple[int, int, int] | None:
    if len(size) < 38:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", size, 4)
    (samples,) = struct.unpack_from(">H", size, 36)
    return bottom - top, right - left, samples


def _has_all_tiles(stream: bytes, start: int) -> bool:
    """Whether each tile has a tile-part, ISO 15444-1 A.4.2: OpenJPEG leaves those out that have none.

    Args:
        stream: With an end.
        start: Where the length of SIZ stands.
    """
    right, bottom, _, _, width, height, left, top = struct.unpack_from(">8I", stream, start + 4)
    if not width or not height or right <= left or bottom <= top:
        return False
    due = -(-(right - left) // width) * -(-(bottom - top) // height)
    at = start + int.from_bytes(stream[start : start + 2], "big")
    found: set[int] = set()
    while at + 12 <= len(stream):
        if stream[at : at + 2] != _TILE_PART:
            if found or stream[at] != 0xFF:  # behind the tiles, or no marker
                break
            at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
            continue
        tile, length = struct.unpack_from(">HI", stream, at + 4)
        found.add(tile)
        if length < 12:  # 0: up to the end
            break
        at += length
    return at <= len(stream) and len(found) == due and max(found) < due


def _size_of_jpeg(stream: bytes) -> tuple[int, int, int] | None:
    at = 2
    while at + 10 <= len(stream):
        if stream[at] != 0xFF:
            return None
        marker = stream[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker in _SIZES:
            rows, columns, samples = struct.unpack_from(">HHB", stream, at + 5)
            return rows, columns, samples
        else:
            at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return None


def _damaged(name: str, how: str) -> CorruptImage:
    return CorruptImage(
        f"{name}: pixels are damaged or cut short ({how})", hint="copy or export the file again"
    )
