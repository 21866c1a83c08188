"""Any accepted picture as 8-bit grey: nothing clipped, transparency on black, deep pixels scaled.

The rule for deep pixels (16-bit, 32-bit, float) is ``round(value * 255 / largest value)``. Scanners
write 12 bits into 16, so dividing by 65535 would leave almost nothing, and Pillow's own conversion
clips at 255.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import CorruptImage, UnsupportedImage

__all__ = ["refuse_inverted", "scale_deep", "to_grey"]

_DEEP = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_TRANSPARENT = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_OPAQUE = frozenset({"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"})
_TIFF_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0


def to_grey(image: Image.Image, name: str) -> Image.Image:
    """Convert a decoded picture to mode ``L``.

    Args:
        image: Decoded, one frame.
        name: For messages.

    Raises:
        CorruptImage: Values that are not finite.
        UnsupportedImage: A pixel type with no agreed meaning, or a picture without any contrast.
    """
    grey = _convert(image, name)
    darkest, brightest = grey.getextrema()
    if darkest == brightest:
        raise UnsupportedImage(
            f"{name}: picture is blank (every pixel is {brightest}), expected a scan"
        )
    return grey


def refuse_inverted(image: Image.Image, name: str) -> None:
    """Refuse deep TIFFs that store white as 0: Pillow turns over 8 bits but not more.

    Args:
        image: As opened; a copy has no tags any more.
        name: For messages.

    Raises:
        UnsupportedImage: It is one.
    """
    is_inverted = getattr(image, "tag_v2", {}).get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO
    if image.mode in _DEEP and is_inverted:
        raise UnsupportedImage(
            f"{name}: deep TIFF with inverted grey scale (WhiteIsZero), expected BlackIsZero"
        )


def _convert(image: Image.Image, name: str) -> Image.Image:
    if image.mode in _DEEP:
        return Image.fromarray(scale_deep(np.asarray(image), name))
    if image.mode in _TRANSPARENT or (image.mode in _OPAQUE and "transparency" in image.info):
        layers = image.convert("RGBA")
        black = Image.new("RGBA", layers.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, layers).convert("RGB").convert("L")
    if image.mode == "L":
        return image.copy()
    if image.mode in _OPAQUE:
        return image.convert("RGB").convert("L")
    raise UnsupportedImage(
        f"{name}: pixel type {image.mode} is not accepted",
        hint="save it as 8-bit or 16-bit grey, or as RGB",
    )


def scale_deep(values: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    """Scale deep pixels to 0..255 by the largest of them.

    Args:
        values: Integer or float, (H, W), no negatives.
        name: For messages.

    Returns:
        uint8, (H, W).

    Raises:
        CorruptImage: NaN or infinity.
        UnsupportedImage: Negative values.
    """
    wide = values.astype(np.float64)  # exact for everything up to 32 bits
    if not np.isfinite(wide).all():
        raise CorruptImage(f"{name}: picture holds NaN or infinity, expected finite values")
    if wide.min() < 0:
        raise UnsupportedImage(
            f"{name}: picture holds negative values, expected 0 or more",
            hint="shift or window the values before you export them",
        )
    scale = 255.0 / wide.max() if wide.max() > 0 else 0.0
    return np.rint(wide * scale).astype(np.uint8)
