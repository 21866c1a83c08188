"""Which files and frames are read at all: MR images of a head, unless the user says otherwise.

The header must be the gate: asked about a CT, a segmentation and an MR of the abdomen, the model named a tumour with
conviction. Where the header says no, the file is refused; where it says nothing, the slice carries a warning.
"""

from collections.abc import Collection

from edge_infer.dicom.body_part import head_stated
from edge_infer.dicom.content import Content
from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import has_value, uid, whole, words
from edge_infer.dicom.image_kinds import kind_refused, word_without_mosaic
from edge_infer.dicom.storage_classes import (
    CAPTURES,
    DICOMDIR,
    MR_IMAGES,
    name_of_class,
    not_an_image,
)
from edge_infer.errors import CorruptImage, ScanRefused
from edge_infer.refusals import OVERRULABLE, Refusal

__all__ = ["check_file", "check_frame"]

_WHAT = {
    Refusal.MOSAIC: "a mosaic of many slices in one image, as of fMRI or diffusion",
    Refusal.PHASE_IMAGE: "a phase, real or imaginary image",
    Refusal.LOCALIZER: "a localizer",
    Refusal.PROJECTION: "a projection of many slices (MIP)",
    Refusal.REFORMATTED: "a reformatted image (MPR)",
    Refusal.DERIVED_MAP: "a map or difference computed from several images",
    Refusal.SECONDARY_CAPTURE: "a secondary capture",
    Refusal.BURNED_IN_TEXT: "an image with burnt-in text",
    Refusal.COLOUR: "an MR image in colours",
    Refusal.OTHER_BODY_PART: "of a part of the body that is not the head",
}
#: In Image Type of images that are stored as MR: what GE and Siemens store of their screens.
_SCREENS = frozenset({"SCREEN SAVE", "SCREENSAVE", "POSDISP"})
_EXPECTED = "expected MR slices of a head"


def check_file(content: Content, name: str, despite: Collection[str]) -> list[str]:
    """Check what kind of object a file is.

    Args:
        content: Header only.
        name: As shown.
        despite: Values of refusals that are overruled.

    Returns:
        Warnings.

    Raises:
        CorruptImage: It is no DICOM, or its header is cut short.
        ScanRefused: It is no MR image.
    """
    header = content.header
    sop_class = uid(header, "SOPClassUID")
    if DICOMDIR in (content.storage_class, sop_class):
        raise ScanRefused(
            f"{name}: is a DICOMDIR, the index of a medium, {_EXPECTED}",
            refusal=Refusal.DICOMDIR,
            hint="give the folder or the files it lies beside",
        )
    if not sop_class:
        raise CorruptImage(
            f"{name}: is no DICOM, or its header is damaged (no SOP Class UID)",
            hint="copy or export the file again",
        )
    what = name_of_class(sop_class)
    has_rows = whole(header, "Rows") is not None
    if not_an_image(sop_class) or (not has_rows and sop_class not in MR_IMAGES | CAPTURES):
        raise ScanRefused(f"{name}: is a DICOM {what}, {_EXPECTED}", refusal=Refusal.NOT_AN_IMAGE)
    if not has_rows or not content.has_pixels:
        raise CorruptImage(
            f"{name}: DICOM {what} is cut short or has no pixels",
            hint="copy or export the file again",
        )
    warnings: list[str] = []
    modality = next(iter(words(header, "Modality")), "")
    is_screen = bool(_SCREENS & set(words(header, "ImageType")))
    if sop_class in CAPTURES or is_screen or has_value(header, "ConversionType"):
        _refuse(Refusal.SECONDARY_CAPTURE, name, despite, warnings)
    elif sop_class not in MR_IMAGES or modality not in ("MR", ""):
        found = what if sop_class not in MR_IMAGES else "image of another modality"
        _refuse(Refusal.OTHER_MODALITY, name, despite, warnings, f"a DICOM {found}")
    elif not modality:
        warnings.append("the header does not say which modality")
    if words(header, "BurnedInAnnotation") == ("YES",):
        _refuse(Refusal.BURNED_IN_TEXT, name, despite, warnings)
    if sop_class in MR_IMAGES and (whole(header, "SamplesPerPixel") or 1) != 1:
        _refuse(Refusal.COLOUR, name, despite, warnings)
    return warnings


def check_frame(frame: Frame, name: str, despite: Collection[str]) -> list[str]:
    """Check what kind of image a frame is.

    Args:
        frame: Of a file that passed ``check_file``.
        name: As shown.
        despite: Values of refusals that are overruled.

    Returns:
        Warnings.

    Raises:
        ScanRefused: It is a mosaic, a phase image or another kind that the model did not learn.
    """
    warnings: list[str] = []
    sop_class = uid(frame.top, "SOPClassUID")
    _check_converted(frame, name, despite, warnings)
    refusal = kind_refused(frame, sop_class)
    if refusal is not None:
        _refuse(refusal, name, despite, warnings)
    elif word_without_mosaic(frame, sop_class):
        warnings.append("Image Type says MOSAIC, but nothing else does: read as one slice")
    head = head_stated(frame)
    if head == "no":
        _refuse(Refusal.OTHER_BODY_PART, name, despite, warnings)
    elif head == "unknown":
        warnings.append("the header does not say which part of the body")
    return warnings


def _check_converted(
    frame: Frame, name: str, despite: Collection[str], warnings: list[str]
) -> None:
    """Check what a legacy converted image keeps of its frames, of which the file itself says nothing."""
    for place in frame.converted:
        if has_value(place, "ConversionType") or _SCREENS & set(words(place, "ImageType")):
            _refuse(Refusal.SECONDARY_CAPTURE, name, despite, warnings)
        if not {"MR", ""}.issuperset(words(place, "Modality")):
            _refuse(Refusal.OTHER_MODALITY, name, despite, warnings, "an image of another modality")
        if words(place, "BurnedInAnnotation") == ("YES",):
            _refuse(Refusal.BURNED_IN_TEXT, name, despite, warnings)


def _refuse(
    refusal: Refusal, name: str, despite: Collection[str], warnings: list[str], what: str = ""
) -> None:
    what = what or _WHAT[refusal]
    if refusal in OVERRULABLE and refusal.value in despite:
        warnings.append(f"read although it is {what} ({refusal.value})")
        return
    hint = f"to read it all the same: --despite {refusal.value}" if refusal in OVERRULABLE else ""
    raise ScanRefused(f"{name}: is {what}, {_EXPECTED}", refusal=refusal, hint=hint)
