"""Tables of a TOML file as dataclasses, with every key checked.

A field of such a class is made by ``number``, ``text``, ``texts``, ``choice`` or ``flag``, or has ``PATH`` as its
metadata.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from edge_infer.errors import DataRefused
from edge_infer.names import shown_name

__all__ = ["PATH", "REQUIRED", "choice", "flag", "number", "read_table", "text", "texts"]

T = TypeVar("T")

#: As a default: the key must be given.
REQUIRED: Any = dataclasses.MISSING

_CHECK = "check"


def _check_path(value: object, folder: Path) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("expected a path")
    return folder / value


#: Metadata of a field for a path; a relative one starts at the folder of the TOML file.
PATH: Mapping[str, Any] = {_CHECK: _check_path}


def number(low: float, high: float, default: Any = REQUIRED, *, whole: bool = False) -> Any:
    """Return a field for a number from ``low`` to ``high``."""
    kind = "a whole number" if whole else "a number"

    def check(value: object, _folder: Path) -> Any:
        is_number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not low <= value <= high:  # type: ignore[operator, arg-type]
            raise ValueError(f"expected {kind} from {low:g} to {high:g}")
        return value

    return _field(check, default)


def text(is_right: Callable[[str], bool], expected: str, default: Any = REQUIRED) -> Any:
    """Return a field for a text; ``expected`` says which texts ``is_right`` lets pass."""

    def check(value: object, _folder: Path) -> str:
        if not isinstance(value, str) or not is_right(value):
            raise ValueError(f"expected {expected}")
        return value

    return _field(check, default)


def texts(is_right: Callable[[str], bool], expected: str) -> Any:
    """Return a field for a list of texts, empty by default."""

    def check(value: object, _folder: Path) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"expected a list, of {expected}")
        if not all(isinstance(one, str) and is_right(one) for one in value):
            raise ValueError(f"each of the list must be {expected}")
        return tuple(value)

    return _field(check, ())


def choice(*words: str, default: str) -> Any:
    """Return a field for one of several words."""
    return text(lambda value: value in words, " or ".join(map(repr, words)), default)


def flag(default: bool) -> Any:
    """Return a field for true or false."""

    def check(value: object, _folder: Path) -> bool:
        if not isinstance(value, bool):
            raise ValueError("expected true or false")
        return value

    return _field(check, default)


def read_table(kind: type[T], given: object, *, file: Path, name: str) -> T:
    """Return a table as ``kind``.

    Args:
        kind: A dataclass of such fields.
        given: What the TOML file holds.
        file: It, for messages and relative paths.
        name: Of the table.

    Raises:
        DataRefused: It is no table, a key is unknown or missing, or a value is not allowed.
    """
    where = f"{shown_name(file)}: [{name}]"
    if not isinstance(given, Mapping):
        raise DataRefused(f"{where} is not a table", hint=f"write [{name}] on a line of its own")
    fields = {one.name: one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(given) - set(fields)):
        raise DataRefused(
            f"{where}: unknown key {shown_name(unknown[0])}", hint=f"known: {', '.join(fields)}"
        )
    if missing := [n for n, one in fields.items() if one.default is REQUIRED and n not in given]:
        raise DataRefused(f"{where}: {missing[0]} is missing")
    values = {}
    for key, value in given.items():
        try:
            values[key] = fields[key].metadata[_CHECK](value, file.parent)
        except ValueError as error:
            raise DataRefused(f"{where}: {key} is {_shown(value)}, {error}") from None
    try:
        return kind(**values)
    except ValueError as error:  # of __post_init__: values that do not go together
        raise DataRefused(f"{where}: {error}") from None


def _field(check: Callable[[object, Path], Any], default: Any) -> Any:
    return dataclasses.field(default=default, metadata={_CHECK: check})


def _shown(value: object) -> str:
    shown = shown_name(repr(value))
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
