"""What all requests share."""

from collections.abc import Collection

from edge_infer.answer_lines import AnswerLines, bundle_facts
from edge_infer.audit.log import AuditLog
from edge_infer.classifier import Classifier
from edge_infer.service.bodies import Bodies, ByteBudget
from edge_infer.service.limits import Limits
from edge_infer.service.metrics import Metrics
from edge_infer.service.runs import Runs
from edge_infer.version import __version__

__all__ = ["State"]


class State:
    """The model, the runs, the bytes and the numbers of a service.

    Args:
        classifier: Loaded, so it has given its known answers.
        limits: Of the service.
        despite: Refusals of DICOM files to overrule.
        log: Where answers are recorded before they are sent; None for nowhere.
    """

    def __init__(
        self,
        classifier: Classifier,
        limits: Limits,
        *,
        despite: Collection[str] = (),
        log: AuditLog | None = None,
    ) -> None:
        self.limits = limits
        # Without a time limit of its own: it would leave threads behind that read on, beside the runs.
        self.lines = AnswerLines(classifier, despite=despite, log=log)
        facts = bundle_facts(classifier)
        self.facts = {**facts, "limits": {**facts["limits"], "body_bytes": limits.body_bytes}}
        self.runs = Runs(limits)
        self.budget = ByteBudget(limits.total_bytes)
        self.bodies = Bodies(limits, self.budget)
        model = classifier.model
        self.metrics = Metrics(
            {
                "version": __version__,
                "model": model.name,
                "precision": model.precision,
                "manifest_sha256": model.manifest_sha256,
            }
        )
        self.connections = 0
        self.is_stopping = False

    def stop(self) -> None:
        """Take no more requests on new connections, and give bodies that are on their way a short time."""
        self.is_stopping = True
        self.bodies.hurry()

    def metrics_text(self) -> str:
        """Return the page of the metrics."""
        return self.metrics.text(
            {
                "running": self.runs.running,
                "waiting": self.runs.waiting,
                "connections": self.connections,
                "held_bytes": self.budget.held,
                "ready": int(not self.is_stopping),
            }
        )
