"""Decode the bytes of an image file to grey pixels; files that a decoder would have to complete are refused."""

import io
from dataclasses import dataclass

from PIL import Image, ImageFile, UnidentifiedImageError

from edge_infer.colour import coloured_share
from edge_infer.errors import BrainError, CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.formats.bmp import check_bmp
from edge_infer.formats.foreign import hint_for, name_of_foreign_format
from edge_infer.formats.jpeg.check import check_jpeg
from edge_infer.formats.lost_run import check_lost_run
from edge_infer.formats.medical import name_of_medical_format
from edge_infer.formats.png import PNG_SIGNATURE, pixels_only
from edge_infer.formats.text_mode import refuse_text_mode
from edge_infer.formats.tiff.data import check_tiff_data
from edge_infer.formats.tiff.header import TIFF_SIGNATURES
from edge_infer.formats.tiff.kinds import check_tiff
from edge_infer.grey import refuse_misread, to_grey, upright
from edge_infer.image_limits import FORMATS, MAX_PIXELS, check_frames, check_size

__all__ = ["Decoded", "checked", "decode", "refuse_accepting_truncated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """An image, and what is lost when it becomes grey.

    Attributes:
        image: Mode ``L``, upright.
        coloured: See ``coloured_share``.
    """

    image: Image.Image
    coloured: float


def decode(data: bytes, name: str) -> Decoded:
    """Decode a whole image, upright, as mode ``L``.

    Args:
        data: Of a file.
        name: For messages.

    Raises:
        CorruptImage: Damaged, cut short or not an image.
        UnsupportedImage: Another format or kind, several frames, too small, or without contrast.
        InputOverLimit: More than 8192 pixels a side, 40 million pixels, or over another limit on time and memory.
    """
    refuse_accepting_truncated(name)
    try:
        image = _open(checked(data, name))
        check_size(*image.size, name)
        check_frames(image, name)
        refuse_misread(image, name)
        check_tiff_data(image, data, name)
        image.load()
        check_lost_run(image, data, name)
        grey = upright(to_grey(image, name), image)
        return Decoded(image=grey, coloured=coloured_share(image))
    except BrainError:
        raise
    except MemoryError as error:
        raise InputOverLimit(f"{name}: there is not enough memory to decode the image") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputOverLimit(f"{name}: image has more than {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise _unidentified(data, name) from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ...
        raise _undecodable(data, name, error) from error


def refuse_accepting_truncated(name: str) -> None:
    """Refuse to decode while Pillow is set to fill in missing data.

    Raises:
        UnsupportedImage: It is set so.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise UnsupportedImage(
            f"{name}: this process has told Pillow to accept truncated images",
            hint="set PIL.ImageFile.LOAD_TRUNCATED_IMAGES to False",
        )


def checked(data: bytes, name: str) -> bytes:
    """Check a file for what Pillow would read wrongly, fill in or take too long for; return the bytes to decode.

    Args:
        data: Of a file.
        name: For messages.

    Raises:
        InputError: As for ``decode``.
    """
    foreign = name_of_foreign_format(data)
    if foreign and not (_is_called_values(name) and not name_of_medical_format(data)):
        raise UnsupportedImage(
            f"{name}: format is {foreign}, expected {', '.join(FORMATS)}", hint=hint_for(foreign)
        )
    if data.startswith(PNG_SIGNATURE):
        return pixels_only(data, name)
    if data.startswith((*TIFF_SIGNATURES, b"BM")):
        refuse_text_mode(data, name)
    if data.startswith(TIFF_SIGNATURES):
        check_tiff(data, name)
    if data.startswith(b"BM"):
        check_bmp(data, name)
    check_jpeg(data, name)
    return data


def _is_called_values(name: str) -> bool:
    """Whether a file is called as the values of a pair, which may begin as any format does."""
    return name.lower().endswith((".img", ".img.gz"))


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _unidentified(data: bytes, name: str) -> BrainError:
    if data.startswith(TIFF_SIGNATURES):  # its header has been checked
        return UnsupportedImage(
            f"{name}: TIFF is of a kind that is not read, expected grey or 8-bit colour",
            hint="save it as 16-bit grey, or as 8-bit",
        )
    if _is_called_values(name):
        return UnsupportedImage(
            f"{name}: is perhaps the values of a pair, .hdr and .img (NIfTI or Analyze), expected a single file",
            hint="convert both to one .nii.gz",
        )
    return CorruptImage(
        f"{name}: content is not an image, expected {', '.join(FORMATS)}",
        hint="the content decides, not the ending of the name",
    )


def _undecodable(data: bytes, name: str, error: Exception) -> BrainError:
    if data.startswith(b"BM") and str(error).startswith("Unsupported BMP"):
        return UnsupportedImage(f"{name}: BMP is of a kind that is not read", hint="save it as PNG")
    return CorruptImage(
        f"{name}: image is damaged or cut short ({type(error).__name__})",
        hint="copy or export the file again",
    )
