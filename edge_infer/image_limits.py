"""Accepted formats, and limits that are checked before decoding."""

from PIL import Image

from edge_infer.errors import InputOverLimit, UnsupportedImage

__all__ = [
    "FORMATS",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "MIN_SIDE",
    "check_frames",
    "check_not_too_large",
    "check_size",
]

#: Accepted formats, recognised by content and never by the ending of the name.
FORMATS = ("JPEG", "PNG", "BMP", "TIFF")

MAX_FILE_BYTES = 64 * 2**20
MAX_SIDE = 8192
MAX_PIXELS = 40_000_000
MIN_SIDE = 16


def check_size(width: int, height: int, name: str) -> None:
    """Check the size stated by the header; needs no decoding.

    Raises:
        InputOverLimit: More than 8192 pixels a side or 40 million in all.
        UnsupportedImage: A side shorter than 16 pixels.
    """
    check_not_too_large(width, height, name)
    if min(width, height) < MIN_SIDE:
        raise UnsupportedImage(
            f"{name}: image is {width} x {height} pixels, expected at least {MIN_SIDE} a side"
        )


def check_not_too_large(width: int, height: int, name: str) -> None:
    """Check the upper limits only: an image inside another, such as a strip of a TIFF, may be small.

    Raises:
        InputOverLimit: More than 8192 pixels a side or 40 million in all.
    """
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise InputOverLimit(
            f"{name}: image is {width} x {height} pixels, expected at most {MAX_SIDE} a side and "
            f"{MAX_PIXELS:,} in all",
            hint="export a single slice at its original size",
        )


def check_frames(image: Image.Image, name: str) -> None:
    """Refuse images of several frames: we cannot know which one to classify.

    Raises:
        UnsupportedImage: Several frames or pages.
    """
    # Not n_frames, which reads every page of a TIFF: 60,000 took 15 seconds. Seeking checks that a second one exists.
    if getattr(image, "is_animated", False):
        current = image.tell()
        image.seek(0 if current else 1)
        image.seek(current)
        raise UnsupportedImage(
            f"{name}: image has several frames or pages, expected one",
            hint="save the slice you want as an image of its own",
        )
