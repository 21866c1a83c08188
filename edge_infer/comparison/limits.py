"""What a change may do at most: the limits by default, as a hospital states them, and a verdict on a figure.

A limit is two numbers. ``most`` is the largest figure that may be seen. ``margin`` says how sure one wants to be: the
95 % interval must end below ``most + margin``, as in a non-inferiority trial. A figure that is seen to be small on few
images is not known to be small, and is not called so.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from edge_infer.errors import DataRefused
from edge_infer.figures.intervals import Z_95
from edge_infer.image_file import read_file
from edge_infer.names import shown_name
from edge_infer.plain_json import is_number

__all__ = ["DEFAULTS", "Limit", "Verdict", "limits_with", "needed_for_none", "verdict_on"]

Verdict = Literal["held", "exceeded", "too few", "not judged"]
Kind = Literal["share", "difference", "ratio"]

_LARGEST = 1000.0
_OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit.

    Attributes:
        name: As in ``--limit NAME=MOST+MARGIN``.
        most: The largest figure that may be seen.
        margin: How far above ``most`` the end of the 95 % interval may lie.
        kind: What the figure is.
        words: What the figure is, for people; ``{negative}`` stands for the negative class.
        least: So many images are needed whatever the interval says.
        least_groups: Likewise so many independent groups, where the interval is a bootstrap over groups alone.
        is_asked: Whether the user stated it. Then it must be judged; a default may be left open where, say, no labels
            are known.
    """

    name: str
    most: float
    margin: float
    kind: Kind
    words: str
    least: int = 1
    least_groups: int = 1
    is_asked: bool = False


def _limit(
    name: str,
    most: float,
    margin: float,
    kind: Kind,
    words: str,
    least: int = 1,
    least_groups: int = 1,
) -> tuple[str, Limit]:
    return name, Limit(
        name=name,
        most=most,
        margin=margin,
        kind=kind,
        words=words,
        least=least,
        least_groups=least_groups,
    )


#: What holds where nothing is stated; reasons in docs/compare.md. None of them was fitted to any data.
DEFAULTS: Mapping[str, Limit] = dict(
    (
        _limit(
            "positive_to_negative", 0.0, 0.02, "share",
            "another class becomes {negative}, accepted by both, known {negative} left out",
        ),
        _limit(
            "negative_to_positive", 0.02, 0.03, "share",
            "{negative} becomes another class, accepted by both, known others left out",
        ),
        _limit("accepted_flips", 0.02, 0.02, "share", "label changed, accepted by both"),
        _limit("flips", 0.05, 0.03, "share", "label changed, accepted or not"),
        _limit("accepted_lost", 0.05, 0.03, "share", "accepted answers that are no longer accepted"),
        _limit("accepted_gained", 0.05, 0.03, "share", "images that are newly accepted"),
        _limit("newly_failed", 0.0, 0.02, "share", "images that have no answer any more"),
        _limit("accuracy_drop", 0.02, 0.05, "difference", "accuracy lost, of all and per class"),
        # Fifteen bins of ten images. A bootstrap over few groups is too narrow, and over one it has no width at all;
        # few is below 20 to 50 (Cameron and Miller 2015).
        _limit("ece_rise", 0.02, 0.02, "difference", "rise of the calibration error", 150, 20),
        _limit(
            "series_evidence_lost", 0.0, 0.1, "share",
            "series whose evidence became none",
        ),
        _limit("series_changed", 0.1, 0.1, "share", "series whose finding changed"),
        _limit("latency_ratio", 1.25, 0.15, "ratio", "median time of an image, new : old", 20),
        _limit("memory_ratio", 1.25, 0.15, "ratio", "peak memory, new : old"),
    )
)  # fmt: skip


def limits_with(options: Iterable[str], file: Path | None) -> dict[str, Limit]:
    """Return the limits that hold: the defaults, then those of the file, then those of the options.

    Args:
        options: ``NAME=MOST``, ``NAME=MOST+MARGIN`` or ``NAME=off``.
        file: TOML: ``NAME = MOST``, ``NAME = "off"``, or a table ``[NAME]`` with ``most`` and ``margin``.

    Raises:
        DataRefused: The file is not such a file.
        UnreadableInput: The file cannot be read.
        ValueError: An option is none of these.
    """
    limits = dict(DEFAULTS)
    if file is not None:
        _take_file(limits, file)
    for option in options:
        name, _, value = option.partition("=")
        if value == _OFF:
            _change(limits, name.strip(), _OFF, None)
            continue
        most, plus, margin = value.partition("+")
        try:
            numbers = float(most), float(margin) if plus else None
        except ValueError:
            raise ValueError(
                f"{option!r} is no limit; expected NAME=MOST, NAME=MOST+MARGIN or NAME=off"
            ) from None
        _change(limits, name.strip(), *numbers)
    return limits


def verdict_on(limit: Limit, figure: Mapping[str, Any]) -> Verdict:
    """Judge a figure; see the head of this module.

    Args:
        limit: What it is held against.
        figure: With ``value``, ``n`` and ``high``, and ``groups`` where they are counted.
    """
    value, high = figure["value"], figure["high"]
    if value is None:
        return "too few" if limit.is_asked else "not judged"
    if value > limit.most + 1e-12:
        return "exceeded"
    is_shown = high is not None and high <= limit.most + limit.margin + 1e-12
    is_enough = figure["n"] >= limit.least and _groups(figure) >= limit.least_groups
    return "held" if is_shown and is_enough else "too few"


def needed_for_none(limit: Limit) -> int | None:
    """Return how many images without a single case a share needs to be held; None for what is no share.

    Wilson's interval of 0 of n ends at z^2 / (n + z^2).
    """
    allowed = limit.most + limit.margin
    if limit.kind != "share" or not 0 < allowed < 1:
        return None
    return max(limit.least, math.ceil(Z_95**2 * (1 - allowed) / allowed))


def _groups(figure: Mapping[str, Any]) -> int:
    return int(figure.get("groups", figure["n"]))


def _take_file(limits: dict[str, Limit], file: Path) -> None:
    name = shown_name(file.name)
    try:
        stated = tomllib.loads(read_file(file).decode())
    except ValueError as error:  # both of TOML and of UTF-8 are such
        raise DataRefused(
            f"{name}: cannot be read as TOML", hint="see docs/compare.md for an example"
        ) from error
    for key, value in stated.items():
        try:
            if isinstance(value, dict):
                unknown = set(value) - {"most", "margin"}
                if unknown or "most" not in value:
                    raise ValueError(
                        f"[{key}] has {sorted(value)}, expected most and perhaps margin"
                    )
                _change(limits, key, value["most"], value.get("margin"))
            else:
                _change(limits, key, value, None)
        except ValueError as error:
            raise DataRefused(
                f"{name}: {error}", hint="see docs/compare.md for all limits"
            ) from error


def _change(limits: dict[str, Limit], name: str, most: Any, margin: Any) -> None:
    if name not in DEFAULTS:
        raise ValueError(f"{shown_name(name)!r} is no limit; there are {', '.join(DEFAULTS)}")
    if most == _OFF:
        limits.pop(name, None)
        return
    former = limits.get(name, DEFAULTS[name])
    margin = former.margin if margin is None else margin
    for word, number in (("most", most), ("margin", margin)):
        if not is_number(number, 0, _LARGEST):
            raise ValueError(
                f"{word} of {name} is {number!r}, expected a number from 0 to {_LARGEST:.0f}"
            )
    limits[name] = replace(former, most=float(most), margin=float(margin), is_asked=True)
