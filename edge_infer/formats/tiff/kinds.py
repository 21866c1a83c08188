"""Which TIFFs are read, decided by their tags: TIFF is many formats, and Pillow silently reads some of them wrongly.

16-bit colour loses its lower half, planar 16-bit colour becomes noise, signed 8-bit values wrap around, and colour of
reduced resolution (YCbCr) without compression is misread. Kinds that are not in the table below are refused by name.
"""

from edge_infer.errors import CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.formats.tiff.header import TiffHeader, read_tiff_header
from edge_infer.image_limits import MAX_PIXELS, check_size

__all__ = ["MAX_PIECES", "MAX_PIECE_BYTES", "check_tiff"]

MAX_PIECES = 65_536  # strips or tiles; each takes Pillow a step in Python
MAX_PIECE_BYTES = 64 * 2**20  # unpacked; libtiff holds one piece in addition to the image

_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP = 273, 274, 277, 278
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS = 322, 323, 324
_SAMPLE_FORMAT, _SUBSAMPLING = 339, 530

_READ_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
_COMPRESSIONS = {
    6: "old-style JPEG",
    9: "JBIG",
    10: "JBIG",
    32766: "NeXT RLE",
    32771: "CCITT RLE of words",
    32809: "ThunderScan",
    34661: "JBIG",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv",
    34712: "JPEG 2000",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG (DNG)",
    34925: "LZMA",
    34933: "PNG",
    34934: "JPEG XR",
    22610: "JPEG XR",
    50000: "Zstandard",
    34926: "Zstandard",
    50001: "WebP",
    34927: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_COLOURS = {
    0: "grey",
    1: "grey",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "CMYK",
    6: "YCbCr",
    8: "CIELAB",
    9: "CIELAB",
    10: "CIELAB",
    32803: "raw camera (CFA)",
    32844: "LogL",
    32845: "LogLuv",
    34892: "raw camera",
}
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_FORMATS = {
    1: "unsigned",
    2: "signed",
    3: "floating-point",
    4: "untyped",
    5: "complex",
    6: "complex",
}
_GREY = {(bits, _UNSIGNED) for bits in (1, 2, 4, 8, 12, 16, 32)} | {
    (16, _SIGNED),
    (32, _SIGNED),
    (32, _FLOAT),
}
_EIGHT = {(8, _UNSIGNED)}
#: By PhotometricInterpretation: number of colour channels, and the (bits, format) of a sample that are read.
_READ = {
    0: (1, _GREY),
    1: (1, _GREY),
    2: (3, _EIGHT),
    3: (1, {(bits, _UNSIGNED) for bits in (1, 2, 4, 8)}),
    5: (4, _EIGHT),
    6: (3, _EIGHT),
}


def check_tiff(data: bytes, name: str) -> None:
    """Refuse TIFFs that would not be read correctly, or not in bounded time and memory.

    Args:
        data: Of a TIFF file.
        name: For messages.

    Raises:
        CorruptImage: Cut short, or tags are missing or contradict each other.
        UnsupportedImage: Several pages, or a kind that is not read; the message names it.
        InputOverLimit: Too large, or in too many or too large pieces.
    """
    header = read_tiff_header(data, name)
    if header.has_more_pages:
        raise UnsupportedImage(
            f"{name}: image has several pages, expected one",
            hint="save the slice you want as an image of its own",
        )
    width, length = header.first(_WIDTH, 0), header.first(_LENGTH, 0)
    if not (width and length):
        raise CorruptImage(f"{name}: image is damaged (TIFF states no width or height)")
    check_size(width, length, name)
    _check_compression(header, name)
    _check_samples(header, name)
    _check_pieces(header, width, length, name)


def _check_compression(header: TiffHeader, name: str) -> None:
    compression = header.first(_COMPRESSION, 1)
    if compression not in _READ_COMPRESSIONS:
        kind = _COMPRESSIONS.get(compression, f"method {compression}")
        raise UnsupportedImage(
            f"{name}: TIFF is compressed with {kind}, expected none, LZW, Deflate, PackBits or JPEG",
            hint="save it without compression, or as PNG",
        )


def _check_samples(header: TiffHeader, name: str) -> None:
    photometric = header.first(_PHOTOMETRIC, -1)
    if photometric == -1:
        raise UnsupportedImage(f"{name}: TIFF does not say whether 0 is black or white")
    samples = header.first(_SAMPLES, 1)
    formats = set(header.tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    bits = set(header.tags.get(_BITS, (1,)))
    own, read = _READ.get(photometric, (0, set[tuple[int, int]]()))
    is_one_kind = len(bits) == 1 and len(formats) == 1
    is_read = is_one_kind and (max(bits), max(formats)) in read and samples <= 6
    if samples > max(own, 1):
        is_read = is_read and bits == {8}  # more channels or opacity: Pillow keeps 8 bits of each
    if not is_read:
        raise UnsupportedImage(
            f"{name}: TIFF holds {_described(photometric, samples, bits, formats)}, "
            "expected grey of up to 32 bits, or 8-bit colour",
            hint="save it as 16-bit grey, or as 8-bit",
        )
    _check_combination(header, photometric, samples, name)


def _described(photometric: int, samples: int, bits: set[int], formats: set[int]) -> str:
    colour = _COLOURS.get(photometric, f"colour of kind {photometric}")
    kinds = " and ".join(_FORMATS.get(kind, "unknown") for kind in sorted(formats))
    widths = " and ".join(str(width) for width in sorted(bits))
    channels = f" in {samples} channels" if samples > 1 else ""
    return f"{widths}-bit {kinds} {colour}{channels}"


def _check_combination(header: TiffHeader, photometric: int, samples: int, name: str) -> None:
    bits, compression = header.first(_BITS, 1), header.first(_COMPRESSION, 1)
    is_unsigned = header.first(_SAMPLE_FORMAT, _UNSIGNED) == _UNSIGNED
    # Pillow cannot read BigTIFF and the unread kinds, and swaps the bytes of the swapped ones twice: noise.
    is_unread = bits == 12 or (bits == 32 and is_unsigned)
    is_swapped = compression != 1 and (bits == 32 or not is_unsigned)
    if header.is_big_endian and (header.is_bigtiff or is_unread or is_swapped):
        raise UnsupportedImage(
            f"{name}: TIFF holds {bits}-bit grey in big-endian order, which is not read",
            hint="save it in little-endian order, or as PNG",
        )
    if compression == 7 and bits != 8:
        raise UnsupportedImage(f"{name}: TIFF holds a {bits}-bit JPEG, expected 8 bits")
    subsampling = header.tags.get(_SUBSAMPLING, (2, 2))
    if photometric == 6 and samples == 3 and compression == 1 and set(subsampling) != {1}:
        raise UnsupportedImage(
            f"{name}: TIFF holds YCbCr of reduced colour resolution without compression",
            hint="save it as RGB",
        )


def _check_pieces(header: TiffHeader, width: int, length: int, name: str) -> None:
    pieces = max(header.counts.get(_STRIP_OFFSETS, 0), header.counts.get(_TILE_OFFSETS, 0))
    if pieces > MAX_PIECES:
        raise InputOverLimit(
            f"{name}: TIFF is cut into {pieces:,} pieces, expected at most {MAX_PIECES:,}",
            hint="save it as PNG",
        )
    wide = header.first(_TILE_WIDTH, width)
    high = header.first(_TILE_LENGTH, min(header.first(_ROWS_PER_STRIP, length), length))
    piece_bytes = wide * high * header.first(_SAMPLES, 1) * header.first(_BITS, 1) // 8
    if header.first(_COMPRESSION, 1) != 1 and piece_bytes > MAX_PIECE_BYTES:
        raise InputOverLimit(
            f"{name}: TIFF is compressed in pieces of {piece_bytes / 2**20:,.0f} MiB, "
            f"expected at most {MAX_PIECE_BYTES // 2**20} MiB",
            hint="save it in smaller strips, or as PNG",
        )
    if header.first(_ORIENTATION, 1) != 1 and width * length > MAX_PIXELS // 2:
        raise InputOverLimit(
            f"{name}: TIFF of {width} x {length} pixels has to be turned, "
            f"expected at most {MAX_PIXELS // 2:,} pixels for that",
            hint="save it upright",
        )
