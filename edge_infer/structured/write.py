"""The objects of a result, all together: built, and written as files."""

from pathlib import Path

from PIL import Image
from pydicom.dataset import FileDataset

from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name
from edge_infer.series.result import SeriesResult
from edge_infer.structured.algorithm import Algorithm
from edge_infer.structured.captures import build_captures
from edge_infer.structured.codes import CodeScheme
from edge_infer.structured.document import as_file
from edge_infer.structured.drawings import drawings_of
from edge_infer.structured.report import build_report
from edge_infer.structured.source import read_source

__all__ = ["build_results", "write_results"]


def build_results(
    result: SeriesResult,
    algorithm: Algorithm,
    *,
    sheet: Image.Image | None = None,
    codes: CodeScheme = "ncit",
) -> list[FileDataset]:
    """Return the report about a series and the captures beside it.

    Args:
        result: Of a series that was read from DICOM.
        algorithm: Which algorithm gave it: ``algorithm_of(classifier)``.
        sheet: A contact sheet, which becomes the first capture; the slices that speak for a tumour follow.
        codes: Those of the tumour classes: ``ncit`` or ``sct``.

    Raises:
        UnsupportedImage: The series has no DICOM identity, as NIfTI.
        DataRefused: Its files name several patients, studies or series.
        InputError: A file can no longer be read, or is no longer what it was.
    """
    source = read_source(result)
    captures = build_captures(
        result, source, algorithm, drawings=drawings_of(result, sheet), codes=codes
    )
    return [build_report(result, source, algorithm, codes=codes), *captures]


def write_results(
    result: SeriesResult,
    folder: Path,
    *,
    algorithm: Algorithm,
    sheet: Image.Image | None = None,
    codes: CodeScheme = "ncit",
) -> list[Path]:
    """Write the objects of ``build_results`` as files, named by modality and identifier; equal input, equal files.

    Args:
        result: Of a series that was read from DICOM.
        folder: Made if it is not there.
        algorithm: Which algorithm gave it: ``algorithm_of(classifier)``.
        sheet: A contact sheet, which becomes the first capture; the slices that speak for a tumour follow.
        codes: Those of the tumour classes: ``ncit`` or ``sct``.

    Returns:
        The files: the report, then the captures.

    Raises:
        CannotWrite: The folder or a file cannot be written.
        InputError: As ``build_results``.
    """
    built = build_results(result, algorithm, sheet=sheet, codes=codes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(folder)}: cannot be made ({error.strerror or error})",
            hint="name a folder that can be written",
        ) from error
    paths = []
    for dataset in built:
        path = folder / f"{dataset.Modality}.{dataset.SOPInstanceUID}.dcm"
        write_bytes_atomically(path, as_file(dataset))
        paths.append(path)
    return paths
