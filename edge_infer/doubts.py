"""Doubts about readable images, found before the graph runs: what a reader should know before relying on the answer.

Each rule is one comparison, in a file of ``edge_infer.doubt_rules``; docs/bundle.md states it, how often it is wrong on
good scans, and how often it finds what it is for. Which doubts abstain is decided in ``edge_infer.decision``.
"""

from PIL import Image

from edge_infer.doubt_rules.layout import light_line, odd_shape, several_slices
from edge_infer.doubt_rules.levels import too_few_grey_levels
from edge_infer.doubt_rules.quality import blurred, coarse_jpeg, noisy
from edge_infer.doubt_rules.rim import blank_rim, inverted
from edge_infer.doubt_rules.samples import Samples
from edge_infer.doubt_rules.text import burnt_in_text
from edge_infer.reasons import Doubt, Reason

__all__ = ["doubts_about"]

#: Share of the sampled pixels with a colour of their own; good scans have none, a contour of 1 pixel in 256 has 0.0004.
COLOURED = 0.0002


def doubts_about(
    grey: Image.Image, *, coloured: float = 0.0, model_size: tuple[int, int] | None = None
) -> tuple[Doubt, ...]:
    """Return what a reader should know about an image before relying on the answer.

    Args:
        grey: Mode ``L``, as it was read, not yet resized.
        coloured: Share of the pixels that had a colour of their own; see ``edge_infer.colour``.
        model_size: Width and height of the model's input in pixels; None says nothing about small images.
    """
    samples = Samples.of(grey)
    noise, inversion = noisy(samples), inverted(samples)
    # An inverted scan's background is light from edge to edge, and strong noise jumps as letters do.
    line = None if inversion else light_line(samples)
    text = None if noise else burnt_in_text(samples)
    found = (
        _too_small(grey, model_size),
        odd_shape(*grey.size) or several_slices(samples) or line,
        _colour_overlay(coloured),
        text,
        blank_rim(samples),
        inversion,
        too_few_grey_levels(samples),
        noise or blurred(samples) or coarse_jpeg(samples),
    )
    return tuple(doubt for doubt in found if doubt)


def _too_small(grey: Image.Image, model_size: tuple[int, int] | None) -> Doubt | None:
    if model_size is None:
        return None
    width, height = model_size
    if grey.width >= width / 2 and grey.height >= height / 2:
        return None
    return Doubt(
        Reason.TOO_SMALL,
        f"image is {grey.width} x {grey.height} pixels and was enlarged more than twice "
        f"to {width} x {height}",
    )


def _colour_overlay(coloured: float) -> Doubt | None:
    if coloured <= COLOURED:
        return None
    return Doubt(
        Reason.COLOUR_OVERLAY,
        f"{100 * coloured:.2g} % of the pixels have a colour of their own: "
        "the image may be marked, a screenshot or a photograph",
    )
