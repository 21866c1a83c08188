"""Stored values become grey levels: modality LUT or rescale, then VOI LUT or window, then presentation (PS3.4 N.2).

For enhanced files pydicom's own functions do nothing, since rescale and window stand in functional groups
(pydicom/pydicom#2353); and its windows scale to the range of the type. So the steps are our own. Where the header has
no window that can be used, the slice's own percentiles take its place: see ``edge_infer.stretch``.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import has_value, number, whole, words
from edge_infer.dicom.lookup import lookup_of
from edge_infer.dicom.window import window_of
from edge_infer.stretch import BLANK, STRETCHED, stretch

__all__ = ["Grey", "grey_of"]

_RESCALE = "PixelValueTransformationSequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grey:
    """Grey levels, and how they came about.

    Attributes:
        levels: uint8, (H, W), as stored.
        rule: In words.
        warnings: What was in the header and could not be used.
    """

    levels: NDArray[np.uint8] = field(repr=False)
    rule: str
    warnings: tuple[str, ...]


def grey_of(stored: NDArray[Any], frame: Frame, *, is_little_endian: bool) -> Grey:
    """Return a frame as it is displayed.

    Args:
        stored: (H, W), of an integer type.
        frame: Its header.
        is_little_endian: How tables in the header are stored.
    """
    padding = _is_padding(stored, frame)
    values, modality, warnings = _rescaled(stored.astype(np.float64), frame, is_little_endian)
    is_scale_known = not warnings
    shown, rule = None, ""
    if is_scale_known:
        shown, rule, voi_warning = _windowed(values, ~padding, frame, is_little_endian)
        warnings += [voi_warning] if voi_warning else []
    elif _has_voi(frame):
        warnings.append("the window of the header is for rescaled values: ignored")
    if shown is None:
        shown, rule = stretch(values, ~padding), STRETCHED
    if shown is None:
        shown = np.zeros(values.shape)
        warnings.append(BLANK)
    elif _is_inverted(frame):
        shown = 255 - shown
        rule += ", inverted"
    levels = np.rint(shown).astype(np.uint8)
    levels[padding] = 0
    return Grey(levels=levels, rule=modality + rule, warnings=tuple(warnings))


def _is_padding(stored: NDArray[Any], frame: Frame) -> NDArray[np.bool_]:
    """Whether a pixel lies outside of what was scanned, PS3.3 C.7.5.1.1.2."""
    first, last = (
        _as_stored(frame.whole(keyword), frame)
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
    )
    if first is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    low, high = sorted((first, first if last is None else last))
    return (stored >= low) & (stored <= high)


def _as_stored(value: int | None, frame: Frame) -> int | None:
    """Return a value with the sign that pixels have, whatever sign its attribute was written with."""
    if value is None or not whole(frame.top, "PixelRepresentation"):
        return value
    bits = whole(frame.top, "BitsAllocated") or 16
    return value - 2**bits if value >= 2 ** (bits - 1) else value


def _rescaled(
    values: NDArray[np.float64], frame: Frame, is_little_endian: bool
) -> tuple[NDArray[np.float64], str, list[str]]:
    item = frame.item("ModalityLUTSequence")
    if item is not None:
        lookup = lookup_of(item, is_little_endian=is_little_endian)
        if lookup is None:
            return values, "", ["the modality LUT of the header is bad: ignored"]
        return lookup.applied(values), "modality LUT, ", []
    place = frame.place_of("RescaleSlope", within=_RESCALE)
    if place is None:
        return values, "", []
    slope = number(place, "RescaleSlope")
    intercept = number(place, "RescaleIntercept")
    is_intercept_bad = intercept is None and has_value(place, "RescaleIntercept")
    if slope is None or slope == 0 or is_intercept_bad:
        return values, "", ["the rescale slope or intercept of the header is bad: ignored"]
    if slope == 1 and not intercept:
        return values, "", []
    return values * slope + (intercept or 0.0), "rescaled, ", []


def _has_voi(frame: Frame) -> bool:
    window, warning = window_of(frame)
    return (
        window is not None
        or bool(warning)
        or frame.item("VOILUTSequence", within="FrameVOILUTSequence") is not None
    )


def _windowed(
    values: NDArray[np.float64],
    is_counted: NDArray[np.bool_],
    frame: Frame,
    is_little_endian: bool,
) -> tuple[NDArray[np.float64] | None, str, str]:
    """Return grey levels by the header, the rule, and a warning; None where the header has nothing that can be used."""
    warning = ""
    item = frame.item("VOILUTSequence", within="FrameVOILUTSequence")
    if item is not None:
        lookup = lookup_of(item, is_little_endian=is_little_endian)
        if lookup is not None:
            shown = lookup.applied(values) / lookup.largest * 255
            if not _is_blank(shown, values, is_counted):
                return shown, "VOI LUT of the header", ""
        warning = "the VOI LUT of the header is bad: ignored"
    window, window_warning = window_of(frame)
    warning = warning or window_warning
    if window is None:
        return None, "", warning
    shown = window.applied(values)
    if _is_blank(shown, values, is_counted):
        return None, "", "the window of the header shows nothing: ignored"
    return shown, window.words, warning


def _is_blank(
    shown: NDArray[np.float64], values: NDArray[np.float64], is_counted: NDArray[np.bool_]
) -> bool:
    """Whether nothing is left of a slice that shows something."""
    seen, counted = np.rint(shown[is_counted]), values[is_counted]
    return bool(seen.size and seen.min() == seen.max() and counted.min() < counted.max())


def _is_inverted(frame: Frame) -> bool:
    """Whether low values are bright: Presentation LUT Shape decides, and MONOCHROME1 only where there is none."""
    shape = next(iter(frame.words("PresentationLUTShape")), "")
    if shape in ("IDENTITY", "INVERSE"):
        return shape == "INVERSE"
    return "MONOCHROME1" in words(frame.top, "PhotometricInterpretation")
