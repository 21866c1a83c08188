"""What kind of scan a file holds, told by its first bytes; and how large a file of a scan may be."""

import io
import zlib
from collections.abc import Iterator
from typing import Literal

from edge_infer.errors import CorruptImage, InputOverLimit
from edge_infer.formats.medical import name_of_medical_format
from edge_infer.unpacked_room import make_room

__all__ = ["GZIP", "MAX_RATIO", "MAX_SCAN_BYTES", "START_BYTES", "ScanKind", "kind_of", "unpacked"]

ScanKind = Literal["dicom", "nifti", "zip"]

#: Of a file, or of what it unpacks to. An enhanced MR of 500 frames of 512 x 512 has 250 MiB.
MAX_SCAN_BYTES = 512 * 2**20

#: So many bytes are enough for ``kind_of``.
START_BYTES = 512

GZIP = b"\x1f\x8b"

#: How many times larger than a file what it holds may be, from ``_SMALL`` on; empty background alone reaches 100.
MAX_RATIO = 250
_SMALL = 16 * 2**20
_SOON = 64 * 2**20  # bytes; a volume may begin with empty slices
_PIECE = 2**14  # bytes; deflate makes at most 1,032 times as many of them
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def kind_of(start: bytes) -> ScanKind | None:
    """Return which reader a file is for; None if it is for none, as a PNG is.

    Args:
        start: Its first 512 bytes, or all of a shorter file.
    """
    if start.startswith(_ZIP):
        return "zip"
    name = name_of_medical_format(start) or ""
    if name.startswith("DICOM") and "gzip" not in name:
        return "dicom"
    return "nifti" if name.startswith("NIfTI") else None


def unpacked(packed: bytes | memoryview, name: str, *, is_gzip: bool, limit: int) -> bytes:
    """Return what a deflate stream holds, or a gzip file of one or several members.

    Room is asked for before anything is kept. Where it grows as no scan does, it is counted to its end before that, so
    that a bomb takes no memory.

    Args:
        packed: The whole stream.
        name: Of the file, as shown.
        is_gzip: Otherwise it has no header.
        limit: Bytes.

    Raises:
        CorruptImage: It is cut short.
        InputOverLimit: It holds more, or 250 times its size.
        zlib.error: It is damaged.
    """
    most = min(limit, max(_SMALL, MAX_RATIO * len(packed)))
    stated = min(most, int.from_bytes(packed[-4:], "little")) if is_gzip else 0
    size = room = 0
    kept: io.BytesIO | None = io.BytesIO()
    for read, part in _parts(packed, name, is_gzip=is_gzip):
        size += len(part)
        if size > most:
            than = f"{limit // 2**20} MiB" if most == limit else f"{MAX_RATIO} times its size"
            raise InputOverLimit(f"{name}: unpacks to more than {than}")
        if size > max(_SOON, MAX_RATIO * read):
            kept = None
        if kept is not None and size > room:
            room = max(size, stated)
            make_room("stream", room, name)
        if kept is not None:
            kept.write(part)
    if kept is None:
        make_room("stream", size, name)
        kept = io.BytesIO()
        for _, part in _parts(packed, name, is_gzip=is_gzip):
            kept.write(part)
    return kept.getvalue()


def _parts(packed: bytes | memoryview, name: str, *, is_gzip: bool) -> Iterator[tuple[int, bytes]]:
    """Yield how many bytes were read, and what they hold."""
    at = 0
    while True:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS + 16 if is_gzip else -zlib.MAX_WBITS)
        while not unpacker.eof:
            piece = packed[at : at + _PIECE]
            if not piece:
                kind = "gzip" if is_gzip else "deflated"
                raise CorruptImage(
                    f"{name}: file is cut short ({kind})", hint="copy or export the file again"
                )
            part = unpacker.decompress(piece)
            at += len(piece) - len(unpacker.unused_data)
            yield at, part
        if not is_gzip or packed[at : at + 2] != GZIP:
            return
