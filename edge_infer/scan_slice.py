"""A slice of a scan: the file it is in, how it lies in the patient, what its header says, and how to read its pixels.

The readers (``edge_infer.dicom``, ``edge_infer.nifti``) make these; what uses them need not know the format. Nothing
here holds a name, a date, or free text of a header: only what may be shown and written down.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from edge_infer.image_file import SourceImage, read_file

__all__ = ["Acquisition", "Geometry", "Identity", "Plane", "ScanFile", "ScanSlice", "ShownSlice"]

Plane = Literal["axial", "coronal", "sagittal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFile:
    """A file of a scan, on the disk or within an archive.

    Attributes:
        name: The path as given; of a member of an archive, ``ARCHIVE!MEMBER``.
        read: Returns the whole content.
        path: None within an archive.
    """

    name: str
    read: Callable[[], bytes] = field(repr=False)
    path: Path | None = None

    @classmethod
    def at(cls, path: Path, *, limit: int) -> Self:
        """Return a file of the disk.

        Args:
            path: Need not exist until it is read.
            limit: Bytes; reading a larger file raises ``InputOverLimit``.
        """
        return cls(name=str(path), read=lambda: read_file(path, limit=limit), path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a DICOM slice is called, PS3.3 C.7.1 to C.7.3 and C.12.1: unique identifiers, no names.

    Attributes:
        study_instance_uid: Empty where the file has none; likewise the others.
        series_instance_uid: Of its series.
        sop_instance_uid: Of its file.
        sop_class_uid: What kind of object the file is.
        frame_number: From 1, in a multi-frame file; None in a file of a single frame.
        patient: Tells patients apart, and nothing else: a digest of Patient ID and name with a key of this process.
            Never shown nor written.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    frame_number: int | None = None
    patient: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How a slice lies in the patient, DICOM's coordinates: x to the left, y to the back, z to the head, in mm.

    Attributes:
        plane: The nearest one.
        tilt_degrees: How far the slice is from it, 0..55.
        normal: (x, y, z), of length 1: row direction x column direction, turned so that its largest part is positive.
        position_mm: Of the first pixel, along ``normal``. Slices of one series are ordered by it.
        shown: How the stored pixels were turned to be seen as a radiologist sees them, in words; ``as stored`` if not.
        spacing_mm: Between rows and between columns, as shown; None if unknown.
    """

    plane: Plane
    tilt_degrees: float
    normal: tuple[float, float, float]
    position_mm: float
    shown: str
    spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """What a header says about how a slice was made; each may be missing.

    Attributes:
        modality: Such as ``MR``; empty if unknown.
        image_type: Values of Image Type, in capitals.
        scanning_sequence: Such as ``GR``, ``SE``, ``EP``, ``IR``.
        sequence_variant: Such as ``MP``, ``SP``, ``SK``.
        echo_time_ms: TE.
        repetition_time_ms: TR.
        inversion_time_ms: TI.
        flip_angle_degrees: Of the excitation.
        described_as: Which sequences and kinds of contrast the free text names, out of a fixed list such as ``t1``,
            ``t2``, ``flair``, ``dwi``, ``contrast``. The text itself is kept nowhere: it may hold a name.
        contrast_agent: Whether the header names an agent. Where it does not, there may have been one all the same.
        acquisition_contrast: DICOM's Acquisition Contrast, such as ``T1`` or ``FLUID_ATTENUATED``; empty if unknown.
        shows_vessels: Whether the header says that it is an angiography: Angio Flag, time of flight, phase contrast.
    """

    modality: str = ""
    image_type: tuple[str, ...] = ()
    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    flip_angle_degrees: float | None = None
    described_as: frozenset[str] = frozenset()
    contrast_agent: bool = False
    acquisition_contrast: str = ""
    shows_vessels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSlice:
    """The pixels of a slice, as a radiologist sees them.

    Attributes:
        source: 8-bit grey, turned, with the digest of the file.
        grey: By which rule stored values became grey, in words.
        warnings: What to know about it; often empty.
    """

    source: SourceImage
    grey: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSlice:
    """One slice; its pixels are read only when they are asked for.

    Attributes:
        name: As shown in results: that of the file, with ``#7`` behind it for the seventh slice of a file of several.
        file: Where it is.
        identity: None where the format has no identifiers, as NIfTI.
        geometry: None where the file does not say how it lies.
        acquisition: What the header says.
        read: Reads and shows it. Raises ``InputError`` if the pixels are damaged, refused or over a limit.
        warnings: What to know before it is read, such as a refusal that was overruled.
        size: (rows, columns) as stored; None if that is known only when it is read. A stack has one size.
        sha256: Of its file; empty if unknown. Copies of a slice are told by it.
        device: Kind of scanner, in words of a fixed list; empty if unknown.
    """

    name: str
    file: ScanFile
    identity: Identity | None
    geometry: Geometry | None
    acquisition: Acquisition
    read: Callable[[], ShownSlice] = field(repr=False)
    warnings: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    sha256: str = ""
    device: str = ""
