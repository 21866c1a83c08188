"""How a slice was made, as far as the header says: numbers, code words and words found in its texts."""

from edge_infer.described import described_as
from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import has_value, number, raw, words
from edge_infer.scan_slice import Acquisition

__all__ = ["acquisition_of"]

_TEXTS = ("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName")
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


def acquisition_of(frame: Frame) -> Acquisition:
    """Return what the header says of a frame, values in functional groups included."""
    top = frame.top
    timing = "MRTimingAndRelatedParametersSequence"
    modality = next(iter(words(top, "Modality")), "")
    texts = [str(raw(top, keyword) or "") for keyword in _TEXTS]
    texts += words(top, "AcquisitionContrast")
    return Acquisition(
        modality=modality if modality in _MODALITIES else "",
        image_type=tuple(word for word in frame.image_type if word in _IMAGE_TYPES),
        scanning_sequence=_scanning_sequence(frame),
        sequence_variant=tuple(w for w in words(top, "SequenceVariant") if w in _VARIANTS),
        echo_time_ms=_positive(
            frame.number("EffectiveEchoTime", within="MREchoSequence") or number(top, "EchoTime")
        ),
        repetition_time_ms=_positive(frame.number("RepetitionTime", within=timing)),
        inversion_time_ms=_positive(
            frame.number("InversionTimes", within="MRModifierSequence")
            or number(top, "InversionTime")
        ),
        flip_angle_degrees=_positive(frame.number("FlipAngle", within=timing)),
        described_as=described_as(texts),
        contrast_agent=_has_agent(frame),
    )


def _scanning_sequence(frame: Frame) -> tuple[str, ...]:
    given = tuple(w for w in words(frame.top, "ScanningSequence") if w in _SEQUENCES)
    if given:
        return given
    echo = _ECHO_PULSE.get(next(iter(words(frame.top, "EchoPulseSequence")), ""), ())
    is_planar = "YES" in words(frame.top, "EchoPlanarPulseSequence")
    is_inverted = "YES" in frame.words("InversionRecovery", within="MRModifierSequence")
    return (*echo, *(("EP",) if is_planar else ()), *(("IR",) if is_inverted else ()))


def _has_agent(frame: Frame) -> bool:
    agent = str(raw(frame.top, "ContrastBolusAgent") or "").strip().upper()
    return agent not in _NO_AGENT or has_value(frame.top, "ContrastBolusAgentSequence")


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None
