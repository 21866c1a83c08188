"""Whether the data of a JPEG are complete: finds what a decoder would silently fill in or skip.

libjpeg counts such places as warnings, which Pillow does not pass on. So every code is walked without decoding: each
scan must hold exactly the blocks that the frame header requires, with all markers in order. Damage after which the
number of blocks is still right, such as most single flipped bits, no decoder can see.
"""

from array import array
from collections.abc import Mapping

from edge_infer.errors import CorruptImage, InputOverLimit
from edge_infer.formats.jpeg.bits import JpegBits
from edge_infer.formats.jpeg.frame import Frame, Scan
from edge_infer.formats.jpeg.huffman import (
    BrokenJpegError,
    HuffmanCode,
    HuffmanTable,
    code_of,
)
from edge_infer.formats.jpeg.progressive import Band, walk_ac, walk_dc, walk_dc_bits
from edge_infer.formats.jpeg.segments import JpegSegments, read_segments
from edge_infer.formats.jpeg.sequential import walk_blocks
from edge_infer.image_limits import check_not_too_large

__all__ = [
    "MAX_BLOCK_VISITS",
    "MAX_PROGRESSIVE_BYTES",
    "check_jpeg",
    "check_jpeg_stream",
    "jpeg_tables",
]

#: Blocks times scans of a progressive image; 40 megapixels in colour and ten scans take half of it.
MAX_BLOCK_VISITS = 2**24

#: Of coded data of a progressive image, which take two microseconds a byte to walk; baseline takes 0.1.
MAX_PROGRESSIVE_BYTES = 4 * 2**20

_SIGNATURE = b"\xff\xd8\xff"
_COEFFICIENTS = 64
_UNSENT = -1
_MAX_LOWER_BIT = 13


def check_jpeg(data: bytes, name: str) -> None:
    """Check a whole JPEG file before it is decoded; other files pass.

    Args:
        data: Of a whole file.
        name: For messages.

    Raises:
        CorruptImage: Damaged, cut short, or its data are of another size than the header states.
        UnsupportedImage: Not 8 bits, or neither baseline nor progressive with Huffman codes.
        InputOverLimit: Too large, or made of more pieces than any encoder needs.
    """
    if data.startswith(_SIGNATURE):
        check_jpeg_stream(data, name)


def check_jpeg_stream(
    data: bytes,
    name: str,
    *,
    start: int = 0,
    tables: Mapping[int, HuffmanTable] | None = None,
) -> Frame:
    """Check one JPEG stream; see ``check_jpeg``.

    Args:
        data: Holds the stream.
        name: For messages.
        start: Where the stream begins.
        tables: Huffman tables from elsewhere, as in a TIFF.

    Returns:
        Its frame header.
    """
    try:
        segments = read_segments(data, name, start=start, tables=dict(tables or {}))
        if segments.frame is None:
            raise BrokenJpegError("no frame header")
        check_not_too_large(segments.frame.width, segments.frame.height, name)
        if segments.frame.is_progressive:
            _check_visits(segments.frame, segments.scans, name)
            _check_progressive(data, segments.frame, segments)
        else:
            _check_sequential(data, segments.frame, segments)
    except BrokenJpegError as error:
        raise CorruptImage(
            f"{name}: image is damaged or cut short (JPEG: {error})",
            hint="copy or export the file again",
        ) from error
    return segments.frame


def jpeg_tables(data: bytes, name: str) -> Mapping[int, HuffmanTable]:
    """Return the Huffman tables of a stream that holds tables alone, as TIFF keeps them.

    Raises:
        CorruptImage: It is damaged.
    """
    try:
        return read_segments(data, name).tables
    except BrokenJpegError as error:
        raise CorruptImage(f"{name}: image is damaged (JPEG tables: {error})") from error


def _check_sequential(data: bytes, frame: Frame, segments: JpegSegments) -> None:
    sent: list[int] = []
    for scan in segments.scans:
        if (scan.first, scan.last, scan.upper_bit, scan.lower_bit) != (0, 63, 0, 0):
            raise BrokenJpegError("a scan header of another mode")
        layout = [
            (_code(dc), _code(ac))
            for index, (dc, ac) in zip(scan.components, scan.codes, strict=True)
            for _ in range(_blocks_in_mcu(frame, scan, index))
        ]
        walk_blocks(*_bits_and_mcus(data, frame, scan), layout)
        sent += scan.components
    if sorted(sent) != list(range(len(frame.components))):
        raise BrokenJpegError("a component is missing or stands twice")


def _check_progressive(data: bytes, frame: Frame, segments: JpegSegments) -> None:
    # By component: the lowest bit sent so far of each coefficient, and for each block which ones are not 0 so far.
    sent = [[_UNSENT] * _COEFFICIENTS for _ in frame.components]
    is_set = [array("Q", bytes(8 * component.blocks)) for component in frame.components]
    for scan in segments.scans:
        for index in scan.components:
            _advance(sent[index], scan)
        bits, mcus = _bits_and_mcus(data, frame, scan)
        index = scan.components[0]
        if scan.first:
            band = Band(first=scan.first, last=scan.last, refines=scan.upper_bit > 0)
            walk_ac(bits, mcus, _code(scan.codes[0][1]), band, is_set[index])
        elif scan.upper_bit:
            walk_dc_bits(bits, mcus, sum(_blocks_in_mcu(frame, scan, i) for i in scan.components))
        else:
            layout = [
                _code(dc)
                for i, (dc, _) in zip(scan.components, scan.codes, strict=True)
                for _ in range(_blocks_in_mcu(frame, scan, i))
            ]
            walk_dc(bits, mcus, layout)
    if any(bit != 0 for bits_sent in sent for bit in bits_sent):
        raise BrokenJpegError("scans are missing")


def _advance(sent: list[int], scan: Scan) -> None:
    """Record what a scan sends of a component; refuse what may not follow the scans before (T.81, G.1.1.1)."""
    is_dc = scan.first == 0
    is_band = scan.first <= scan.last < _COEFFICIENTS and (len(scan.components) == 1 or is_dc)
    if (is_dc and scan.last) or not is_band or (not is_dc and sent[0] == _UNSENT):
        raise BrokenJpegError("a scan out of order")
    for k in range(scan.first, scan.last + 1):
        is_first = sent[k] == _UNSENT and scan.upper_bit == 0
        is_next = sent[k] == scan.upper_bit == scan.lower_bit + 1
        if not (is_first or is_next) or scan.lower_bit > _MAX_LOWER_BIT:
            raise BrokenJpegError("a scan out of order")
        sent[k] = scan.lower_bit


def _check_visits(frame: Frame, scans: list[Scan], name: str) -> None:
    visits = sum(
        frame.mcus * len(scan.components)
        if len(scan.components) > 1
        else frame.components[scan.components[0]].blocks
        for scan in scans
    )
    size = sum(scan.end - scan.start for scan in scans)
    if size > MAX_PROGRESSIVE_BYTES:
        raise InputOverLimit(
            f"{name}: progressive JPEG of {size:,} bytes, expected at most {MAX_PROGRESSIVE_BYTES:,}",
            hint="export the slice again, as baseline JPEG or PNG",
        )
    if visits > MAX_BLOCK_VISITS:
        raise InputOverLimit(
            f"{name}: progressive JPEG of {len(scans)} scans at {frame.width} x {frame.height} pixels, "
            "more than any encoder needs",
            hint="export the slice again, as baseline JPEG or PNG",
        )


def _bits_and_mcus(data: bytes, frame: Frame, scan: Scan) -> tuple[JpegBits, list[int]]:
    """Open the data of a scan; also return the number of MCUs due in each restart interval."""
    bits = JpegBits(data[scan.start : scan.end])
    mcus = scan.mcus(frame)
    if len(bits.ends) != len(mcus):
        raise BrokenJpegError("restart markers are missing or too many")
    return bits, mcus


def _blocks_in_mcu(frame: Frame, scan: Scan, index: int) -> int:
    component = frame.components[index]
    return component.across * component.down if len(scan.components) > 1 else 1


def _code(table: HuffmanTable | None) -> HuffmanCode:
    if table is None:
        raise BrokenJpegError("a Huffman table is missing")
    return code_of(table)
