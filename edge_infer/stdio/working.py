"""The thread that works: one request after the other, so that each has all cores and memory is bounded."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

from edge_infer.answer_lines import AnswerLines, Cancelled, Line
from edge_infer.audit.log import AuditLog
from edge_infer.classifier import Classifier
from edge_infer.stdio.answers import Answers, HostGone
from edge_infer.stdio.jobs import Job, Jobs

__all__ = ["Worker"]

#: Time limits that hosts use; more of them cost some milliseconds each.
_KEPT = 8


class Worker:
    """Answers what waits, until nothing more comes.

    Args:
        classifier: Loaded.
        jobs: Taken from.
        answers: Said to.
        despite: For requests that do not say.
        timeout_s: For requests that do not say.
        log: Where answers are recorded before they are said; None for nowhere.
    """

    def __init__(
        self,
        classifier: Classifier,
        jobs: Jobs,
        answers: Answers,
        *,
        despite: Collection[str],
        timeout_s: float | None,
        log: AuditLog | None = None,
    ) -> None:
        self._classifier, self._jobs, self._answers = classifier, jobs, answers
        self._despite, self._timeout_s, self._log = despite, timeout_s, log
        self._lines: dict[float | None, AnswerLines] = {}

    def run(self) -> None:
        """Work.

        Raises:
            HostGone: Nothing can be answered.
        """
        while (job := self._jobs.take()) is not None:
            self._answer(job)
            job.content = b""  # while this thread waits, nothing is kept

    def _answer(self, job: Job) -> None:
        identity, count, failure = job.request.id, 0, None
        left_out: list[str] = []
        try:
            for line in self._lines_of(job, left_out.append):
                _check(job)
                self._answers.result(identity, line)
                count += 1
        except HostGone:
            raise
        except Cancelled:
            pass
        except Exception as error:  # of a library, or a bug: the next request is another
            failure = error
        # An id is free before its last line is said: the host may use it again as soon as it reads that.
        self._jobs.remove(job)
        if failure is not None:
            self._answers.failed(identity, failure)
        elif job.end is not None:
            self._answers.ended(identity, job.end)
        else:
            self._answers.done(identity, lines=count, left_out="; ".join(left_out))

    def _lines_of(self, job: Job, left_out: Callable[[str], None]) -> Iterator[Line]:
        _check(job)
        request = job.request
        lines = self._answer_lines(request.timeout_s or self._timeout_s)
        given: dict[str, Any] = {
            "despite": request.despite,
            "view": request.view,
            "progress": partial(self._answers.progress, request.id),
            "is_cancelled": lambda: job.end is not None,
        }
        if request.paths is not None:
            return lines.of_paths(request.paths, left_out=left_out, **given)
        return lines.of_content(job.content, name=request.name, **given)

    def _answer_lines(self, timeout_s: float | None) -> AnswerLines:
        if timeout_s not in self._lines:
            if len(self._lines) >= _KEPT:
                self._lines.clear()
            limited = self._classifier.with_timeout(timeout_s)
            self._lines[timeout_s] = AnswerLines(
                limited, despite=self._despite, timeout_s=timeout_s, log=self._log
            )
        return self._lines[timeout_s]


def _check(job: Job) -> None:
    if job.end is not None:
        raise Cancelled
