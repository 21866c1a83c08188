"""Values of a row as its columns hold them, and whether a value fits its column."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge_infer.batch.row import FIELDS, Row

__all__ = ["NAMES", "fits", "plain_row"]

#: The columns, in order.
NAMES = tuple(name for name, _, _ in FIELDS)

_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
_LARGEST = {"int32": 2**31, "int64": 2**63}


def plain_row(row: Row) -> Row:
    r"""Return a row of plain values that every format can hold, in the order of ``FIELDS``.

    Names that are not UTF-8 keep their undecodable bytes as escapes such as ``\udc80``.

    Raises:
        ValueError: A column is missing or unknown, or a value does not fit it; NaN and infinity fit none.
    """
    if row.keys() != set(NAMES):
        odd = sorted(row.keys() ^ set(NAMES))
        raise ValueError(f"a row lacks or does not know {', '.join(odd)}")
    plain = {name: _plain(kind, row[name]) for name, kind, _ in FIELDS}
    for name, kind, _ in FIELDS:
        if not fits(kind, plain[name]):
            raise ValueError(f"unit {row['unit']}: {name} is no {kind}")
    return plain


def fits(kind: str, value: object) -> bool:
    """Whether a value may stand in a column of this type; None may in each."""
    return value is None or _FITS[kind](value)


def _plain(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "string":
        return _text(value)
    if kind == "strings":
        return [_text(word) for word in value]
    if kind == "floats":
        return [float(number) for number in value]
    if kind == "float32s":
        # As the column holds them, so that every format gives the same numbers.
        return np.asarray(value, np.float32).tolist()
    if kind == "float64":
        return float(value)
    return int(value)


def _text(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _is_float32(value: object) -> bool:
    return isinstance(value, float) and abs(value) <= _LARGEST_FLOAT32  # false for NaN


def _is_list_of(is_one: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(is_one, value))


def _is_whole(kind: str) -> Callable[[object], bool]:
    end = _LARGEST[kind]
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and -end <= value < end
    )


_FITS: Mapping[str, Callable[[object], bool]] = {
    "string": _is_text,
    "strings": _is_list_of(_is_text),
    "float64": _is_finite,
    "floats": _is_list_of(_is_finite),
    "float32s": _is_list_of(_is_float32),
    "int32": _is_whole("int32"),
    "int64": _is_whole("int64"),
}
