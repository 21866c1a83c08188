"""A PNG reduced to the chunks that matter for its pixels, with every checksum verified and every cost bounded.

Pillow reads and keeps every chunk and unpacks its text: a million empty chunks took seconds, and a text or colour
profile over 1 MiB, which is allowed, was reported as damage. Its limits are settings of the whole process, which belong
to the host program. So the chunks are read here first, and Pillow gets only header, palette, transparency, pixels and
what may state the orientation (EXIF, or a text that contains it), unchanged.

16-bit grey passes, and ``edge_infer.grey`` scales it. 16 bits in several channels are refused: Pillow keeps the upper
eight, which leave three grey levels of an MRI whose largest value is 600.
"""

import re
import struct
import zlib
from collections.abc import Iterator

from edge_infer.errors import CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.formats.png_pixels import PixelCount

__all__ = ["MAX_CHUNKS", "PNG_SIGNATURE", "pixels_only"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 65_536  # libpng writes 8 KiB of pixels a chunk, so a file of 64 MiB has 8,192

_COLOURS = {0: "grey", 2: "colour", 3: "palette", 4: "grey and opacity", 6: "colour and opacity"}
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_ONCE_BEFORE_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS"})
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_TURNING_TEXTS = frozenset({b"Raw profile type exif", b"XML:com.adobe.xmp"})
_MAX_TEXT = 2**20  # PIL.PngImagePlugin.MAX_TEXT_CHUNK
_MAX_SEARCHED = 16 * 2**20
_MAX_TURNING_TEXTS = 4  # each may unpack to _MAX_SEARCHED bytes
_TURNED = re.compile(rb"tiff:Orientation(=\"|>)[2-8]")

_Chunk = tuple[bytes, memoryview, memoryview]  # type, content, whole chunk


def pixels_only(data: bytes, name: str) -> bytes:
    """Return the PNG without the chunks that do not matter for its pixels.

    Args:
        data: Of a PNG file.
        name: For messages.

    Raises:
        CorruptImage: A checksum is wrong, the file is cut short, chunks are out of order, or there are not as many
            pixels as the header says.
        UnsupportedImage: Several frames, 16 bits in several channels, or an unknown chunk that may not be skipped.
        InputOverLimit: Too many pixels, more than 65,536 chunks, or metadata too long to find the orientation in.
    """
    kept = [memoryview(PNG_SIGNATURE)]
    seen: dict[bytes, int] = {}
    last = b""
    turning = 0
    pixels: PixelCount | None = None
    for kind, body, whole in _chunks(data, name):
        _check_order(kind, last, seen, name)
        if kind == b"IHDR":
            _check_header(bytes(body), name)
            pixels = PixelCount(bytes(body), name)
        elif kind == b"IDAT" and pixels is not None:
            pixels.add(body)
        _refuse_frames(kind, body, name)
        keyword = bytes(body[:80]).split(b"\0", 1)[0] if kind in _TEXTS else b""
        if keyword in _TURNING_TEXTS:
            turning += 1
            _bound_turning(turning, name)
            if _may_turn(kind, keyword, bytes(body), name):
                kept.append(whole)
        elif kind in _KEPT:
            kept.append(whole)
        elif not kind[0] & 0x20:  # an upper-case letter: may not be skipped
            raise UnsupportedImage(f"{name}: PNG has an unknown chunk that is needed to read it")
        seen[kind] = seen.get(kind, 0) + 1
        last = kind
    if b"IDAT" not in seen or pixels is None:
        raise CorruptImage(f"{name}: PNG has no pixels")
    pixels.close()
    return b"".join(kept)


def _chunks(data: bytes, name: str) -> Iterator[_Chunk]:
    """Yield each chunk up to the last one, with its checksum verified."""
    view = memoryview(data)
    at = len(PNG_SIGNATURE)
    for _ in range(MAX_CHUNKS):
        length, kind = int.from_bytes(view[at : at + 4], "big"), bytes(view[at + 4 : at + 8])
        end = at + 12 + length
        if end > len(data):
            raise CorruptImage(
                f"{name}: image is cut short (PNG)", hint="copy or export the file again"
            )
        checksum = int.from_bytes(view[end - 4 : end], "big")
        if zlib.crc32(view[at + 4 : end - 4]) != checksum or not kind.isalpha():
            raise CorruptImage(
                f"{name}: image is damaged (a PNG checksum is wrong)",
                hint="copy or export the file again",
            )
        yield kind, view[at + 8 : end - 4], view[at:end]
        if kind == b"IEND":
            return
        at = end
    raise InputOverLimit(
        f"{name}: PNG has more than {MAX_CHUNKS:,} chunks", hint="export the slice again"
    )


def _check_order(kind: bytes, last: bytes, seen: dict[bytes, int], name: str) -> None:
    is_first = not seen
    late = kind in _ONCE_BEFORE_PIXELS and (kind in seen or b"IDAT" in seen)
    split = kind == b"IDAT" and kind in seen and last != kind
    if is_first != (kind == b"IHDR") or late or split:
        raise CorruptImage(f"{name}: image is damaged (PNG chunks are out of order)")


def _check_header(header: bytes, name: str) -> None:
    if len(header) != 13:
        raise CorruptImage(f"{name}: image is damaged (PNG header has another length)")
    depth, colour, compression, filtering, interlace = struct.unpack(">8x5B", header)
    if depth not in _DEPTHS.get(colour, set()) or compression or filtering or interlace > 1:
        raise UnsupportedImage(
            f"{name}: PNG header states a kind of image that does not exist in PNG"
        )
    if depth == 16 and colour != 0:
        raise UnsupportedImage(
            f"{name}: PNG of {_COLOURS[colour]} with 16 bits a channel, expected 16-bit grey or 8 bits",
            hint="save it as 16-bit grey, or as 8-bit PNG",
        )


def _refuse_frames(kind: bytes, body: memoryview, name: str) -> None:
    if kind == b"fdAT" or (kind == b"acTL" and 1 < int.from_bytes(body[:4], "big") <= 0x80000000):
        raise UnsupportedImage(
            f"{name}: image has several frames (animated PNG), expected one",
            hint="save the slice you want as an image of its own",
        )


def _bound_turning(turning: int, name: str) -> None:
    if turning > _MAX_TURNING_TEXTS:
        raise InputOverLimit(
            f"{name}: PNG has more than {_MAX_TURNING_TEXTS} texts that may state its orientation",
            hint="save it upright and without metadata",
        )


def _may_turn(kind: bytes, keyword: bytes, body: bytes, name: str) -> bool:
    """Whether Pillow must get this text, since it may hold an EXIF orientation."""
    text = _unpacked(kind, body[len(keyword) + 1 :])
    if len(text) <= _MAX_TEXT:
        return True
    is_exif = keyword.startswith(b"Raw")
    if is_exif or len(text) > _MAX_SEARCHED or _TURNED.search(text):
        raise InputOverLimit(
            f"{name}: PNG has metadata of more than 1 MiB, too long to find its orientation in",
            hint="save it upright and without metadata",
        )
    return False


def _unpacked(kind: bytes, rest: bytes) -> bytes:
    """Unpack the text after its keyword, up to _MAX_SEARCHED bytes."""
    packed = rest
    if kind == b"iTXt":
        # flag, method, language, 0, translated keyword, 0, text (PNG 1.2, 4.2.3.3)
        packed = rest[2:].split(b"\0", 2)[-1]
        if rest[:1] != b"\1":
            return packed
    elif kind == b"tEXt":
        return packed
    else:
        packed = rest[1:]
    try:
        return zlib.decompressobj().decompress(packed, _MAX_SEARCHED + 1)
    except zlib.error:
        return b""
