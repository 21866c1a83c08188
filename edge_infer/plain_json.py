"""Strict JSON for bundles, read the same by every reader, and checks of numbers."""

import json
from typing import Any, NoReturn

__all__ = ["LARGEST_LOGIT", "is_number", "is_whole", "parse_object", "shown_value", "why"]

#: Larger logits are refused: float32 holds this value, and float64 its square.
LARGEST_LOGIT = 1e30

_SHOWN = 60


def parse_object(data: bytes | str) -> dict[str, Any]:
    """Parse an object in which no key occurs twice and no number is NaN or infinite.

    Raises:
        ValueError: It is something else, or nested too deeply.
    """
    try:
        parsed = json.loads(
            data, parse_constant=_refuse_constant, object_pairs_hook=_without_repeats
        )
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(parsed, dict):
        raise ValueError("is not an object")
    return parsed


def is_number(value: object, least: float, most: float) -> bool:
    """Whether it is a number from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return least <= value <= most  # exact: Python compares integers of any size with floats exactly


def is_whole(value: object, least: int, most: int) -> bool:
    """Whether it is an integer from ``least`` to ``most``."""
    return isinstance(value, int) and is_number(value, least, most)


def shown_value(value: object) -> str:
    """Render a value for a message, shortened if it is long."""
    try:
        whole = repr(value)
    except (RecursionError, ValueError):  # nested too deeply, or an integer with too many digits
        return type(value).__name__
    return whole if len(whole) <= _SHOWN else f"{whole[:_SHOWN]}..."


def why(error: Exception) -> str:
    """Render an error about a value in a few words."""
    text = str(error) if isinstance(error, ValueError) else repr(error)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        raise ValueError("a key occurs twice")
    return parsed


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
