"""The bytes of a picture file as pixels, all of them or none: what a decoder would fill in is refused."""

import io

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from edge_infer.errors import CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.grey import refuse_inverted
from edge_infer.image_limits import (
    FORMATS,
    MAX_PIXELS,
    check_frames,
    check_size,
    name_of_foreign_format,
)

__all__ = ["decode"]


def decode(data: bytes, name: str) -> Image.Image:
    """Decode a picture whole, upright.

    Args:
        data: Of a file.
        name: For messages.

    Raises:
        CorruptImage: Damaged, cut short or no picture.
        UnsupportedImage: Another format, several frames, too small, or a deep TIFF with white as 0.
        InputOverLimit: More than 8192 pixels a side or 40 million pixels.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise UnsupportedImage(
            f"{name}: this process has told Pillow to accept truncated pictures",
            hint="set PIL.ImageFile.LOAD_TRUNCATED_IMAGES to False",
        )
    foreign = name_of_foreign_format(data)
    if foreign:
        raise UnsupportedImage(
            f"{name}: format is {foreign}, expected {', '.join(FORMATS)}",
            hint="export the slice as PNG",
        )
    try:
        image = _open(data)
        check_size(*image.size, name)
        check_frames(image, name)
        refuse_inverted(image, name)
        if image.format == "PNG":
            # Checksums of all chunks, up to the closing one: the decoder itself skips them.
            _open(data).verify()
        image.load()
        return ImageOps.exif_transpose(image)
    except (UnsupportedImage, InputOverLimit):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputOverLimit(f"{name}: picture has more than {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise CorruptImage(
            f"{name}: content is not a picture, expected {', '.join(FORMATS)}",
            hint="the ending of the name does not count, the content does",
        ) from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ...
        raise CorruptImage(
            f"{name}: picture is damaged or cut short ({type(error).__name__})",
            hint="copy or export the file again",
        ) from error


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=FORMATS)
