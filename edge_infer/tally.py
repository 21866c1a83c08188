"""What became of the images of a run: the line that ends it, and its exit status."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_infer.errors import EXIT_ABSTAINED, EXIT_BATCH_WITH_FAILURES, BrainError, ScanRefused
from edge_infer.names import counted

if TYPE_CHECKING:
    from edge_infer.classifier import Outcome

__all__ = ["Tally"]


@dataclass(slots=True, kw_only=True)
class Tally:
    """Numbers of images, and of slices of scans.

    Attributes:
        accepted: Answers that are accepted.
        abstained: Answers that are not.
        failed: Images without an answer, and files of scans that are damaged or cannot be read.
        undrawn: Answers whose heatmap could not be written.
        unwritten: Series whose DICOM objects could not be written.
        skipped: End slices, which are not asked.
        refused: Files of scans that are intact and not for the model.
        findings: How many series have which finding, in words.
        series_abstained: Series of several slices that abstain.
    """

    accepted: int = 0
    abstained: int = 0
    failed: int = 0
    undrawn: int = 0
    unwritten: int = 0
    skipped: int = 0
    refused: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    series_abstained: int = 0

    @property
    def answered(self) -> int:
        """How many images and slices have an answer."""
        return self.accepted + self.abstained

    def add(self, outcome: "Outcome") -> None:
        """Count one image, or a slice that was asked."""
        if outcome.prediction is None:
            self.failed += 1
        elif outcome.prediction.is_accepted:
            self.accepted += 1
        else:
            self.abstained += 1

    def add_refused(self, error: BrainError) -> None:
        """Count a file of a scan that gives no slice."""
        if isinstance(error, ScanRefused):
            self.refused += 1
        else:
            self.failed += 1

    def add_series(self, finding: str, *, abstains: bool) -> None:
        """Count a series, beside its slices.

        Args:
            finding: In words.
            abstains: Whether that is an answer that is not accepted.
        """
        self.findings[finding] += 1
        self.series_abstained += abstains

    @property
    def line(self) -> str:
        """The summary, for people."""
        without = f", {self.undrawn} without their heatmap" if self.undrawn else ""
        line = (
            f"{self.answered} of {self.answered + self.failed} classified, {self.failed} failed{without}: "
            f"{self.accepted} accepted, {self.abstained} abstained"
        )
        more = []
        if self.skipped:
            more.append(f"{counted(self.skipped, 'end slice')} not asked")
        if self.refused:
            more.append(f"{counted(self.refused, 'file')} refused")
        if self.unwritten:
            more.append(f"{self.unwritten} series without their DICOM results")
        if self.findings:
            named = ", ".join(f"{count} {name}" for name, count in sorted(self.findings.items()))
            more.append(f"{self.findings.total()} series: {named}")
        return "; ".join([line, *more])

    def exit_status(self, *, fail_on_abstain: bool) -> int:
        """Return 0 if nothing is amiss; failures come before answers that are not accepted.

        Files that were refused are no failure beside others that have answers: a study holds surveys and reports.
        """
        nothing_answered = self.refused and not self.answered
        if self.failed or self.undrawn or self.unwritten or nothing_answered:
            return EXIT_BATCH_WITH_FAILURES
        has_abstained = self.abstained or self.series_abstained
        return EXIT_ABSTAINED if fail_on_abstain and has_abstained else 0
