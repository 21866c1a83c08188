"""What secondary captures show: slices under their heat maps, and any other image of the series with its title."""

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from edge_infer.heatmap import draw_heatmap
from edge_infer.names import counted
from edge_infer.scan_slice import Plane
from edge_infer.series.result import SeriesResult, SliceAnswer
from edge_infer.structured.selection import prediction_of, select_slices

__all__ = ["MOST_OVERLAYS", "Drawing", "drawings_of", "overlays_of"]

#: Each is of about 1 MB.
MOST_OVERLAYS = 12

#: To which side rows and columns run, as a radiologist sees the plane (PS3.3 C.7.6.1.1.1).
_SIDES: dict[Plane, tuple[str, str]] = {
    "axial": ("L", "P"),
    "coronal": ("L", "F"),
    "sagittal": ("P", "F"),
}
_OPPOSITE = {"L": "R", "P": "A", "F": "H"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """An image for people.

    Attributes:
        image: Mode RGB; no name of a patient is in it.
        title: One line of ASCII, drawn above it.
        slices: What it shows.
        sides: To which side rows and columns run; None if it shows several slices, or that is unknown.
    """

    image: Image.Image
    title: str
    slices: tuple[SliceAnswer, ...]
    sides: tuple[str, str] | None = None


def drawings_of(result: SeriesResult, sheet: Image.Image | None = None) -> Iterator[Drawing]:
    """Draw what captures show: the contact sheet, then the slices that speak for a tumour.

    Without any such slice, the sheet says it all; without a sheet, the slices that come nearest are shown.

    Args:
        result: Of a series.
        sheet: All slices in one image, as ``edge_infer.series.contact_sheet`` draws them; None for none.

    Raises:
        InputError: A slice can no longer be read.
    """
    if sheet is not None:
        words = f"Contact sheet of {counted(len(result.slices), 'slice')}"
        yield Drawing(image=sheet, title=words, slices=result.slices)
    if sheet is None or select_slices(result).has_evidence:
        yield from overlays_of(result)


def overlays_of(result: SeriesResult, *, most: int = MOST_OVERLAYS) -> Iterator[Drawing]:
    """Draw the slices of ``select_slices`` under their heat maps, one after the other.

    Args:
        result: Of a series.
        most: How many at most, those of the highest tumour probability.

    Yields:
        One drawing a slice, in the order of the series.

    Raises:
        InputError: A slice can no longer be read.
    """
    for answer in select_slices(result, most=most).slices:
        yield _overlay(answer, len(result.slices))


def _overlay(answer: SliceAnswer, slices: int) -> Drawing:
    geometry = answer.slice.geometry
    seen = answer.slice.read().source.image
    drawn = draw_heatmap(seen, prediction_of(answer))
    sides = None if geometry is None else _SIDES[geometry.plane]
    if sides is not None:
        _mark(drawn, _OPPOSITE[sides[0]], seen.height * drawn.width // seen.width)
    where = "" if geometry is None else f", {geometry.plane}, {geometry.position_mm:.1f} mm"
    title = f"Slice {answer.number} of {slices}{where}"
    return Drawing(image=drawn, title=title, slices=(answer,), sides=sides)


def _mark(drawn: Image.Image, letter: str, height: int) -> None:
    """Write which side is left, halfway up: many viewers show none for captures."""
    font = ImageFont.load_default(drawn.width / 24)
    place = (drawn.width // 64, height // 2)
    draw = ImageDraw.Draw(drawn)
    draw.text(
        place,
        letter,
        fill=(255, 255, 255),
        font=font,
        anchor="lm",
        stroke_width=2,
        stroke_fill=(0, 0, 0),
    )
