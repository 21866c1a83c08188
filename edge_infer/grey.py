"""Convert any accepted image to 8-bit grey: nothing clipped, transparency on black, deep pixels scaled.

The rule for deep pixels (16-bit, 32-bit, float) is ``round(value * 255 / largest value)``. Scanners
write 12 bits into 16, so dividing by 65535 would leave almost nothing, and Pillow's own conversion
clips at 255.

Images are converted in strips of rows: converted at once, 40 million pixels took over a gigabyte.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import CorruptImage, UnsupportedImage

__all__ = [
    "has_transparency",
    "on_black",
    "refuse_misread",
    "scale_deep",
    "strips",
    "to_grey",
    "upright",
]

_DEEP = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_TRANSPARENT = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_OPAQUE = frozenset({"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"})
_STRIP_PIXELS = 2**20
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF
_WHITE_IS_ZERO = 0
_SIGNED = 2
_ORIENTATION = 0x0112
_TO_UPRIGHT = {  # EXIF 2.32, tag 0x0112
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_grey(image: Image.Image, name: str) -> Image.Image:
    """Convert a decoded image to mode ``L``.

    Args:
        image: Decoded, one frame.
        name: For messages.

    Raises:
        CorruptImage: Values are not finite.
        UnsupportedImage: The pixel type has no agreed meaning, or the image has no contrast.
    """
    grey = _deep_to_grey(image, name) if image.mode in _DEEP else _shallow_to_grey(image, name)
    darkest, brightest = grey.getextrema()
    if darkest == brightest:
        raise UnsupportedImage(
            f"{name}: image is blank (every pixel is {brightest}), expected a scan"
        )
    grey.info = {}  # comments, EXIF: text of the file would go along, and Pillow writes it into what is saved
    return grey


def upright(grey: Image.Image, source: Image.Image) -> Image.Image:
    """Turn an image by the EXIF orientation of its source; Pillow has already turned TIFFs."""
    method = _TO_UPRIGHT.get(source.getexif().get(_ORIENTATION, 1))
    return grey if method is None else grey.transpose(method)


def strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield the image in strips of about a million pixels, each with the number of its first row."""
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // max(width, 1))
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def refuse_misread(image: Image.Image, name: str) -> None:
    """Refuse images that Pillow reads wrongly.

    It inverts WhiteIsZero TIFFs of 8 bits but not of more, keeps only the upper 8 bits of 16-bit colour, and swaps the
    bytes of compressed big-endian deep TIFFs twice.

    Args:
        image: As opened: a copy has no tags, and a PNG loses its depth when it is loaded.
        name: For messages.

    Raises:
        UnsupportedImage: The image is one of these.
    """
    tags = getattr(image, "tag_v2", {})
    if image.mode in _DEEP and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        raise UnsupportedImage(
            f"{name}: deep TIFF with inverted grey scale (WhiteIsZero), expected BlackIsZero"
        )
    is_swapped = getattr(tags, "prefix", b"") == b"MM" and image.info.get("compression") != "raw"
    if image.mode in ("I", "F") and is_swapped:
        raise UnsupportedImage(
            f"{name}: deep TIFF with compression in big-endian order, which Pillow reads as noise",
            hint="save it in little-endian order, or as PNG",
        )
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", ())]
    loses_bits = max(tags.get(_BITS, (8,))) > 8 or any(";16" in raw for raw in raw_modes)
    is_signed_byte = image.mode == "L" and _SIGNED in tags.get(_SAMPLE_FORMAT, ())
    if image.mode not in _DEEP and (loses_bits or is_signed_byte):
        kind = "signed 8-bit grey" if is_signed_byte else "16 bits in each of several channels"
        raise UnsupportedImage(
            f"{name}: image has {kind}, expected 16-bit grey or 8 bits",
            hint="save it as 16-bit grey, or as 8-bit",
        )


def _shallow_to_grey(image: Image.Image, name: str) -> Image.Image:
    if image.mode not in _TRANSPARENT | _OPAQUE:
        raise UnsupportedImage(
            f"{name}: pixel type {image.mode} is not accepted",
            hint="save it as 8-bit or 16-bit grey, or as RGB",
        )
    is_transparent = has_transparency(image)
    if image.mode == "L" and not is_transparent:
        return image.copy()
    grey = Image.new("L", image.size)
    for top, strip in strips(image):
        opaque = on_black(strip) if is_transparent else _as_rgb(strip)
        grey.paste(opaque.convert("L"), (0, top))
    return grey


def has_transparency(image: Image.Image) -> bool:
    """Whether pixels of a decoded 8-bit image may be transparent."""
    return image.mode in _TRANSPARENT or "transparency" in image.info


def on_black(strip: Image.Image) -> Image.Image:
    """Return the image as mode ``RGB``, what is transparent lying on black."""
    layers = strip.convert("RGBA")
    black = Image.new("RGBA", layers.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, layers).convert("RGB")


def _as_rgb(strip: Image.Image) -> Image.Image:
    return strip if strip.mode == "RGB" else strip.convert("RGB")  # which would copy it


def _deep_to_grey(image: Image.Image, name: str) -> Image.Image:
    largest = max(_largest(_values(strip, image), name) for _, strip in strips(image))
    grey = Image.new("L", image.size)
    for top, strip in strips(image):
        grey.paste(Image.fromarray(_scaled(_values(strip, image), largest)), (0, top))
    return grey


def _values(strip: Image.Image, image: Image.Image) -> NDArray[np.generic]:
    """Return the values of a strip: unsigned if the file says so, and black for the transparent value."""
    values = np.asarray(strip)
    tags = getattr(image, "tag_v2", {})
    if (
        image.mode == "I"
        and tags.get(_BITS) == (32,)
        and _SIGNED not in tags.get(_SAMPLE_FORMAT, ())
    ):
        values = values.view(np.uint32)  # Pillow has no unsigned mode: large values became negative
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        values = np.where(values == transparent, 0, values)
    return values


def scale_deep(values: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    """Scale deep pixels to 0..255 by their largest value.

    Args:
        values: Integer or float, (H, W), not negative.
        name: For messages.

    Returns:
        uint8, (H, W).

    Raises:
        CorruptImage: NaN or infinity.
        UnsupportedImage: Negative values.
    """
    rows = max(1, _STRIP_PIXELS // values.shape[1])
    parts = [values[top : top + rows] for top in range(0, len(values), rows)]
    largest = max(_largest(part, name) for part in parts)
    return np.concatenate([_scaled(part, largest) for part in parts])


def _largest(values: NDArray[np.generic], name: str) -> float:
    wide = values.astype(np.float64)  # exact for everything up to 32 bits
    if not np.isfinite(wide).all():
        raise CorruptImage(f"{name}: image holds NaN or infinity, expected finite values")
    if wide.min() < 0:
        raise UnsupportedImage(
            f"{name}: image holds negative values, expected 0 or more",
            hint="shift or window the values before exporting them",
        )
    return float(wide.max())


def _scaled(values: NDArray[np.generic], largest: float) -> NDArray[np.uint8]:
    scale = 255.0 / largest if largest > 0 else 0.0
    wide = values.astype(np.float64)
    wide *= scale
    return np.rint(wide, out=wide).astype(np.uint8)
