"""What kind of object a file is: SOP classes of PS3.4 annex B and PS3.6 annex A, by their meaning for us."""

__all__ = ["CAPTURES", "DICOMDIR", "ENHANCED_MR", "MR_IMAGES", "name_of_class", "not_an_image"]

_STORAGE = "1.2.840.10008.5.1.4.1.1."
DICOMDIR = "1.2.840.10008.1.3.10"
ENHANCED_MR = f"{_STORAGE}4.1"
#: Classic, enhanced, legacy converted.
MR_IMAGES = frozenset({f"{_STORAGE}4", ENHANCED_MR, f"{_STORAGE}4.4"})
CAPTURES = frozenset({f"{_STORAGE}7", *(f"{_STORAGE}7.{kind}" for kind in (1, 2, 3, 4))})

_NAMES = {
    "4": "MR image",
    "4.1": "enhanced MR image",
    "4.2": "MR spectroscopy",
    "4.3": "enhanced MR colour image",
    "4.4": "legacy converted enhanced MR image",
    "2": "CT image",
    "2.1": "enhanced CT image",
    "2.2": "legacy converted enhanced CT image",
    "1": "X-ray image",
    "1.1": "X-ray image",
    "1.2": "mammogram",
    "12.1": "X-ray angiogram",
    "12.2": "fluoroscopy",
    "6.1": "ultrasound image",
    "3.1": "ultrasound film",
    "20": "nuclear medicine image",
    "128": "PET image",
    "130": "enhanced PET image",
    "128.1": "legacy converted enhanced PET image",
    "481.1": "radiotherapy image",
    "77.1.1": "endoscopy photograph",
    "77.1.4": "photograph",
    "77.1.6": "whole slide microscopy image",
    "30": "parametric map",
    "66": "raw data",
    "66.1": "spatial registration",
    "66.2": "spatial fiducials",
    "66.3": "deformable registration",
    "66.4": "segmentation",
    "66.5": "surface segmentation",
    "66.6": "tractography",
    "68.1": "surface scan",
    "67": "real world value mapping",
    "481.2": "radiotherapy dose",
    "481.3": "radiotherapy structure set",
    "481.5": "radiotherapy plan",
    "481.8": "radiotherapy ion plan",
    "88.11": "structured report",
    "88.22": "structured report",
    "88.33": "structured report",
    "88.34": "structured report",
    "88.50": "mammography report",
    "88.59": "key object selection",
    "88.67": "radiation dose report",
    "104.1": "PDF document",
    "104.2": "CDA document",
    "104.3": "STL model",
    "9.1.1": "electrocardiogram",
    "9.1.2": "electrocardiogram",
    "9.1.3": "electrocardiogram",
    "9.2.1": "waveform",
    "9.3.1": "waveform",
    "9.4.1": "waveform",
    "11.1": "presentation state",
    "11.2": "presentation state",
    "11.3": "presentation state",
    "11.4": "presentation state",
    "11.5": "presentation state",
    "11.8": "presentation state",
    **{kind.removeprefix(_STORAGE): "secondary capture" for kind in CAPTURES},
}
#: Whole groups of kinds that are no scans, though some hold pixels, as segmentations do.
_NOT_IMAGES = (
    "9.",
    "11.",
    "30",
    "4.2",
    "66",
    "67",
    "68.",
    "88.",
    "104.",
    "481.2",
    "481.3",
    "481.5",
    "481.8",
    "78.",
    "79.",
)


def name_of_class(identifier: str) -> str:
    """Return what an object is, in words; ``an object of an unknown kind`` if it is not known here."""
    name = _NAMES.get(identifier.removeprefix(_STORAGE))
    return name if name and identifier.startswith(_STORAGE) else "object of an unknown kind"


def not_an_image(identifier: str) -> bool:
    """Whether objects of this kind are no scans, whatever is in them."""
    kind = identifier.removeprefix(_STORAGE)
    if kind == identifier:
        return False
    return any(
        kind == one.rstrip(".") or kind.startswith(one if one.endswith(".") else one + ".")
        for one in _NOT_IMAGES
    )
