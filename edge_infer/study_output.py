"""A study's results as ``brain-infer`` gives them: text, JSON lines or CSV, contact sheets, DICOM objects, errors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from edge_infer.audit.entries import digest_of, error_entry
from edge_infer.audit.log import AuditLog
from edge_infer.classifier import Classifier, Outcome
from edge_infer.console import progress_bar, report_error, say
from edge_infer.errors import BrainError, MissingDependency, ScanRefused
from edge_infer.names import shown_name
from edge_infer.report import Context, ScanFields, csv_row, json_line
from edge_infer.results import Results
from edge_infer.series.classify import classify_series
from edge_infer.series.contact_sheet import ContactSheet
from edge_infer.series.lines import outcome_of, scan_fields, series_line, source_of
from edge_infer.series.result import SeriesResult, SliceState
from edge_infer.series.sheet_files import SheetFiles
from edge_infer.series.study import Study
from edge_infer.series.text import finding_name, finding_words, series_block, taken_for
from edge_infer.series.wrapping import USUAL_WIDTH
from edge_infer.study_run import Codes, write_dicom
from edge_infer.tally import Tally

__all__ = ["Form", "StudyOutput"]

Form = Literal["text", "json", "csv"]

#: Of so many errors of one kind each is said; of more, the first.
_SAID = 3


@dataclass(kw_only=True)
class StudyOutput:
    """Answers the series of a study and gives out what comes.

    Attributes:
        classifier: Answers.
        form: Of the results.
        results: Where they go.
        context: Of ``context_of``.
        tally: Counts.
        is_batch: Whether an error of one file leaves the others their answers; else it is raised.
        sheets: Contact sheets; None for none.
        dicom_out: Folder of DICOM objects; None for none.
        codes: Of the tumours in these objects.
        timeout_s: Seconds that reading a slice may take.
        log: Where answers and refusals are recorded before they are given out; None for nowhere.
        bar: What bars of the text are made of.
        width: Characters of a line of the text.
    """

    classifier: Classifier
    form: Form
    results: Results
    context: Context
    tally: Tally
    is_batch: bool
    sheets: SheetFiles | None = None
    dicom_out: Path | None = None
    codes: Codes = "ncit"
    timeout_s: float | None = None
    log: AuditLog | None = None
    bar: str = "█"
    width: int = USUAL_WIDTH
    _are_several: bool = field(default=False, repr=False)
    _first_error: BrainError | None = field(default=None, repr=False)

    def run(self, study: Study) -> None:
        """Answer all series.

        Raises:
            BrainError: Not a batch, and there is no answer at all, or something that was asked for is not written.
            MissingDependency: Nothing can be read without a package that is not installed.
        """
        self._refused(study)
        self._are_several = len(study.series) > 1
        for series in study.series:
            is_drawn = self.sheets is not None or self.dicom_out is not None
            sheet = ContactSheet(len(series.slices)) if is_drawn else None
            label = f"series {series.number} of {len(study.series)}"
            with progress_bar(label) as progress:
                result = classify_series(
                    self.classifier,
                    series,
                    progress=progress,
                    shown=None if sheet is None else sheet.add,
                    timeout_s=self.timeout_s,
                )
            self._write(result)
            self._count(result)
            if sheet is not None:
                self._keep(result, sheet.draw(result))
        if self._first_error is not None and not self.is_batch and not self.tally.answered:
            raise self._first_error

    def _refused(self, study: Study) -> None:
        if self.log is not None:
            self.log.write(
                error_entry(one.error, "file", digest_of(one.name)) for one in study.refused
            )
        for refused in study.refused:
            outcome = Outcome(source=refused.name, error=refused.error)
            self._line(outcome, None)
            self.tally.add_refused(refused.error)
        errors = [refused.error for refused in study.refused]
        first = errors[0] if errors else None
        if first is None:
            return
        is_lacking = all(isinstance(error, MissingDependency) for error in errors)
        if not study.series and ((is_lacking and not self.tally.answered) or not self.is_batch):
            if len(errors) > 1:
                _report(errors[1:])
            raise first
        _report(errors)

    def _write(self, result: SeriesResult) -> None:
        """Give out the results of a series."""
        if self.log is not None:
            self.log.add(result)
        for answer in result.slices:
            scan = scan_fields(answer, result)
            if self.form == "csv":  # which has no line for the series
                reasons = " ".join(reason.value for reason in result.reasons)
                scan = {**scan, "series_finding": result.finding, "series_reasons": reasons}
            self._line(outcome_of(answer), scan)
        if self.form == "json":
            self.results.write(series_line(result, self.context) + "\n")
        elif self.form == "text":
            self.results.write(series_block(result, bar=self.bar, width=self.width) + "\n\n")
        else:
            say(f"series {result.number}, {shown_name(source_of(result))}: {taken_for(result)}")
            say(f"  {finding_words(result)}")
            for warning in result.warnings:
                say(f"  note: {shown_name(warning)}")
        self.results.flush()

    def _line(self, outcome: Outcome, scan: ScanFields | None) -> None:
        if self.form == "json":
            self.results.write(json_line(outcome, self.context, scan) + "\n")
        elif self.form == "csv":
            labels = self.classifier.bundle.labels
            self.results.write(csv_row(outcome, labels, self.context, scan))

    def _count(self, result: SeriesResult) -> None:
        for answer in result.slices:
            if answer.state is SliceState.END_SLICE:
                self.tally.skipped += 1
            else:
                self.tally.add(outcome_of(answer))
        # A slice alone cannot make a series: its own answer counts.
        abstains = result.finding == "abstain" and len(result.slices) > 1
        self.tally.add_series(finding_name(result), abstains=abstains)
        errors = [one.outcome.error for one in result.slices if one.outcome and one.outcome.error]
        if errors:
            self._first_error = self._first_error or errors[0]
            is_raised = not self.is_batch and not self.tally.answered
            _report(errors[1:] if is_raised else errors)

    def _keep(self, result: SeriesResult, sheet: Image.Image) -> None:
        """Write contact sheet and DICOM objects."""
        if self.sheets is not None:
            try:
                self.sheets.write(result, sheet)
            except BrainError as error:
                self.tally.undrawn += 1
                self._failed(error)
        if self.dicom_out is not None:
            try:
                write_dicom(self.classifier, result, self.dicom_out, sheet=sheet, codes=self.codes)
            except BrainError as error:
                self.tally.unwritten += 1
                self._failed(error)

    def _failed(self, error: BrainError) -> None:
        if not self.is_batch and not self._are_several:
            raise error
        report_error(error)


def _report(errors: Sequence[BrainError]) -> None:
    """Say what failed; of many errors of one kind the first, and how many more there are."""
    kinds: dict[object, list[BrainError]] = {}
    for error in errors:
        kinds.setdefault((error.code, _kind(error)), []).append(error)
    for members in kinds.values():
        shown = members if len(members) <= _SAID else members[:1]
        for error in shown:
            report_error(error, prefix="refused" if isinstance(error, ScanRefused) else "error")
        if len(shown) < len(members):
            say(f"  and {len(members) - len(shown)} more of this kind")


def _kind(error: BrainError) -> str:
    return error.refusal.value if isinstance(error, ScanRefused) else ""
