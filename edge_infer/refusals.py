"""Why a scan is refused although it is intact; the values are what JSON shows, and what ``despite`` takes."""

from enum import StrEnum

__all__ = ["OVERRULABLE", "Refusal"]


class Refusal(StrEnum):
    """A kind of scan that is not read, or not unless the user says so."""

    DICOMDIR = "dicomdir"
    """The index of a medium, not a scan."""
    NOT_AN_IMAGE = "not_an_image"
    """A report, plan, segmentation, waveform or document."""
    MOSAIC = "mosaic"
    """Many slices side by side in one image, as Siemens stores fMRI and diffusion."""
    PHASE_IMAGE = "phase_image"
    """Phase, real or imaginary part of the signal; the model learnt magnitudes."""
    SEVERAL_VOLUMES = "several_volumes"
    """A NIfTI of several time points or channels."""
    COLOUR = "colour"
    """An MR image in colours, such as a fused map."""
    LOCALIZER = "localizer"
    """A survey from which the scan was planned."""
    DERIVED_MAP = "derived_map"
    """Values computed from several images, such as ADC, perfusion or a difference."""
    PROJECTION = "projection"
    """Brightest or darkest values along rays through many slices."""
    REFORMATTED = "reformatted"
    """Slices cut out of a volume afterwards."""
    SECONDARY_CAPTURE = "secondary_capture"
    """A screen shot or digitised film: grey levels, sides and sizes are those of a screen."""
    BURNED_IN_TEXT = "burned_in_text"
    """The header says that text is burnt into the pixels."""
    OTHER_MODALITY = "other_modality"
    """CT, ultrasound or anything else that is no MR."""
    OTHER_BODY_PART = "other_body_part"
    """The header names a part of the body that is not the head."""


#: Those that a user can overrule; the others cannot be shown as a slice of a head.
OVERRULABLE = frozenset(
    {
        Refusal.LOCALIZER,
        Refusal.DERIVED_MAP,
        Refusal.PROJECTION,
        Refusal.REFORMATTED,
        Refusal.SECONDARY_CAPTURE,
        Refusal.BURNED_IN_TEXT,
        Refusal.OTHER_MODALITY,
        Refusal.OTHER_BODY_PART,
    }
)
