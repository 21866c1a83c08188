"""Values of a header, read so that a bad one counts as missing.

A bad value raises when it is looked at, and its message holds the value. So each is looked at here, and what is
returned is a number, an identifier or a code word.
"""

import math
import re
from collections.abc import Iterable
from typing import Any

__all__ = [
    "Dataset",
    "has_value",
    "item_of",
    "items_of",
    "number",
    "numbers",
    "raw",
    "raw_at",
    "uid",
    "whole",
    "words",
]

#: pydicom's Dataset; it has no types.
Dataset = Any

_UID = re.compile(r"[0-9][0-9.]{0,63}")
_WORD = re.compile(r"[A-Z0-9 _]{1,16}")  # a code string, PS3.5 section 6.2
_LARGEST = 1e12


def raw(header: Dataset, keyword: str) -> Any:
    """Return the value of an attribute as pydicom gives it; None if it is missing or bad."""
    try:
        return header.get(keyword)
    except MemoryError:
        raise
    except Exception:
        return None


def raw_at(header: Dataset, tag: int) -> Any:
    """Return the value of an attribute by its number; None if it is missing or bad."""
    try:
        return header[tag].value if tag in header else None
    except MemoryError:
        raise
    except Exception:
        return None


def has_value(header: Dataset, keyword: str) -> bool:
    """Whether an attribute is there and not empty. A bad value counts as one."""
    if keyword not in header:
        return False
    try:
        value = header.get(keyword)
    except MemoryError:
        raise
    except Exception:
        return True
    return value is not None and bool(str(value).strip()) and value != []


def number(header: Dataset, keyword: str) -> float | None:
    """Return a single finite number; of several the first."""
    found = _floats(raw(header, keyword))
    return found[0] if found else None


def numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return exactly so many finite numbers."""
    found = _floats(raw(header, keyword))
    return found if found is not None and len(found) == count else None


def whole(header: Dataset, keyword: str) -> int | None:
    """Return a single whole number."""
    found = number(header, keyword)
    return int(found) if found is not None and found == int(found) else None


def words(header: Dataset, keyword: str) -> tuple[str, ...]:
    """Return the code words of an attribute in capitals, without those that are none."""
    value = raw(header, keyword)
    several = value if _is_several(value) else (value,)
    upper = (str(one).strip().upper() for one in several if one is not None)
    return tuple(one for one in upper if _WORD.fullmatch(one))


def uid(header: Dataset, keyword: str) -> str:
    """Return a unique identifier; empty if there is none, or it is no such thing."""
    value = str(raw(header, keyword) or "").strip("\0 ")
    return value if _UID.fullmatch(value) else ""


def items_of(header: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence."""
    value = raw(header, keyword)
    if value is None or isinstance(value, str | bytes):
        return []
    try:
        return [item for item in value if hasattr(item, "file_meta") or hasattr(item, "elements")]
    except MemoryError:
        raise
    except Exception:
        return []


def item_of(header: Dataset | None, keyword: str) -> Dataset | None:
    """Return the first item of a sequence."""
    items = items_of(header, keyword) if header is not None else []
    return items[0] if items else None


def _is_several(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def _floats(value: Any) -> tuple[float, ...] | None:
    if value is None or isinstance(value, bytes):
        return None
    try:
        found = tuple(float(one) for one in (value if _is_several(value) else (value,)))
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(math.isfinite(one) and abs(one) <= _LARGEST for one in found):
        return None
    return found or None
