"""The structured report: a Comprehensive 3D SR after TID 1500, as IHE AI Results asks for qualitative findings."""

import re
from collections.abc import Iterable

from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import Comprehensive3DSRStorage

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.series.result import SeriesResult
from edge_infer.structured.algorithm import Algorithm
from edge_infer.structured.codes import Code, CodeScheme, dcm
from edge_infer.structured.document import finished, started
from edge_infer.structured.groups import series_group, slice_group
from edge_infer.structured.items import MODIFIER, code, container, text
from edge_infer.structured.origin import Origin, origin_of
from edge_infer.structured.references import series_item
from edge_infer.structured.selection import select_slices
from edge_infer.structured.source import Source
from edge_infer.structured.uids import as_is

__all__ = ["build_report"]

_OFFSET = 91
_BRAIN_MRI = Code("24590-2", "LN", "Brain MRI")
_ENGLISH = Code("en", "RFC5646", "English")
_DESCRIPTION = "brain-edge report, UNVERIFIED, research use only"


def build_report(
    result: SeriesResult, source: Source, algorithm: Algorithm, *, codes: CodeScheme = "ncit"
) -> FileDataset:
    """Return the report about a series, ready to be sent or written.

    Args:
        result: Of a series that was read from DICOM.
        source: Its files, as ``read_source`` found them.
        algorithm: Which algorithm gave the result.
        codes: Those of the tumour classes: ``ncit`` or ``sct``.
    """
    origin = origin_of(result, source, algorithm, codes)
    dataset = started(
        origin,
        Comprehensive3DSRStorage,
        kind="report",
        modality="SR",
        number=1,
        offset=_OFFSET,
        description=_DESCRIPTION,
    )
    dataset.CompletionFlag, dataset.PreliminaryFlag = "COMPLETE", "PRELIMINARY"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PerformedProcedureCodeSequence = Sequence([])
    dataset.ReferencedPerformedProcedureStepSequence = Sequence([])
    dataset.CurrentRequestedProcedureEvidenceSequence = Sequence([_evidence(source)])
    dataset.update(_content(result, origin, codes))
    return finished(dataset, origin)


def _content(result: SeriesResult, origin: Origin, codes: CodeScheme) -> Dataset:
    chosen = select_slices(result)
    warnings = list(_warnings(result))
    groups = [
        series_group(result, chosen.words, origin, codes, warnings),
        *(slice_group(answer, origin, codes) for answer in chosen.slices),
    ]
    language = dcm("121049", "Language of Content Item and Descendants")
    return container(
        dcm("126000", "Imaging Measurement Report"),
        [
            code(language, _ENGLISH, relation=MODIFIER),
            *origin.algorithm.observer(),
            code(dcm("121058", "Procedure reported"), _BRAIN_MRI, relation=MODIFIER),
            text(dcm("121106", "Comment"), f"UNVERIFIED. {RESEARCH_USE_ONLY}"),
            container(dcm("126010", "Imaging Measurements"), groups),
        ],
        tid="1500",
        relation="",
    )


def _evidence(source: Source) -> Dataset:
    study = Dataset()
    study.add(as_is("StudyInstanceUID", source.study_uid))
    study.ReferencedSeriesSequence = Sequence([series_item(source.references, source.series_uid)])
    return study


def _warnings(result: SeriesResult) -> Iterable[str]:
    """Yield each warning once, without the names of files: those may hold a patient's."""
    names = {answer.slice.name for answer in result.slices}
    names |= {answer.slice.file.name for answer in result.slices}
    hidden = re.compile(
        "|".join(map(re.escape, sorted(names - {""}, key=len, reverse=True))) or "(?!)"
    )
    for warning in dict.fromkeys(result.warnings):
        yield hidden.sub("(file)", warning)
