"""What became of the images of a run: the line that ends it, and its exit status."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_infer.errors import EXIT_ABSTAINED, EXIT_BATCH_WITH_FAILURES

if TYPE_CHECKING:
    from edge_infer.classifier import Outcome

__all__ = ["Tally"]


@dataclass(slots=True, kw_only=True)
class Tally:
    """Numbers of images.

    Attributes:
        accepted: Answers that are accepted.
        abstained: Answers that are not.
        failed: Images without an answer.
        undrawn: Answers whose heatmap could not be written.
    """

    accepted: int = 0
    abstained: int = 0
    failed: int = 0
    undrawn: int = 0

    def add(self, outcome: "Outcome") -> None:
        """Count one image."""
        if outcome.prediction is None:
            self.failed += 1
        elif outcome.prediction.is_accepted:
            self.accepted += 1
        else:
            self.abstained += 1

    @property
    def line(self) -> str:
        """The summary, for people."""
        answered = self.accepted + self.abstained
        without = f", {self.undrawn} without their heatmap" if self.undrawn else ""
        return (
            f"{answered} of {answered + self.failed} classified, {self.failed} failed{without}: "
            f"{self.accepted} accepted, {self.abstained} abstained"
        )

    def exit_status(self, *, fail_on_abstain: bool) -> int:
        """Return 0 if nothing is amiss; failures come before answers that are not accepted."""
        if self.failed or self.undrawn:
            return EXIT_BATCH_WITH_FAILURES
        return EXIT_ABSTAINED if fail_on_abstain and self.abstained else 0
