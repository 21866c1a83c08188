"""DICOM files of drawn heads: classic MR series, enhanced multi-frame MR, and what is to be refused.

Everything is drawn; names and dates are canaries, which must appear in no output.
"""

import io
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from edge_infer.scan_slice import ScanFile

__all__ = [
    "AXIAL",
    "CANARIES",
    "CORONAL",
    "ENHANCED_MR",
    "LEGACY_ENHANCED_MR",
    "MR_IMAGE",
    "SAGITTAL",
    "TRANSFER_SYNTAXES",
    "compressed",
    "drawn_volume",
    "enhanced_mr",
    "file_bytes",
    "lut",
    "mosaic",
    "mr_series",
    "mr_slice",
    "scan_file",
    "secondary_capture",
    "three_planes",
    "uid_of",
    "write_files",
]

#: Row direction and column direction as a radiologist sees the plane, DICOM's coordinates.
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
LEGACY_ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.4"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

#: Those that ``compressed`` can write, by a short name.
TRANSFER_SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big-endian": "1.2.840.10008.1.2.2",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg-baseline": "1.2.840.10008.1.2.4.50",
    "jpeg-lossless": "1.2.840.10008.1.2.4.57",
    "jpeg-lossless-sv1": "1.2.840.10008.1.2.4.70",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg-2000": "1.2.840.10008.1.2.4.90",
}

#: What may be shown nowhere, by keyword of the attribute.
CANARIES = {
    "PatientName": "CANARY^NAME",
    "PatientID": "CANARY-ID",
    "PatientBirthDate": "19010203",
    "AccessionNumber": "CANARYACC",
    "StudyID": "CANARYSTUDY",
    "StudyDate": "19020304",
    "StudyTime": "010203",
    "SeriesDescription": "t1 CANARYDESC",
    "StudyDescription": "CANARYSTUDYDESC",
    "ProtocolName": "CANARYPROTOCOL",
    "ReferringPhysicianName": "CANARY^DOCTOR",
    "InstitutionName": "CANARY HOSPITAL",
    "StationName": "CANARYSTATION",
    "OperatorsName": "CANARY^OPERATOR",
    "PatientComments": "CANARY COMMENT",
    "ImageComments": "CANARY IMAGE COMMENT",
}


def drawn_volume(
    *,
    slices: int = 9,
    rows: int = 160,
    columns: int = 136,
    lesion: bool = True,
    largest: int = 1500,
) -> NDArray[np.uint16]:
    """Draw a head: uint16 (slices, rows, columns), axial slices from the feet up, each as a radiologist sees it.

    No two of the head's directions look alike, so that any turn or mirror shows. The end slices hold little of it.
    """
    z, y, x = np.meshgrid(
        *(np.linspace(-1, 1, size) for size in (slices, rows, columns)), indexing="ij"
    )
    z = 0.93 * z
    skull = x**2 / 0.72 + y**2 / 0.85 + z**2
    head = np.zeros(skull.shape)
    head[skull < 0.98] = 0.75
    head[skull < 0.80] = 0.12
    brain = skull < 0.72
    folds = 0.08 * np.sin(17 * x + 3 * z) * np.sin(15 * y)
    head[brain] = (0.45 + folds + 0.08 * y - 0.05 * x)[brain]
    for side in (-1, 1):
        ventricle = ((x - side * 0.16) / 0.09) ** 2 + ((y + 0.1) / 0.33) ** 2 + (z / 0.5) ** 2
        head[ventricle < 1] = 0.2
    nose = (x / 0.1) ** 2 + ((y + 0.93) / 0.09) ** 2 + ((z + 0.2) / 0.4) ** 2
    head[nose < 1] = 0.65
    if lesion:
        tumour = ((x - 0.38) / 0.2) ** 2 + ((y - 0.25) / 0.16) ** 2 + ((z - 0.1) / 0.4) ** 2
        head[tumour < 1] = 0.98
        head[tumour < 0.25] = 0.3
    noise = np.random.default_rng(5).normal(0, 0.012, head.shape)
    return np.rint(np.clip(head + noise, 0, 1) * largest).astype(np.uint16)


def uid_of(*words: object) -> str:
    """Return the same identifier for the same words."""
    return str(pydicom.uid.generate_uid(prefix="2.25.", entropy_srcs=[str(word) for word in words]))


def mr_slice(
    pixels: NDArray[Any],
    *,
    number: int = 1,
    position: Sequence[float] = (0.0, 0.0, 0.0),
    orientation: Sequence[float] | None = AXIAL,
    spacing: Sequence[float] = (1.0, 1.0),
    study: str = "study",
    series: str = "series",
    bits_stored: int = 12,
    sop_class: str = MR_IMAGE,
    canaries: bool = True,
    **attributes: Any,
) -> FileDataset:
    """Return a classic single-frame MR image, explicit little endian.

    Args:
        pixels: (H, W), or (frames, H, W): uint8, int8, uint16 or int16. The type states bits allocated and the sign.
        number: Instance Number.
        position: Image Position (Patient).
        orientation: Image Orientation (Patient); None leaves orientation and position out.
        spacing: Pixel Spacing, between rows and between columns.
        study: Any word; its identifier is made of it.
        series: Likewise.
        bits_stored: At most those of the type.
        sop_class: Of another kind of image.
        canaries: Whether there are a name, dates and free text.
        attributes: By keyword, such as ``WindowCenter=300``; None removes one.
    """
    bits = pixels.dtype.itemsize * 8
    dataset = _empty(sop_class, uid_of(study, series, number))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid_of(study), uid_of(study, series)
    dataset.FrameOfReferenceUID = uid_of(study, "frame")
    for keyword, value in (CANARIES if canaries else {}).items():
        setattr(dataset, keyword, value)
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "NONE"]
    dataset.PatientSex, dataset.BodyPartExamined, dataset.PatientPosition = "", "BRAIN", "HFS"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "GR", "MP", ""
    dataset.MRAcquisitionType, dataset.EchoTrainLength = "3D", 1
    dataset.EchoTime, dataset.RepetitionTime, dataset.FlipAngle = "2.9", "7.1", "9"
    dataset.Manufacturer, dataset.PositionReferenceIndicator = "drawn", ""
    if orientation is not None:
        dataset.ImagePositionPatient = [f"{value:.6g}" for value in position]
        dataset.ImageOrientationPatient = [f"{value:.8g}" for value in orientation]
    dataset.PixelSpacing = [f"{value:.6g}" for value in spacing]
    dataset.SliceThickness = "4"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.BitsAllocated, dataset.BitsStored = bits, min(bits_stored, bits)
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset.add_new("PixelData", "OW" if bits > 8 else "OB", data + b"\0" * (len(data) % 2))
    for keyword, value in attributes.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def mr_series(
    volume: NDArray[Any] | None = None,
    *,
    orientation: Sequence[float] = AXIAL,
    step: float = 4.0,
    origin: Sequence[float] = (-80.0, -80.0, -40.0),
    positions: Iterable[float] | None = None,
    **options: Any,
) -> list[FileDataset]:
    """Return a series of classic slices along the normal of the orientation.

    Args:
        volume: (slices, H, W); a drawn head if None.
        orientation: Of each slice.
        step: mm from slice to slice.
        origin: Position of a slice at 0 mm.
        positions: mm along the normal, one a slice, in place of steps.
        options: As for ``mr_slice``.
    """
    volume = drawn_volume() if volume is None else volume
    normal = np.cross(orientation[:3], orientation[3:])
    along = [step * number for number in range(len(volume))] if positions is None else positions
    return [
        mr_slice(
            pixels,
            number=number,
            orientation=orientation,
            position=np.asarray(origin) + place * normal,
            **options,
        )
        for number, (pixels, place) in enumerate(zip(volume, along, strict=True), start=1)
    ]


def enhanced_mr(
    volume: NDArray[Any] | None = None,
    *,
    orientation: Sequence[float] = AXIAL,
    step: float = 4.0,
    origin: Sequence[float] = (-80.0, -80.0, -40.0),
    spacing: Sequence[float] = (1.0, 1.0),
    windows: Sequence[tuple[float, float]] | None = None,
    rescales: Sequence[tuple[float, float]] | None = None,
    is_shared: bool = False,
    sop_class: str = ENHANCED_MR,
    frame_type: Sequence[str] = ("ORIGINAL", "PRIMARY", "T1", "NONE"),
    **options: Any,
) -> FileDataset:
    """Return an enhanced multi-frame image with functional groups.

    Args:
        volume: (frames, H, W); a drawn head if None.
        orientation: Of each frame.
        step: mm from frame to frame.
        origin: Position of the first frame.
        spacing: Between rows and between columns.
        windows: (centre, width) of each frame.
        rescales: (slope, intercept) of each frame.
        is_shared: The first window and rescale are those of all frames, and stand in the shared groups.
        sop_class: ``LEGACY_ENHANCED_MR`` likewise.
        frame_type: Image Type, also of each frame.
        options: As for ``mr_slice``.
    """
    volume = drawn_volume() if volume is None else volume
    dataset = mr_slice(volume, orientation=None, sop_class=sop_class, series="enhanced", **options)
    del dataset.PixelSpacing, dataset.SliceThickness, dataset.EchoTime, dataset.RepetitionTime
    del dataset.FlipAngle, dataset.ScanningSequence, dataset.SequenceVariant
    dataset.ImageType, dataset.PresentationLUTShape = list(frame_type), "IDENTITY"
    dataset.EchoPulseSequence, dataset.AcquisitionContrast = "GRADIENT", "T1"
    shared = Dataset()
    shared.PlaneOrientationSequence = _item(
        ImageOrientationPatient=[f"{value:.8g}" for value in orientation]
    )
    shared.PixelMeasuresSequence = _item(
        PixelSpacing=[f"{value:.6g}" for value in spacing], SliceThickness=f"{step:g}"
    )
    shared.MREchoSequence = _item(EffectiveEchoTime=2.9)
    shared.MRTimingAndRelatedParametersSequence = _item(RepetitionTime="7.1", FlipAngle="9")
    normal = np.cross(orientation[:3], orientation[3:])
    frames = []
    for number in range(len(volume)):
        frame = Dataset()
        place = np.asarray(origin) + number * step * normal
        frame.PlanePositionSequence = _item(ImagePositionPatient=[f"{v:.6g}" for v in place])
        frame.FrameContentSequence = _item(StackID="1", InStackPositionNumber=number + 1)
        frame.MRImageFrameTypeSequence = _item(FrameType=list(frame_type))
        group = shared if is_shared else frame
        if windows is not None and (number == 0 or not is_shared):
            centre, width = windows[number]
            group.FrameVOILUTSequence = _item(WindowCenter=f"{centre:g}", WindowWidth=f"{width:g}")
        if rescales is not None and (number == 0 or not is_shared):
            slope, intercept = rescales[number]
            group.PixelValueTransformationSequence = _item(
                RescaleSlope=f"{slope:.10g}", RescaleIntercept=f"{intercept:.10g}", RescaleType="US"
            )
        frames.append(frame)
    dataset.SharedFunctionalGroupsSequence = DicomSequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = DicomSequence(frames)
    return dataset


def secondary_capture(pixels: NDArray[np.uint8] | None = None, **attributes: Any) -> FileDataset:
    """Return a secondary capture: grey (H, W) or RGB (H, W, 3), uint8."""
    pixels = (drawn_volume()[4] // 6).astype(np.uint8) if pixels is None else pixels
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    dataset = mr_slice(
        grey, orientation=None, bits_stored=8, series="capture", sop_class=SECONDARY_CAPTURE
    )
    dataset.Modality, dataset.ConversionType, dataset.ImageType = (
        "OT",
        "WSD",
        ["DERIVED", "SECONDARY"],
    )
    del dataset.ScanningSequence, dataset.SequenceVariant, dataset.EchoTime, dataset.RepetitionTime
    if pixels.ndim == 3:
        dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
        dataset.PhotometricInterpretation = "RGB"
        data = pixels.tobytes()
        dataset.PixelData = data + b"\0" * (len(data) % 2)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def mosaic(signs: Iterable[str] = ("word", "count", "matrix")) -> FileDataset:
    """Return 36 tiles of 64 x 64 in one image of 384 x 384, with the signs that are asked for.

    Args:
        signs: ``word`` in Image Type, ``count`` in Siemens' private attribute, ``matrix`` 64 x 64, ``csa`` header.
    """
    tiles = drawn_volume(slices=36, rows=64, columns=64)
    pixels = tiles.reshape(6, 6, 64, 64).swapaxes(1, 2).reshape(384, 384)
    dataset = mr_slice(pixels, series="mosaic", ScanningSequence="EP", EchoTime="30")
    if "word" in signs:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    if "count" in signs:
        dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", 35)
    if "matrix" in signs:
        dataset.AcquisitionMatrix = [64, 0, 0, 64]
    if "csa" in signs:
        dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(
            0x10, "OB", b"SV10"
        )
    return dataset


def three_planes() -> list[FileDataset]:
    """Return a localizer: one slice in each plane, one series."""
    middle = drawn_volume()[4]
    return [
        mr_slice(
            middle,
            number=number,
            orientation=orientation,
            series="localizer",
            ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        )
        for number, orientation in enumerate((AXIAL, CORONAL, SAGITTAL), start=1)
    ]


def lut(entries: Sequence[int], *, first: int, bits: int = 16) -> DicomSequence:
    """Return a sequence for ``ModalityLUTSequence`` or ``VOILUTSequence``: 16-bit entries from a first value on."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "OW", np.asarray(entries, dtype="<u2").tobytes())
    return DicomSequence([item])


def compressed(dataset: FileDataset, transfer_syntax: str) -> FileDataset:
    """Return a copy in another transfer syntax, a key of ``TRANSFER_SYNTAXES`` or an identifier."""
    wanted = UID(TRANSFER_SYNTAXES.get(transfer_syntax, transfer_syntax))
    copy = pydicom.dcmread(io.BytesIO(file_bytes(dataset)))
    if wanted in (
        TRANSFER_SYNTAXES["rle"],
        TRANSFER_SYNTAXES["jpeg-ls"],
        TRANSFER_SYNTAXES["jpeg-2000"],
    ):
        copy.compress(wanted, generate_instance_uid=False)
        return copy
    if wanted.is_encapsulated:
        return _by_gdcm(copy, wanted)
    if wanted == TRANSFER_SYNTAXES["big-endian"]:  # pydicom does not swap the bytes of words
        if copy.BitsAllocated == 16:
            copy.PixelData = _swapped(copy.PixelData)
        for table in (*copy.get("ModalityLUTSequence", ()), *copy.get("VOILUTSequence", ())):
            table.LUTData = _swapped(table.LUTData)
    copy.file_meta.TransferSyntaxUID = wanted
    # How it was read must not decide how it is written.
    return FileDataset("", Dataset(copy), file_meta=copy.file_meta, preamble=b"\0" * 128)


def file_bytes(dataset: FileDataset) -> bytes:
    """Return the content of a Part 10 file."""
    buffer = io.BytesIO()
    syntax = dataset.file_meta.TransferSyntaxUID
    encoding: dict[str, bool] = {}
    if (
        not syntax.is_encapsulated
    ):  # a dataset that was read in one byte order is written in another only when told to
        encoding = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True, **encoding)
    return buffer.getvalue()


def scan_file(content: FileDataset | bytes, name: str = "slice.dcm") -> ScanFile:
    """Return a file of a scan that lies in memory only."""
    data = content if isinstance(content, bytes) else file_bytes(content)
    return ScanFile(name=name, read=lambda: data)


def write_files(
    folder: Path, datasets: Iterable[FileDataset], *, stem: str = "slice"
) -> list[Path]:
    """Write files ``STEM001.dcm`` and so on; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, dataset in enumerate(datasets, start=1):
        path = folder / f"{stem}{number:03d}.dcm"
        path.write_bytes(file_bytes(dataset))
        paths.append(path)
    return paths


def _empty(sop_class: str, instance: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, instance
    return dataset


def _item(**attributes: Any) -> DicomSequence:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return DicomSequence([item])


def _swapped(words: bytes) -> bytes:
    return np.frombuffer(words, dtype="<u2").astype(">u2").tobytes()


def _by_gdcm(dataset: FileDataset, wanted: UID) -> FileDataset:
    """Compress with GDCM, which reads and writes files only."""
    kinds = gdcm.TransferSyntax
    kind = {
        TRANSFER_SYNTAXES["jpeg-baseline"]: kinds.JPEGBaselineProcess1,
        TRANSFER_SYNTAXES["jpeg-lossless"]: kinds.JPEGLosslessProcess14,
        TRANSFER_SYNTAXES["jpeg-lossless-sv1"]: kinds.JPEGLosslessProcess14_1,
    }[str(wanted)]
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.dcm", Path(folder) / "made.dcm"
        given.write_bytes(file_bytes(dataset))
        reader = gdcm.ImageReader()
        reader.SetFileName(str(given))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(kind))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(made))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        coded = pydicom.dcmread(made)
    dataset.PixelData = coded.PixelData
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = wanted
    return dataset
