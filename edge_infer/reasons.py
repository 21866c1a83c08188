"""Why an answer is not accepted, or is to be read with care: the reasons, and what was seen of an image."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Doubt", "Reason"]


class Reason(StrEnum):
    """Why a prediction abstains or warns. Its value is what JSON, CSV and text show.

    Which of them abstain is decided in `edge_infer.decision`; docs/bundle.md lists them, docs/trust.md says what
    abstaining promises.
    """

    OUT_OF_SCOPE = "out_of_scope"
    """The embedding lies further from the training images than the bundle's threshold."""
    AMBIGUOUS = "ambiguous"
    """The prediction set has not exactly one class, or the top probability is below the bundle's least score."""
    LOW_QUALITY = "low_quality"
    """The image is damaged, noisy or too coarse."""
    TOO_FEW_GREY_LEVELS = "too_few_grey_levels"
    """Nearly all pixels share a few grey values."""
    SEVERAL_SLICES = "several_slices"
    """The image shows more than one slice, as a screenshot or a montage does."""
    COLOUR_OVERLAY = "colour_overlay"
    """Something coloured lies over the grey image, or the image is a photograph."""
    BURNT_IN_TEXT = "burnt_in_text"
    """Text is drawn into the pixels."""
    BLANK_RIM = "blank_rim"
    """Most of the image is an empty frame, so the slice reaches the model smaller than it learnt."""
    INVERTED = "inverted"
    """The background is white where the background of an MRI slice is black."""
    ODD_SHAPE = "odd_shape"
    """One side is much longer than the other, so the image reaches the model squeezed or cut."""
    TOO_SMALL = "too_small"
    """A side is shorter than half of the model's, so the image reaches it enlarged more than twice."""


@dataclass(frozen=True)
class Doubt:
    """Something in an image that its answer must be read with, found before the graph runs."""

    reason: Reason
    note: str
    """One sentence for a person. No content of the image and no file name."""
