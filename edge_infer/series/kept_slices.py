"""Slices kept between two looks at a series, packed, and no more than a fixed amount of them.

A head must be measured in all slices before the first one is asked. Reading a slice again costs more than asking about
it, and packing it costs little: 200 slices of 512 x 512 pixels take some 20 MB.
"""

import zlib
from dataclasses import dataclass

from PIL import Image

from edge_infer.image_file import SourceImage

__all__ = ["MOST_BYTES", "KeptSlices"]

MOST_BYTES = 64 * 2**20
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class _Packed:
    name: str
    sha256: str
    coloured: float
    size: tuple[int, int]
    pixels: bytes


class KeptSlices:
    """Keeps slices until they are taken.

    Args:
        most_bytes: Of a slice that would take it above this nothing is kept.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._rest = most_bytes
        self._packed: dict[int, _Packed] = {}

    def keep(self, index: int, source: SourceImage) -> None:
        """Keep a slice, if there is room.

        Args:
            index: By which it is taken.
            source: Its image has mode ``L``.
        """
        if self._rest <= 0:
            return
        pixels = zlib.compress(source.image.tobytes(), _LEVEL)
        if len(pixels) <= self._rest:
            self._rest -= len(pixels)
            self._packed[index] = _Packed(
                source.name, source.sha256, source.coloured, source.image.size, pixels
            )

    def take(self, index: int) -> SourceImage | None:
        """Return a slice as it was kept, and let it go; None if it was not kept."""
        packed = self._packed.pop(index, None)
        if packed is None:
            return None
        self._rest += len(packed.pixels)
        image = Image.frombytes("L", packed.size, zlib.decompress(packed.pixels))
        return SourceImage(
            name=packed.name, sha256=packed.sha256, image=image, coloured=packed.coloured
        )
