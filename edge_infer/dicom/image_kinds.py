"""Which kind of MR image a frame is, by its header: mosaics, phases, maps, projections, localizers.

Words of Image Type are looked at from the third on; the first two say only whether it is original and primary, which
real T1 images need not be.
"""

import re
from collections.abc import Callable

from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import numbers, whole
from edge_infer.dicom.private import private_number
from edge_infer.dicom.storage_classes import ENHANCED_MR
from edge_infer.dicom.tags import GE_IMAGE_TYPE, MOSAIC_COUNT
from edge_infer.dicom.texts import is_said_localizer
from edge_infer.refusals import Refusal

__all__ = ["kind_refused", "word_without_mosaic"]

_MOST_TILES = 4096
_COMPLEX = frozenset({"PHASE", "REAL", "IMAGINARY"})
_PHASE_WORDS = re.compile(r"(P|R|I|PHASE|REAL|IMAG|IMAGINARY)(_[A-Z0-9]+)?|PHASE MAP")
_PROJECTION = re.compile(
    r"PROJECTION IMAGE|(THIN )?M(AX|IN|N)?_?IP.*|CPR|VOLREND.*|VRT|SSD|RENDERING"
)
_REFORMATTED = frozenset({"MPR", "REFORMATTED", "CURVED", "CSMPR", "CSAPARALLEL"})
_MAP = re.compile(
    r"E?ADC.*|FA|TRACE.*|TENSOR.*|ISOTROPIC.*|COLFA|.*[TR][12](_?STAR)? ?MAP|T2?_?STAR MAP|(R|REL)?(CB[FV]|MTT).*|TTP.*"
    r"|TMAX.*|PBP|GBP|PERFUSION.*MAP|B0 ?MAP|FIELD ?MAP|.*_?MAP|SUB|SUBTRACT.*|STDDEV|T ?TEST|ZSCORE|F?MRI ?STAT.*|MASK"
    r"|SPARSE|FAT_?FRACTION|FF|QSM|WASH.*|METABOLITE.*|SPECTRO.*"
)
_LOCALIZER = re.compile(r"LOCALI[SZ]ER.*|LOC|LOCATOR|SCOUT.*|SURVEY|TOPOGRAM")
#: GE's private Image Type: 0 magnitude, 1 phase, 2 real, 3 imaginary.
_GE_COMPLEX = frozenset({1, 2, 3})


def kind_refused(frame: Frame, sop_class: str) -> Refusal | None:
    """Return the kind for which a frame is refused; None if it is an ordinary image."""
    checks: tuple[tuple[Refusal, Callable[[], bool]], ...] = (
        (Refusal.MOSAIC, lambda: _is_mosaic(frame, sop_class)),
        (Refusal.PHASE_IMAGE, lambda: _is_phase(frame)),
        (Refusal.LOCALIZER, lambda: _any(_LOCALIZER, frame) or is_said_localizer(frame)),
        (Refusal.PROJECTION, lambda: _any(_PROJECTION, frame)),
        (Refusal.REFORMATTED, lambda: bool(_REFORMATTED & set(frame.image_type[2:]))),
        (Refusal.DERIVED_MAP, lambda: _any(_MAP, frame)),
    )
    return next((refusal for refusal, is_one in checks if is_one()), None)


def word_without_mosaic(frame: Frame, sop_class: str) -> bool:
    """Whether Image Type says MOSAIC, though nothing else does: no proof, as Siemens leaves the word in other files."""
    return "MOSAIC" in frame.image_type and not _is_mosaic(frame, sop_class)


def _any(pattern: re.Pattern[str], frame: Frame) -> bool:
    return any(pattern.fullmatch(word) for word in frame.image_type[2:])


def _is_mosaic(frame: Frame, sop_class: str) -> bool:
    """Whether many slices lie side by side.

    The word alone is no proof (rordenlab/dcm2niix#553), and archives strip the private attributes (#364), so that they
    cannot be asked for.
    """
    if sop_class == ENHANCED_MR:
        return False  # frames take the place of tiles; a legacy converted one may hold mosaics
    if _tiles(frame) > 1:
        return True
    if "MOSAIC" not in frame.image_type:
        return False
    matrix = [side for side in _matrix(frame) if side > 0]
    columns = whole(frame.top, "Columns") or 0
    is_many_times_larger = bool(matrix) and columns >= 3 * max(matrix)
    return is_many_times_larger or "EP" in frame.words("ScanningSequence")


def _matrix(frame: Frame) -> tuple[float, ...]:
    place = frame.place_of("AcquisitionMatrix")
    return (numbers(place, "AcquisitionMatrix", 4) if place is not None else None) or ()


def _tiles(frame: Frame) -> int:
    count = private_number(frame, "SIEMENS MR HEADER", *MOSAIC_COUNT) or 0
    return count if 0 < count <= _MOST_TILES else 0


def _is_phase(frame: Frame) -> bool:
    component = frame.words("ComplexImageComponent", within="MRImageFrameTypeSequence")
    return (
        bool(_COMPLEX & set(component))
        or any(_PHASE_WORDS.fullmatch(word) for word in frame.image_type[2:])
        or private_number(frame, "GEMS_PARM_01", *GE_IMAGE_TYPE) in _GE_COMPLEX
    )
