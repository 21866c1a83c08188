"""Private attributes, found by the creator of their block, which may be any from 10 to FF (PS3.5 section 7.8.1)."""

from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import Dataset, raw_at

__all__ = ["private_number"]


def private_number(frame: Frame, creator: str, group: int, element: int) -> int | None:
    """Return a private whole number; the first of several.

    Args:
        frame: Whose unassigned attributes are looked at, then the top.
        creator: As in the element of the block.
        group: Odd.
        element: Its last byte.
    """
    for place in frame.plain:
        for block in _owned(place, creator, group):
            found = _whole(raw_at(place, group << 16 | block << 8 | element))
            if found is not None:
                return found
    return None


def _owned(place: Dataset, creator: str, group: int) -> list[int]:
    """Return the blocks of a creator."""
    tags = place.keys()  # iterating over the dataset itself would decode all its values
    blocks = [int(tag) & 0xFFFF for tag in tags if int(tag) >> 16 == group]
    return [
        block
        for block in blocks
        if 0x10 <= block <= 0xFF
        and str(raw_at(place, group << 16 | block) or "").strip().upper() == creator
    ]


def _whole(value: object) -> int | None:
    """Return a number; of unknown value representation it is bytes, in little endian or as text."""
    if isinstance(value, bytes):
        if len(value) in (2, 4):
            return int.from_bytes(value, "little")
        return None
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        value = next(iter(value), None)
    try:
        number = float(str(value))
    except (TypeError, ValueError):
        return None
    return int(number) if number == number // 1 and abs(number) < 2**31 else None
