"""Read an image from a file, bytes, an array or Pillow as 8-bit grey, or say exactly why not.

Files are read once, completely, into memory; limits are checked before decoding; formats are
recognised by content. Accepted: JPEG, PNG, BMP, TIFF with one frame; EXIF orientation is applied.

Messages name a path as given, and other sources by their kind: the ``name`` of an open file may be
anything, even a patient's name, and was not given to be shown.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.arrays import plain_pixels
from edge_infer.binary_file import BinaryFile, read_binary
from edge_infer.colour import coloured_share
from edge_infer.decoding import checked, decode, refuse_accepting_truncated
from edge_infer.errors import BrainError, CorruptImage, InputOverLimit, UnreadableInput
from edge_infer.grey import refuse_misread, scale_deep, strips, to_grey, upright
from edge_infer.image_limits import FORMATS, MAX_FILE_BYTES, check_frames, check_size
from edge_infer.names import shown_name
from edge_infer.quiet_pillow import quiet_pillow
from edge_infer.standard_input import StandardInput

__all__ = [
    "ImageSource",
    "SourceImage",
    "open_named",
    "open_source",
    "read_file",
    "read_image",
    "source_name",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceImage:
    """An image and where it came from.

    Attributes:
        name: See ``source_name``.
        sha256: Of the file or bytes; of the pixels in row order for arrays and Pillow images.
        image: Mode ``L``.
        coloured: Which share of the pixels had a colour of its own before it became grey; see
            ``edge_infer.colour``.
    """

    name: str
    sha256: str
    image: Image.Image
    coloured: float = 0.0


ImageSource = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryFile
    | StandardInput
    | SourceImage
    | NDArray[Any]
    | Image.Image
)


def read_image(source: ImageSource) -> Image.Image:
    """Read an image as mode ``L``; see ``open_source``."""
    return open_source(source).image


def open_source(source: ImageSource) -> SourceImage:
    """Read an image and take its fingerprint.

    Args:
        source: A path; the bytes of an image file; a file open in binary mode, read from its
            current position and left open; an array, uint8 (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4), or uint16 (H, W) or (H, W, 1); or a Pillow image; or an image that was read
            before. uint16 and other deep images are scaled by their largest value.

    Raises:
        UnreadableInput: Missing, not a regular file, not allowed to be read, or reading failed.
        CorruptImage: Empty, damaged, cut short or not an image.
        UnsupportedImage: Another format, several frames, too small or blank.
        InputOverLimit: More than 64 MiB, 8192 pixels a side or 40 million pixels.
        TypeError: The source is none of these, or a file in text mode.
        ValueError: An array of another shape or type, or a closed file.
    """
    name = source_name(source)
    quiet_pillow()
    try:
        return _open_source(source, name)
    except MemoryError as error:  # an error of this image; the run goes on
        raise _no_memory(name) from error


def source_name(source: ImageSource) -> str:
    """Name a source: a path or what was read before as given; else ``<bytes>``, ``<file>``, ``<stdin>``, ...

    Raises:
        TypeError: It is not a source of an image.
    """
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, SourceImage):
        return source.name
    if isinstance(source, Image.Image):
        return "<image>"
    if isinstance(source, np.ndarray):
        return "<array>"
    if isinstance(source, StandardInput):
        return source.name
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, BinaryFile):
        return "<file>"
    raise TypeError(
        f"image is {type(source).__name__}, "
        "expected a path, bytes, a binary file, an array or a Pillow image"
    )


def _open_source(source: ImageSource, name: str) -> SourceImage:
    if isinstance(source, SourceImage):
        return source
    if isinstance(source, Image.Image):
        return _from_pillow(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, StandardInput):
        return _from_bytes(source.data, name, if_empty="pipe an image into it")
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(source, name)
    if isinstance(source, str | os.PathLike):
        return _from_bytes(read_file(Path(name)), name)
    return _from_bytes(
        read_binary(source, name), name, if_empty="its position may be at the end: seek(0)"
    )


def read_file(path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Read a whole file.

    Args:
        path: Of a regular file.
        limit: Bytes.

    Raises:
        UnreadableInput: Missing, not a regular file, not allowed to be read, or reading failed.
        InputOverLimit: It is larger than the limit.
    """
    shown = shown_name(path)
    try:
        # O_NONBLOCK: otherwise opening a pipe without a writer would block.
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        try:  # before open(), which refuses a folder and leaves its descriptor open
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableInput(f"{shown}: is not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(limit + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableInput(
            f"{shown}: cannot be read ({reason})", hint="check the name and the permissions"
        ) from error
    if len(data) > limit:
        raise InputOverLimit(f"{shown}: file is larger than {limit // 2**20} MiB")
    return data


def open_named(content: bytes, name: str) -> SourceImage:
    """Read an image in memory that has a name, such as a member of an archive; see ``open_source``."""
    quiet_pillow()
    try:
        return _from_bytes(content, name)
    except MemoryError as error:
        raise _no_memory(name) from error


def _no_memory(name: str) -> InputOverLimit:
    return InputOverLimit(f"{shown_name(name)}: there is not enough memory for the image")


def _from_bytes(
    given: bytes | bytearray | memoryview, name: str, *, if_empty: str = ""
) -> SourceImage:
    shown = shown_name(name)
    if memoryview(given).nbytes > MAX_FILE_BYTES:
        raise InputOverLimit(f"{shown}: file is larger than {MAX_FILE_BYTES // 2**20} MiB")
    data = bytes(given)  # copies what may change meanwhile; bytes are not copied
    if not data:
        raise CorruptImage(f"{shown}: file is empty (0 bytes)", hint=if_empty)
    decoded = decode(data, shown)
    return SourceImage(
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        image=decoded.image,
        coloured=decoded.coloured,
    )


def _from_pillow(source: Image.Image) -> SourceImage:
    name = source_name(source)
    refuse_accepting_truncated(name)
    try:
        check_size(*source.size, name)
        check_frames(source, name)
        refuse_misread(source, name)
        _check_file_behind(source, name)
        digest = hashlib.sha256()
        for _, strip in strips(source):
            digest.update(strip.tobytes())
        image = upright(to_grey(source, name), source)
        coloured = coloured_share(source)
    except (BrainError, MemoryError):
        raise
    except Exception as error:  # Pillow reads the file only now: OSError, SyntaxError, ...
        raise _undecodable(source, name, error) from error
    return SourceImage(name=name, sha256=digest.hexdigest(), image=image, coloured=coloured)


def _check_file_behind(source: Image.Image, name: str) -> None:
    """Check the file of an opened, not yet decoded image as strictly as a file that is read here."""
    file = getattr(source, "fp", None)
    if file is None or source.format not in FORMATS or not getattr(source, "tile", None):
        return
    place = file.tell()
    file.seek(0)
    data = file.read(MAX_FILE_BYTES + 1)
    file.seek(place)
    if len(data) > MAX_FILE_BYTES:
        raise InputOverLimit(f"{name}: file is larger than {MAX_FILE_BYTES // 2**20} MiB")
    checked(data, name)


def _undecodable(source: Image.Image, name: str, error: Exception) -> CorruptImage:
    if isinstance(error, OSError) and error.strerror:  # the file, not what it holds
        return CorruptImage(f"{name}: cannot be decoded ({error.strerror})", hint="try it again")
    # Of an image that was closed Pillow raises ValueError, or fails its own assertion.
    has_no_file = getattr(source, "fp", None) is None
    if "closed" in str(error) or (isinstance(error, AssertionError) and has_no_file):
        return CorruptImage(
            f"{name}: cannot be decoded (it or its file is closed)",
            hint="decode it with load() while its file is open, or give the path",
        )
    return CorruptImage(
        f"{name}: image is damaged or cut short ({type(error).__name__})",
        hint="copy or export its file again",
    )


def _from_array(array: NDArray[Any]) -> SourceImage:
    pixels = plain_pixels(array)
    check_size(pixels.shape[1], pixels.shape[0], "<array>")
    digest = hashlib.sha256(pixels.reshape(-1).data).hexdigest()  # no copy
    grey_or_colour = scale_deep(pixels, "<array>") if pixels.dtype == np.uint16 else pixels
    given = Image.fromarray(grey_or_colour)
    image = to_grey(given, "<array>")
    return SourceImage(name="<array>", sha256=digest, image=image, coloured=coloured_share(given))
