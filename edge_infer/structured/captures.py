"""Secondary captures: images for systems that show no structured report, with the notice burnt in."""

from collections.abc import Iterable

from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import SecondaryCaptureImageStorage

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.series.result import SeriesResult
from edge_infer.structured.algorithm import Algorithm
from edge_infer.structured.codes import CodeScheme, dcm
from edge_infer.structured.document import finished, started
from edge_infer.structured.drawings import Drawing, drawings_of
from edge_infer.structured.items import code_item
from edge_infer.structured.notice import with_notice
from edge_infer.structured.origin import Origin, origin_of
from edge_infer.structured.references import Reference, references_to
from edge_infer.structured.source import Source, identity_of
from edge_infer.structured.uids import as_is
from edge_infer.structured.words import short_text

__all__ = ["build_captures"]

_OFFSET = 92
_CLASS_ACTIVATION = dcm("130402", "Class activation")
_SOURCE_IMAGE = dcm("121322", "Source image for image processing operation")
_DESCRIPTION = "brain-edge images, UNVERIFIED, research use only"


def build_captures(
    result: SeriesResult,
    source: Source,
    algorithm: Algorithm,
    *,
    drawings: Iterable[Drawing] | None = None,
    codes: CodeScheme = "ncit",
) -> list[FileDataset]:
    """Return one capture for each drawing, ready to be sent or written.

    Args:
        result: Of a series that was read from DICOM.
        source: Its files, as ``read_source`` found them.
        algorithm: Which algorithm gave the result.
        drawings: What to show; by default the slices called a tumour, under their heat maps.
        codes: Of the report that the captures go with.

    Raises:
        InputError: A slice can no longer be read.
    """
    origin = origin_of(result, source, algorithm, codes)
    shown = drawings_of(result) if drawings is None else drawings
    return [_capture(drawing, number, origin) for number, drawing in enumerate(shown, start=1)]


def _capture(drawing: Drawing, number: int, origin: Origin) -> FileDataset:
    dataset = started(
        origin,
        SecondaryCaptureImageStorage,
        kind="captures",
        what=drawing.title,
        modality="OT",
        number=number,
        offset=_OFFSET,
        description=_DESCRIPTION,
    )
    dataset.ConversionType = "DI"
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    dataset.BodyPartExamined = "BRAIN"
    dataset.PatientOrientation = list(drawing.sides) if drawing.sides else ""
    dataset.BurnedInAnnotation = "YES"
    dataset.RecognizableVisualFeatures = "YES"
    dataset.DerivationDescription = (
        f"{short_text(drawing.title)}. Evidence of {origin.algorithm.name} over the image, scaled and with text. "
        f"UNVERIFIED. {RESEARCH_USE_ONLY}"
    )
    dataset.DerivationCodeSequence = Sequence([code_item(_CLASS_ACTIVATION)])
    _refer(dataset, drawing, origin.source)
    _compression(dataset, origin.source)
    _pixels(dataset, drawing, origin.algorithm)
    return finished(dataset, origin)


def _refer(dataset: Dataset, drawing: Drawing, source: Source) -> None:
    references = references_to(identity_of(answer.slice) for answer in drawing.slices)
    if not references:
        return
    dataset.SourceImageSequence = Sequence([_source_image(one) for one in references])
    series = Dataset()
    series.add(as_is("SeriesInstanceUID", source.series_uid))
    series.ReferencedInstanceSequence = Sequence([one.whole().item() for one in references])
    dataset.ReferencedSeriesSequence = Sequence([series])


def _source_image(reference: Reference) -> Dataset:
    item = reference.item()
    item.PurposeOfReferenceCodeSequence = Sequence([code_item(_SOURCE_IMAGE)])
    item.SpatialLocationsPreserved = "NO"
    return item


def _compression(dataset: Dataset, source: Source) -> None:
    """Say whether the pixels were ever compressed with loss; that does not end with decoding."""
    dataset.LossyImageCompression = "01" if source.is_lossy else "00"
    if source.is_lossy and source.lossy_ratio:
        dataset.LossyImageCompressionRatio = source.lossy_ratio


def _pixels(dataset: Dataset, drawing: Drawing, algorithm: Algorithm) -> None:
    image = with_notice(drawing.image, drawing.title, algorithm)
    dataset.Rows, dataset.Columns = image.height, image.width
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    dataset.PlanarConfiguration, dataset.PixelRepresentation = 0, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.add_new("PixelData", "OB", image.tobytes())
