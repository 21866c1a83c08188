"""Whether the strips or tiles of a TIFF hold as many pixels as its header says.

libtiff takes the sizes from the header alone: of a strip that holds more it leaves out the rest, and where an
uncompressed strip holds less, Pillow reads on into whatever follows in the file.
"""

from collections.abc import Mapping
from typing import Any

from edge_infer.errors import CorruptImage

__all__ = ["check_amount"]

_WIDTH, _LENGTH, _BITS, _SAMPLES, _ROWS_PER_STRIP = 256, 257, 258, 277, 278
_TILE_WIDTH, _TILE_LENGTH = 322, 323


def check_amount(tags: Mapping[int, Any], pieces: int, held: int | None, name: str) -> None:
    """Check how many pieces there are, and how much they hold together.

    Args:
        tags: Of the page.
        pieces: Number of strips or tiles.
        held: Bytes in all of them after unpacking; None if that is not known before decoding.
        name: For messages.

    Raises:
        CorruptImage: Pixels are missing, or there are more than the header says.
    """
    width, length = int(tags[_WIDTH]), int(tags[_LENGTH])
    wide, high = int(tags.get(_TILE_WIDTH, width)), int(tags.get(_TILE_LENGTH, 0))
    high = high or min(int(tags.get(_ROWS_PER_STRIP, length)), length) or length
    expected = -(-width // wide) * -(-length // high)
    if pieces < expected or (held is not None and held < _least(tags, wide, high, expected)):
        raise CorruptImage(
            f"{name}: image is damaged or cut short (TIFF: pixels are missing)",
            hint="copy or export the file again",
        )
    # A last strip may be filled up to the height of the others, and to whole words.
    most = (expected * high + 1) * _row(tags, wide)
    if pieces > expected or (held is not None and held >= most):
        raise CorruptImage(
            f"{name}: image is damaged (TIFF: more pixels than the header says)",
            hint="copy or export the file again",
        )


def _least(tags: Mapping[int, Any], wide: int, high: int, expected: int) -> int:
    rows = expected * high if _TILE_WIDTH in tags else int(tags[_LENGTH])
    return rows * _row(tags, wide)


def _row(tags: Mapping[int, Any], wide: int) -> int:
    """Return the bytes of one row of a piece; all channels have as many bits, other images are refused before."""
    bits = tags.get(_BITS, (1,))
    of_one = int(bits[0] if isinstance(bits, tuple) else bits)
    return (wide * of_one * int(tags.get(_SAMPLES, 1)) + 7) // 8
