"""The rows of a study: what is not read; then, of each series, its slices in order of position, and the series."""

import io
import zipfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from edge_infer.batch.answer_rows import refused_row, series_row, slice_row
from edge_infer.batch.facts_aside import FactsAside
from edge_infer.batch.locations import is_url
from edge_infer.batch.remote import read_url
from edge_infer.batch.row import Row
from edge_infer.batch.sorting import require_reader
from edge_infer.batch.units import Unit
from edge_infer.errors import InputOverLimit, MissingDependency
from edge_infer.inputs import first_bytes
from edge_infer.names import shown_name
from edge_infer.reading_time import read_within
from edge_infer.scan_files import MAX_SCAN_BYTES, kind_of
from edge_infer.series.result import Refused, SliceState
from edge_infer.series.study import Series, Study, open_content, open_study
from edge_infer.study_run import run_series

__all__ = ["study_rows"]


def study_rows(
    asked: FactsAside, unit: Unit, *, despite: Collection[str], timeout_s: float | None
) -> Iterator[Row]:
    """Yield the rows of a study.

    Args:
        asked: Answers.
        unit: The study; at a URL, it is read into memory, up to 512 MiB.
        despite: Refusals to overrule.
        timeout_s: Seconds that reading a slice may take; reading headers, so many for each file. Opening an archive
            has no limit.

    Raises:
        InputError: Nothing of it can be read.
        MissingDependency: A package that reads such scans is not installed here.
    """
    study = _opened(unit, despite, timeout_s)
    _require_readers(study)
    for refused in _told(study):
        yield refused_row(unit, refused)
    for series in study.series:
        yield from _series_rows(asked, unit, series, timeout_s)


def _told(study: Study) -> Sequence[Refused]:
    """Return what is not read, without the archives within the archive, which its listing counts as left out.

    If there is nothing else, they are why the study has no answer.
    """
    others = [one for one in study.refused if not one.is_archive]
    return others if others or study.series else study.refused


def _series_rows(
    asked: FactsAside, unit: Unit, series: Series, timeout_s: float | None
) -> Iterator[Row]:
    asked.take()
    result = run_series(asked.classifier, series, timeout_s=timeout_s)
    kept = iter(asked.take())
    for answer in result.slices:
        is_answered = answer.state is SliceState.CLASSIFIED
        yield slice_row(unit, answer, result, next(kept) if is_answered else None)
    yield series_row(unit, result)


def _opened(unit: Unit, despite: Collection[str], timeout_s: float | None) -> Study:
    limit = None if timeout_s is None else timeout_s * max(1, len(unit.members))
    if is_url(unit.source):
        content = read_within(limit, lambda: _content(unit), unit.source)
        return open_content(content, name=unit.source, despite=despite)
    if limit is not None and not unit.members:
        start = read_within(limit, lambda: first_bytes(Path(unit.source)), unit.source)
        limit = None if kind_of(start) == "zip" else limit
    return read_within(
        limit, lambda: open_study(unit.members or unit.source, despite=despite), unit.source
    )


def _content(unit: Unit) -> bytes:
    """Return a study at a URL: a file as it is, several as an archive that is nowhere but here."""
    if not unit.members:
        return read_url(unit.source, limit=MAX_SCAN_BYTES)
    left = MAX_SCAN_BYTES
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for url in unit.members:
            content = read_url(url, limit=MAX_SCAN_BYTES)
            left -= len(content)
            if left < 0:
                raise InputOverLimit(
                    f"{shown_name(unit.source)}: study is larger than {MAX_SCAN_BYTES // 2**20} MiB, "
                    "which is the most that is read from a URL",
                    hint="copy it to a disk, and give the folder",
                )
            name = url.removeprefix(f"{unit.source}/")
            archive.writestr(name.encode(errors="backslashreplace").decode(), content)
    return whole.getvalue()


def _require_readers(study: Study) -> None:
    """Check that what is lacking here is no whole reader: then every study would fail, and stay so."""
    for refused in study.refused:
        if isinstance(refused.error, MissingDependency):
            for kind in ("dicom", "nifti"):
                require_reader(kind, refused.name)
