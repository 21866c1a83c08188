"""How a slice was made, as far as the header says: numbers, code words and words found in its texts."""

from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import has_value
from edge_infer.dicom.texts import descriptions, texts_of
from edge_infer.scan_slice import Acquisition

__all__ = ["acquisition_of"]

_NO_AGENT = frozenset({"", "NONE", "NO", "N", "NIL", "0"})

#: Code words that may be shown; a private one is left out, since anything may stand there.
_IMAGE_TYPES = frozenset(
    (
        *("ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "M", "M_FFE", "M_SE", "M_IR"),
        *("M_TSE", "M_PCA", "FFE", "SE", "IR", "TSE", "TFE", "PCA"),
        *("ND", "NORM", "DIS2D", "DIS3D", "MFSPLIT", "FM", "FIL", "SH"),
        *("OTHER", "NONE", "MIXED", "LOCALIZER", "MPR", "MIP", "MINIP", "REFORMATTED"),
        *("RESAMPLED", "AVERAGE", "MOSAIC", "P", "PHASE", "R", "REAL", "I"),
        *("IMAGINARY", "MAGNITUDE", "DIFFUSION", "ADC", "TRACEW", "FA", "T1", "T2"),
        *(
            "T2_STAR",
            "FLAIR",
            "STIR",
            "PROTON_DENSITY",
            "PERFUSION",
            "FLOW_ENCODED",
            "TOF",
            "VOLUME",
        ),
        *("WATER", "FAT", "IN_PHASE", "OUT_PHASE", "DIXON", "SUBTRACTION", "EADC", "TENSOR"),
        *("MASK", "STDDEV"),
        *("ANGIO", "ANGIO_TIME", "ASL", "CINE", "DYNAMIC", "FMRI", "REFERENCE", "TAGGING"),
        *("TEMPERATURE", "VELOCITY", "MULTIECHO", "PRE_CONTRAST", "POST_CONTRAST"),
        *("PROJECTION IMAGE", "PHASE MAP", "T1 MAP", "T2 MAP", "T2_STAR MAP", "FLUID_ATTENUATED"),
    )
)
_SEQUENCES = frozenset({"SE", "IR", "GR", "EP", "RM"})
_VARIANTS = frozenset({"SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"})
#: PS3.3 C.7.3.1.1.1, those of images.
_MODALITIES = frozenset(
    (
        *("MR", "CT", "PT", "NM", "US", "CR", "DX", "MG", "XA", "RF"),
        *("IO", "PX", "SC", "OT", "XC", "ES", "GM", "SM", "OP", "OPT"),
        *("OCT", "IVUS", "IVOCT", "RG", "RTIMAGE", "SEG", "SR", "PR", "KO", "DOC"),
        *("REG",),
    )
)
#: Of an enhanced image, as the older attribute would say it.
_ECHO_PULSE = {"SPIN": ("SE",), "GRADIENT": ("GR",), "BOTH": ("SE", "GR")}


_STEADY = frozenset({"FREE_PRECESSION", "TRANSVERSE", "TIME_REVERSED"})
_OF_VESSELS = ("TimeOfFlightContrast", "PhaseContrast")
#: PS3.3 C.8.13.3.1: also those of Frame Type, whose third value says the same.
_CONTRASTS = frozenset(
    (
        *("DIFFUSION", "FLOW_ENCODED", "FLUID_ATTENUATED", "PERFUSION", "PROTON_DENSITY", "STIR"),
        *("TAGGING", "T1", "T2", "T2_STAR", "TOF"),
    )
)
_TIMING = "MRTimingAndRelatedParametersSequence"
_MODIFIER = "MRModifierSequence"


def acquisition_of(frame: Frame) -> Acquisition:
    """Return what the header says of a frame, values in functional groups and converted ones included."""
    modality = next(iter(frame.words("Modality")), "")
    return Acquisition(
        modality=modality if modality in _MODALITIES else "",
        image_type=tuple(word for word in frame.image_type if word in _IMAGE_TYPES),
        scanning_sequence=_scanning_sequence(frame),
        sequence_variant=_variant(frame),
        echo_time_ms=_positive(
            frame.number("EffectiveEchoTime", within="MREchoSequence") or frame.number("EchoTime")
        ),
        repetition_time_ms=_positive(frame.number("RepetitionTime", within=_TIMING)),
        inversion_time_ms=_positive(
            frame.number("InversionTimes", within=_MODIFIER) or frame.number("InversionTime")
        ),
        flip_angle_degrees=_positive(frame.number("FlipAngle", within=_TIMING)),
        described_as=descriptions(frame),
        contrast_agent=_has_agent(frame),
        acquisition_contrast=_contrast(frame),
        shows_vessels=_shows_vessels(frame),
    )


def _scanning_sequence(frame: Frame) -> tuple[str, ...]:
    given = tuple(w for w in frame.words("ScanningSequence") if w in _SEQUENCES)
    if given:
        return given
    echo = _ECHO_PULSE.get(next(iter(frame.words("EchoPulseSequence")), ""), ())
    is_planar = "YES" in frame.words("EchoPlanarPulseSequence")
    is_inverted = "YES" in frame.words("InversionRecovery", within=_MODIFIER)
    return (*echo, *(("EP",) if is_planar else ()), *(("IR",) if is_inverted else ()))


def _variant(frame: Frame) -> tuple[str, ...]:
    """Return Sequence Variant; of an enhanced image, what its pulse sequence and modifiers say in its words."""
    given = tuple(w for w in frame.words("SequenceVariant") if w in _VARIANTS)
    if given:
        return given
    steady = set(frame.words("SteadyStatePulseSequence"))
    is_moved = set(frame.words("MagnetizationTransfer", within=_MODIFIER)) - {"NONE"}
    is_spoiled = set(frame.words("Spoiling", within=_MODIFIER)) - {"NONE"}
    told = (
        ("MTC", is_moved),
        ("SS", steady & _STEADY),
        ("TRSS", "TIME_REVERSED" in steady),
        ("SP", is_spoiled),
    )
    return tuple(word for word, is_so in told if is_so)


def _contrast(frame: Frame) -> str:
    """Return Acquisition Contrast of the frame, else that of the file."""
    found = frame.words("AcquisitionContrast", within="MRImageFrameTypeSequence")
    return next((word for word in found if word in _CONTRASTS), "")


def _shows_vessels(frame: Frame) -> bool:
    return bool({"Y", "YES"} & set(frame.words("AngioFlag"))) or any(
        "YES" in frame.words(keyword) for keyword in _OF_VESSELS
    )


def _has_agent(frame: Frame) -> bool:
    texts = [text.strip().upper() for text in texts_of(frame, "ContrastBolusAgent")]
    return any(text not in _NO_AGENT for text in texts) or any(
        has_value(place, "ContrastBolusAgentSequence") for place in frame.plain
    )


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None
