"""How far results may lie from the baseline: the limits by default, as a site states them, and a verdict on a test."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from edge_infer.errors import DataRefused
from edge_infer.image_file import read_file
from edge_infer.names import shown_name
from edge_infer.plain_json import is_number

__all__ = ["DEFAULTS", "LIMIT_WORDS", "TestVerdict", "limits_with", "verdict_on"]

#: ``drift``: more than chance, and beyond the limit. ``moved``: more than chance, and within it. In docs/drift.md.
TestVerdict = Literal["drift", "moved", "no sign"]

#: What holds where nothing is stated; reasons in docs/drift.md. None of them was fitted to any data.
DEFAULTS: Mapping[str, float] = {
    "alpha": 0.05,
    "psi": 0.2,
    "ks": 0.15,
    "share": 0.1,
    "two_sample": 0.1,
}

LIMIT_WORDS: Mapping[str, str] = {
    "alpha": "chance of any false alarm, over all tests together",
    "psi": "population stability index, less what chance gives",
    "ks": "largest difference of the two distribution functions",
    "share": "change of the share of a class, a decision or a reason",
    "two_sample": "how far a classifier's area under the curve is above chance",
}

_OFF = "off"
_LEAST_ALPHA = 1e-6
#: As far as each can reach; beyond it a limit would switch its test off, and not say so. ``psi`` has no end of its own.
_LARGEST: Mapping[str, float] = {
    "alpha": 0.5,
    "psi": 100.0,
    "ks": 1.0,
    "share": 1.0,
    "two_sample": 0.5,
}


def limits_with(options: Iterable[str], file: Path | None) -> dict[str, float]:
    """Return the limits that hold: the defaults, then those of the file, then those of the options.

    A limit that is ``off`` is left out, and its test with it.

    Args:
        options: ``NAME=VALUE`` or ``NAME=off``.
        file: TOML: ``NAME = VALUE`` or ``NAME = "off"``.

    Raises:
        DataRefused: The file is not such a file.
        UnreadableInput: The file cannot be read.
        ValueError: An option is none of these.
    """
    limits = dict(DEFAULTS)
    if file is not None:
        name = shown_name(file.name)
        try:
            for key, stated in tomllib.loads(read_file(file).decode()).items():
                _change(limits, key, stated)
        except ValueError as error:  # both of TOML and of UTF-8 are such
            raise DataRefused(
                f"{name}: {error}", hint="see docs/drift.md for all limits"
            ) from error
    for option in options:
        key, _, text = option.partition("=")
        try:
            value: Any = _OFF if text == _OFF else float(text)
        except ValueError:
            raise ValueError(f"{option!r} is no limit; expected NAME=VALUE or NAME=off") from None
        _change(limits, key.strip(), value)
    return limits


def verdict_on(p_adjusted: float, value: float, alpha: float, most: float) -> TestVerdict:
    """Judge a test.

    Args:
        p_adjusted: For all tests together.
        value: How far.
        alpha: How small p must be.
        most: The limit.
    """
    if p_adjusted > alpha:
        return "no sign"
    return "drift" if value > most else "moved"


def _change(limits: dict[str, float], name: str, value: object) -> None:
    if name not in DEFAULTS:
        raise ValueError(f"{shown_name(name)!r} is no limit; there are {', '.join(DEFAULTS)}")
    if value == _OFF and name != "alpha":
        limits.pop(name, None)
        return
    least, most = _LEAST_ALPHA if name == "alpha" else 0.0, _LARGEST[name]
    if not is_number(value, least, most):
        raise ValueError(f"{name} is {value!r}, expected a number from {least:g} to {most:g}")
    limits[name] = float(value)  # type: ignore[arg-type]  # is_number has looked
