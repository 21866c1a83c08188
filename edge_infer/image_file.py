"""Read one picture from a file, bytes, an array or Pillow, as 8-bit grey, or say exactly why not.

Files are read once, whole, into memory; limits are checked before anything is decoded; formats are
recognised by content. Accepted: JPEG, PNG, BMP, TIFF with one frame; EXIF orientation is applied.
"""

import hashlib
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from edge_infer.errors import CorruptImage, InputOverLimit, UnreadableInput, UnsupportedImage
from edge_infer.grey import refuse_inverted, scale_deep, to_grey
from edge_infer.image_limits import (
    FORMATS,
    MAX_FILE_BYTES,
    MAX_PIXELS,
    check_frames,
    check_size,
    name_of_foreign_format,
)
from edge_infer.names import shown_name

__all__ = ["ImageSource", "SourceImage", "open_source", "read_image"]

ImageSource = str | os.PathLike[str] | bytes | NDArray[Any] | Image.Image


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceImage:
    """A picture and where it came from.

    Attributes:
        name: The path as given; ``<bytes>``, ``<array>`` or ``<image>`` for what is in memory.
        sha256: Of the file or bytes; of the pixels in row order for arrays and Pillow images.
        image: Mode ``L``.
    """

    name: str
    sha256: str
    image: Image.Image


def read_image(source: ImageSource) -> Image.Image:
    """Read a picture as mode ``L``; see ``open_source``."""
    return open_source(source).image


def open_source(source: ImageSource) -> SourceImage:
    """Read a picture and take its fingerprint.

    Args:
        source: A path; the bytes of a picture file; an array, uint8 or uint16 (H, W) or uint8
            (H, W, 3 or 4); or a Pillow image.

    Raises:
        UnreadableInput: Missing, not a regular file, or not allowed to be read.
        CorruptImage: Empty, damaged, cut short or no picture.
        UnsupportedImage: Another format, several frames, too small or blank.
        InputOverLimit: More than 64 MiB, 8192 pixels a side or 40 million pixels.
        TypeError: The source is none of these.
        ValueError: An array of another shape or type.
    """
    if isinstance(source, Image.Image):
        return _from_pillow(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, bytes):
        return _from_bytes(source, "<bytes>")
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        return _from_bytes(_read_file(Path(name)), name)
    raise TypeError(
        f"picture is {type(source).__name__}, expected a path, bytes, an array or a Pillow image"
    )


def _read_file(path: Path) -> bytes:
    shown = shown_name(path)
    try:
        # O_NONBLOCK: opening a pipe without a writer would wait for ever.
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- Path.open takes no descriptor
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableInput(f"{shown}: is not a regular file")
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableInput(
            f"{shown}: cannot be read ({reason})", hint="check the name and the permissions"
        ) from error
    return data


def _from_bytes(data: bytes, name: str) -> SourceImage:
    shown = shown_name(name)
    if len(data) > MAX_FILE_BYTES:
        raise InputOverLimit(f"{shown}: file is larger than {MAX_FILE_BYTES // 2**20} MiB")
    if not data:
        raise CorruptImage(f"{shown}: file is empty (0 bytes)")
    image = _decode(data, shown)
    return SourceImage(
        name=name, sha256=hashlib.sha256(data).hexdigest(), image=to_grey(image, shown)
    )


def _decode(data: bytes, shown: str) -> Image.Image:
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise UnsupportedImage(
            f"{shown}: this process has told Pillow to accept truncated pictures",
            hint="set PIL.ImageFile.LOAD_TRUNCATED_IMAGES to False",
        )
    foreign = name_of_foreign_format(data)
    if foreign:
        raise UnsupportedImage(
            f"{shown}: format is {foreign}, expected {', '.join(FORMATS)}",
            hint="export the slice as PNG",
        )
    try:
        image = _open(data)
        check_size(*image.size, shown)
        check_frames(image, shown)
        refuse_inverted(image, shown)
        if image.format == "PNG":
            # Checksums of all chunks, up to the closing one: the decoder itself skips them.
            _open(data).verify()
        image.load()
        return ImageOps.exif_transpose(image)
    except (UnsupportedImage, InputOverLimit):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputOverLimit(f"{shown}: picture has more than {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise CorruptImage(
            f"{shown}: content is not a picture, expected {', '.join(FORMATS)}",
            hint="the ending of the name does not count, the content does",
        ) from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ...
        raise CorruptImage(
            f"{shown}: picture is damaged or cut short ({type(error).__name__})",
            hint="copy or export the file again",
        ) from error


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _from_pillow(source: Image.Image) -> SourceImage:
    check_size(*source.size, "<image>")
    check_frames(source, "<image>")
    refuse_inverted(source, "<image>")
    try:
        pixels = source.tobytes()
        image = ImageOps.exif_transpose(source)
    except Exception as error:  # the file behind it is only decoded now
        raise CorruptImage(f"<image>: cannot be decoded ({type(error).__name__})") from error
    digest = hashlib.sha256(pixels).hexdigest()
    return SourceImage(name="<image>", sha256=digest, image=to_grey(image, "<image>"))


def _from_array(array: NDArray[Any]) -> SourceImage:
    is_grey = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    is_colour = array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8
    if not (is_grey or is_colour):
        raise ValueError(
            f"array is {array.dtype} {array.shape}, "
            "expected uint8 or uint16 (H, W) or uint8 (H, W, 3 or 4)"
        )
    if array.size == 0:
        raise ValueError(f"array is empty: {array.shape}")
    array = np.ascontiguousarray(array)
    check_size(array.shape[1], array.shape[0], "<array>")
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    pixels = scale_deep(array, "<array>") if array.dtype == np.uint16 else array
    image = to_grey(Image.fromarray(pixels), "<array>")
    return SourceImage(name="<array>", sha256=digest, image=image)
