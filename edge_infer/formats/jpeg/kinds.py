"""Which of JPEG's processes a file uses: most viewers cannot show those that scanners use inside DICOM.

The frame header states it (ITU-T T.81, table B.1): its marker is the process, its first byte the bits of a sample.
"""

import re

__all__ = ["name_of_unread_jpeg"]

_SEGMENT = re.compile(rb"\xff{1,4096}([\x01-\xfe])", re.S)
_BASELINE = frozenset({0xC0, 0xC1, 0xC2})
_ARITHMETIC = frozenset({0xC9, 0xCA})
_LOSSLESS = frozenset({0xC3, 0xCB})
_HIERARCHICAL = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE})
_JPEG_LS = 0xF7
_START_OF_SCAN = 0xDA
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment


def name_of_unread_jpeg(data: bytes) -> str | None:
    """Name the kind of an intact JPEG that is not read here; None for kinds that are read, and for other files.

    Args:
        data: Of a whole file.
    """
    marker, body = _frame_header(data)
    if marker == _JPEG_LS:
        return "JPEG-LS"
    if marker in _LOSSLESS:
        return "lossless JPEG"
    if marker in _HIERARCHICAL:
        return "hierarchical JPEG"
    # Hardly any viewer reads these, and their damage cannot be detected. With Huffman tables the header is damaged.
    if marker in _ARITHMETIC and b"\xff\xc4" not in data:
        return "arithmetic-coded JPEG"
    if marker in _BASELINE and len(body) >= 6 and body[0] in {12, 16}:
        return f"{body[0]}-bit JPEG"
    return None


def _frame_header(data: bytes) -> tuple[int, bytes]:
    """Return the marker of the first frame header and its content; 0 if there is none before the first scan."""
    if not data.startswith(b"\xff\xd8\xff"):
        return 0, b""
    at = 2
    while match := _SEGMENT.match(data, at):
        marker, at = match[1][0], match.end()
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        is_frame = 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}
        if is_frame or marker in {0xDE, _JPEG_LS}:
            return marker, data[at + 2 : at + length]
        if length < 2 or marker == _START_OF_SCAN:
            break
        at += length
    return 0, b""
