"""The window of a header: which values become black, grey and white, PS3.3 C.11.2.1.2 and C.11.2.1.3."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import has_value, raw, words

__all__ = ["Window", "window_of"]

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
_FUNCTIONS: dict[str, Function] = {
    "": "LINEAR",
    "LINEAR": "LINEAR",
    "LINEAR_EXACT": "LINEAR_EXACT",
    "SIGMOID": "SIGMOID",
}
_WITHIN = "FrameVOILUTSequence"
_LARGEST = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window.

    Attributes:
        centre: In rescaled values.
        width: Likewise.
        function: How values between become grey.
    """

    centre: float
    width: float
    function: Function

    def applied(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return grey levels 0..255, not rounded, of the window's own range, as dcmtk and highdicom show it."""
        if self.function == "SIGMOID":
            exponent = np.clip(-4 * (values - self.centre) / self.width, -700, 700)
            return 255 / (1 + np.exp(exponent))
        centre, width = self.centre, self.width
        if self.function == "LINEAR":
            centre, width = centre - 0.5, width - 1
        if width == 0:  # a threshold
            return np.where(values <= centre, 0.0, 255.0)
        return np.clip((values - centre) / width + 0.5, 0.0, 1.0) * 255

    @property
    def words(self) -> str:
        """For people."""
        return (
            f"window of the header (centre {self.centre:g}, width {self.width:g}, {self.function})"
        )


def window_of(frame: Frame) -> tuple[Window | None, str]:
    """Return the window of a frame, the first of several, and a warning; None if there is none that can be used."""
    centre, centres = _first(frame, "WindowCenter")
    width, widths = _first(frame, "WindowWidth")
    if not centres and not widths:
        return None, ""
    if centre is None or width is None:
        return None, "the window of the header is bad: ignored"
    place = frame.place_of("VOILUTFunction", within=_WITHIN)
    given = words(place, "VOILUTFunction") if place is not None else ()
    function = _FUNCTIONS.get(given[0] if given else "")
    if function is None:
        return None, "the window of the header has an unknown function: ignored"
    if width < 1 if function == "LINEAR" else width <= 0:
        return None, "the window of the header has no width: ignored"
    several = max(centres, widths)
    warning = f"the header has {several} windows: the first is used" if several > 1 else ""
    return Window(centre=centre, width=width, function=function), warning


def _first(frame: Frame, keyword: str) -> tuple[float | None, int]:
    """Return the first number of an attribute, and how many values it has; (None, n) if the first is bad."""
    place = frame.place_of(keyword, within=_WITHIN)
    if place is None:
        return None, 0
    value = raw(place, keyword)
    if value is None:  # empty, or bad
        return None, 1 if has_value(place, keyword) else 0
    several = (
        [value] if isinstance(value, str | bytes) or not hasattr(value, "__iter__") else list(value)
    )
    several = [one for one in several if one is not None and one != ""]
    try:
        first = float(several[0])
    except (IndexError, TypeError, ValueError, OverflowError):
        return None, len(several)
    return (first if np.isfinite(first) and abs(first) <= _LARGEST else None), len(several)
