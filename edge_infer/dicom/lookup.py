"""Lookup tables of a header: Modality LUT and VOI LUT, PS3.3 C.11.1 and C.11.2."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_infer.dicom.header import Dataset, numbers, raw

__all__ = ["Lookup", "lookup_of"]

_MOST = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A table of output values.

    Attributes:
        first: The input value of the first entry; smaller ones get it too, and larger than the last get the last.
        entries: float64, (n,).
        largest: That an entry may have, by its bits.
    """

    first: int
    entries: NDArray[np.float64] = field(repr=False)
    largest: float

    def applied(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the entries for values of any shape."""
        places = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1).astype(np.intp)
        found: NDArray[np.float64] = self.entries[places]
        return found


def lookup_of(item: Dataset, *, is_little_endian: bool) -> Lookup | None:
    """Return the table of an item of a sequence; None if it is bad.

    Args:
        item: With LUT Descriptor and LUT Data.
        is_little_endian: How its data are stored, if they are bytes.
    """
    descriptor = numbers(item, "LUTDescriptor", 3)
    data = raw(item, "LUTData")
    if descriptor is None or data is None:
        return None
    count, first, bits = (int(part) for part in descriptor)
    count = count or _MOST  # 65536 does not fit into 16 bits
    if not (2 <= count <= _MOST and 8 <= bits <= 16):
        return None
    entries = _entries(data, count, is_little_endian=is_little_endian)
    if entries is None or entries.max() > 2**bits - 1:
        return None
    return Lookup(first=first, entries=entries, largest=float(2**bits - 1))


def _entries(data: object, count: int, *, is_little_endian: bool) -> NDArray[np.float64] | None:
    found: NDArray[np.integer]
    if not isinstance(data, bytes):
        try:
            found = np.asarray(data, dtype=np.int64) & 0xFFFF
        except (TypeError, ValueError, OverflowError):
            return None
    elif len(data) == 2 * count:
        found = np.frombuffer(data, dtype="<u2" if is_little_endian else ">u2")
    elif len(data) == count + count % 2:  # 8 bits, two to a word
        found = np.frombuffer(data[:count], dtype=np.uint8)
    else:
        return None
    return found.astype(np.float64) if found.shape == (count,) else None
