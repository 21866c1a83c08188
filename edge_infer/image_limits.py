"""What a picture may be before it is decoded: limits, and formats that are known but refused."""

from PIL import Image

from edge_infer.errors import InputOverLimit, UnsupportedImage

__all__ = [
    "FORMATS",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "MIN_SIDE",
    "check_frames",
    "check_size",
    "name_of_foreign_format",
]

#: Formats that are decoded, recognised by content and never by the ending of the name.
FORMATS = ("JPEG", "PNG", "BMP", "TIFF")

MAX_FILE_BYTES = 64 * 2**20
MAX_SIDE = 8192
MAX_PIXELS = 40_000_000
MIN_SIDE = 16

_FOREIGN = (  # (offset, first bytes, name)
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (128, b"DICM", "DICOM"),
    (344, b"n+1\0", "NIfTI"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (0, b"\x1f\x8b", "gzip (perhaps .nii.gz)"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%!PS", "PostScript"),
)


def name_of_foreign_format(data: bytes) -> str | None:
    """Name a known format that is not accepted, or None if the bytes are not recognised."""
    for offset, magic, name in _FOREIGN:
        if data[offset : offset + len(magic)] == magic:
            return name
    return None


def check_size(width: int, height: int, name: str) -> None:
    """Check the size that the header states; needs no decoded pixel.

    Raises:
        InputOverLimit: More than 8192 pixels a side or 40 million in all.
        UnsupportedImage: A side shorter than 16 pixels.
    """
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise InputOverLimit(
            f"{name}: picture is {width} x {height} pixels, expected at most {MAX_SIDE} a side and "
            f"{MAX_PIXELS:,} in all",
            hint="export a single slice at its original size",
        )
    if min(width, height) < MIN_SIDE:
        raise UnsupportedImage(
            f"{name}: picture is {width} x {height} pixels, expected at least {MIN_SIDE} a side"
        )


def check_frames(image: Image.Image, name: str) -> None:
    """Refuse pictures of several frames: which of them to classify is not ours to guess.

    Raises:
        UnsupportedImage: Several frames or pages.
    """
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise UnsupportedImage(
            f"{name}: picture has {frames} frames or pages, expected one",
            hint="save the slice you want as a picture of its own",
        )
