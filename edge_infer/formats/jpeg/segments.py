"""The segments of a JPEG, checked to be complete and in order, in time linear in the file's size.

Bytes between two segments and unknown markers count as damage. The bounds are far above what encoders need: the largest
allowed colour profile takes 255 segments, the usual progressive colour image ten scans.
"""

import re
from dataclasses import dataclass, field

from edge_infer.errors import InputOverLimit, UnsupportedImage
from edge_infer.formats.jpeg.frame import Frame, Scan, read_frame, read_scan
from edge_infer.formats.jpeg.huffman import (
    STANDARD_TABLES,
    BrokenJpegError,
    HuffmanTable,
    read_tables,
)

__all__ = ["MAX_FILL_BYTES", "MAX_SCANS", "MAX_SEGMENTS", "JpegSegments", "read_segments"]

MAX_SCANS = 100
MAX_SEGMENTS = 4096
MAX_FILL_BYTES = 65_536  # before one marker

_SOI, _EOI, _SOS, _DHT, _DQT, _DRI = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_ARITHMETIC = frozenset({0xC9, 0xCA})
_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # includes a restart marker after the last block
_SKIPPED = frozenset({0xCC, 0xDC, 0xFE, *range(0xE0, 0xF0)})  # DAC, DNL, a comment, applications
_JFIF, _ADOBE = 0xE0, 0xEE
_ADOBE_TRANSFORMS = {3: (0, 1), 4: (0, 2)}  # by number of components
_FILL = re.compile(rb"\xff*", re.S)
_FILL_LIMIT = b"\xff" * MAX_FILL_BYTES
_END_OF_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]", re.S)


@dataclass(slots=True, kw_only=True)
class JpegSegments:
    """What the segments up to the end marker state.

    Attributes:
        frame: None in a stream with only tables.
        scans: In order.
        tables: Huffman tables defined at the end.
        restart_interval: The one in force at the end, in MCUs.
        is_arithmetic: Whether there was an arithmetic-coded frame.
        is_jfif: Whether there was a JFIF segment, which fixes the colours of three components.
        adobe_transform: Colour coding stated by Adobe's segment; None without one.
    """

    frame: Frame | None = None
    scans: list[Scan] = field(default_factory=list)
    tables: dict[int, HuffmanTable] = field(default_factory=dict)
    restart_interval: int = 0
    is_arithmetic: bool = False
    is_jfif: bool = False
    adobe_transform: int | None = None


def read_segments(
    data: bytes, name: str, *, start: int = 0, tables: dict[int, HuffmanTable] | None = None
) -> JpegSegments:
    """Read all segments up to the end marker; bytes after it are ignored.

    Args:
        data: Holds the stream.
        name: For messages.
        start: Where the stream begins.
        tables: Huffman tables from elsewhere, as in a TIFF.

    Raises:
        BrokenJpegError: A segment is missing, misplaced or incomplete.
        UnsupportedImage: A process other than baseline or progressive with Huffman codes, or not 8 bits.
        InputOverLimit: More segments, scans or fill bytes than any encoder needs.
    """
    if data[start : start + 2] != b"\xff\xd8":
        raise BrokenJpegError("no start marker")
    found = JpegSegments(tables=dict(tables or {}))
    at = start + 2
    for _ in range(MAX_SEGMENTS):
        marker, at = _next_marker(data, at, name)
        if marker == _EOI:
            _check_colours(found)
            return found
        if marker in _ALONE:
            continue
        end = at + int.from_bytes(data[at : at + 2], "big")
        if not at + 2 <= end <= len(data):
            raise BrokenJpegError("a segment is cut short")
        body = data[at + 2 : end]
        at = end
        if marker == _SOS:
            at = _add_scan(found, body, data, end, name)
        elif marker in _SKIPPED:
            _add_colours(found, marker, body)
        else:
            _add(found, marker, body, name)
    raise InputOverLimit(
        f"{name}: JPEG has more than {MAX_SEGMENTS:,} segments", hint="export the slice again"
    )


def _next_marker(data: bytes, at: int, name: str) -> tuple[int, int]:
    match = _FILL.match(data, at)
    end = match.end() if match else at
    _check_fill(name, is_over_limit=end - at > MAX_FILL_BYTES)
    if end == len(data):
        raise BrokenJpegError("no end marker")
    if end == at or data[end] == 0:
        raise BrokenJpegError("bytes that belong to no segment")
    return data[end], end + 1


def _check_fill(name: str, *, is_over_limit: bool) -> None:
    if is_over_limit:
        raise InputOverLimit(
            f"{name}: JPEG has more than {MAX_FILL_BYTES:,} fill bytes before a marker",
            hint="export the slice again",
        )


def _add(found: JpegSegments, marker: int, body: bytes, name: str) -> None:
    """Record what a segment other than a scan defines."""
    if marker == _DHT:
        found.tables |= read_tables(body)
    elif marker == _DQT:
        _check_quantization(body)
    elif marker == _DRI and len(body) == 2:
        found.restart_interval = int.from_bytes(body, "big")
    elif marker in (_BASELINE, _EXTENDED, _PROGRESSIVE) and found.frame is None:
        if body[:1] != b"\x08":
            raise UnsupportedImage(f"{name}: JPEG of other than 8 bits, expected 8")
        found.frame = read_frame(body, is_progressive=marker == _PROGRESSIVE)
    elif marker in _ARITHMETIC:
        found.is_arithmetic = True
    elif marker in _OTHER_FRAMES:
        raise UnsupportedImage(
            f"{name}: lossless or hierarchical JPEG, expected baseline or progressive",
            hint="export the slice as PNG",
        )
    else:
        raise BrokenJpegError("a segment out of place")


def _add_colours(found: JpegSegments, marker: int, body: bytes) -> None:
    """Record what the JFIF and Adobe segments state about the colours, as libjpeg does."""
    if marker == _JFIF and body.startswith(b"JFIF\0") and len(body) >= 12:
        found.is_jfif = True
    if marker == _ADOBE and body.startswith(b"Adobe") and len(body) >= 12:
        found.adobe_transform = body[11]


def _check_colours(found: JpegSegments) -> None:
    count = len(found.frame.components) if found.frame else 0
    allowed = _ADOBE_TRANSFORMS.get(count)
    is_settled = found.adobe_transform is None or (count == 3 and found.is_jfif)
    if allowed and not is_settled and found.adobe_transform not in allowed:
        raise BrokenJpegError("colours of no known kind")


def _check_quantization(body: bytes) -> None:
    at = 0
    while at < len(body):
        is_wide, size = body[at] >> 4, 64 << (body[at] >> 4 & 1)
        steps = body[at + 1 : at + 1 + size]
        high, low = (steps[::2], steps[1::2]) if is_wide else (bytes(64), steps)
        if is_wide > 1 or len(steps) < size or (0, 0) in zip(high, low, strict=True):
            raise BrokenJpegError("a quantization table is incomplete")
        at += 1 + size


def _add_scan(found: JpegSegments, body: bytes, data: bytes, start: int, name: str) -> int:
    """Record a scan; return where its data end."""
    if found.is_arithmetic and not found.tables:
        raise UnsupportedImage(
            f"{name}: arithmetic-coded JPEG, which cannot be checked for damage, expected Huffman codes",
            hint="export the slice as PNG",
        )
    if found.frame is None or found.is_arithmetic:
        raise BrokenJpegError("a scan without a frame of its kind")
    if len(found.scans) == MAX_SCANS:
        raise InputOverLimit(
            f"{name}: JPEG has more than {MAX_SCANS} scans", hint="export the slice again"
        )
    match = _END_OF_SCAN.search(data, start)
    if match is None:
        raise BrokenJpegError("no end marker")
    _check_fill(name, is_over_limit=data.endswith(_FILL_LIMIT, start, match.start()))
    found.scans.append(
        read_scan(
            body,
            found.frame,
            found.tables if found.frame.is_progressive else {**STANDARD_TABLES, **found.tables},
            restart_interval=found.restart_interval,
            data=(start, match.start()),
        )
    )
    return match.start()
