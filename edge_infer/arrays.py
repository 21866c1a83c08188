"""An array as an image: which types are accepted, and what to do with the others.

Only types with a known range are accepted. uint8 is 0..255. uint16 is scaled by its largest value, as deep files are
(``edge_infer.grey``). int16, int32 and float do not say which value is black and which is white, and a wrong guess
would give another image, so these are refused with the line of code that converts them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["plain_pixels"]

_EXPECTED = (
    "expected uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or uint16 (H, W) or (H, W, 1)"
)
_WINDOW = (
    "its type does not say which values are black and white: choose low and high, then "
    "numpy.rint(numpy.clip((array.astype(float) - low) / (high - low), 0, 1) * 255)"
    ".astype(numpy.uint8)"
)


def plain_pixels(array: NDArray[Any]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return the pixels in row order and in this machine's byte order, without a channel axis of one.

    Args:
        array: uint8, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); or uint16 of either byte order, (H, W) or (H, W, 1).
            Channels are red, green, blue and opacity. Any strides; it is not modified.

    Returns:
        uint8, (H, W), (H, W, 3) or (H, W, 4); or uint16, (H, W).

    Raises:
        ValueError: Another type or shape, a masked array, or one without pixels. The message says what to do.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(f"array is masked, {_EXPECTED}; fill it: array.filled(0)")
    channels = array.shape[2] if array.ndim == 3 else 1 if array.ndim == 2 else 0
    is_byte = array.dtype == np.uint8 and channels in (1, 3, 4)
    is_deep = array.dtype.newbyteorder("=") == np.uint16 and channels == 1
    if not (is_byte or is_deep):
        hint = _hint(array)
        found = f"array is {array.dtype} {array.shape}, {_EXPECTED}"
        raise ValueError(f"{found}; {hint}" if hint else found)
    if array.size == 0:
        raise ValueError(f"array is empty: {array.shape}")
    if array.ndim == 3 and channels == 1:
        array = array[:, :, 0]  # (H, W, 1) -> (H, W)
    if is_byte:
        return np.ascontiguousarray(array, dtype=np.uint8)
    return np.ascontiguousarray(array, dtype=np.uint16)


def _hint(array: NDArray[Any]) -> str:
    if array.dtype == np.bool_:
        return "a mask is not a scan"
    if array.dtype.kind not in "iuf":
        return ""
    if array.dtype != np.uint8 and array.dtype.newbyteorder("=") != np.uint16:
        return _WINDOW
    if array.ndim == 3 and array.shape[2] in (3, 4):
        return "colour is accepted as uint8 only"
    if array.ndim == 3 and array.shape[0] in (3, 4):
        return "if these are channels, put them last: numpy.moveaxis(array, 0, -1); if slices, pass one: array[0]"
    if array.ndim >= 3:
        return "pass one slice, without further axes, such as array[0]"
    return ""
