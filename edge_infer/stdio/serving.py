"""The whole life of a worker: load, say so, listen and work, and end with a status that says why."""

import threading
from collections.abc import Callable, Collection

from edge_infer.audit.log import AuditLog
from edge_infer.classifier import Classifier
from edge_infer.errors import HostOutOfStep
from edge_infer.private_streams import private_streams
from edge_infer.returned_memory import return_freed_memory
from edge_infer.stdio.answers import Answers, HostGone
from edge_infer.stdio.framing import Input
from edge_infer.stdio.jobs import Jobs
from edge_infer.stdio.listening import Listener
from edge_infer.stdio.protocol import MAX_CONTENT_BYTES, MAX_LINE_BYTES, MAX_REQUESTS
from edge_infer.stdio.working import Worker

__all__ = ["serve"]

#: How long work may go on after a signal.
_GRACE_S = 5.0
#: On Windows, Ctrl-C is seen between two waits only.
_WAIT_S = 1.0


def serve(
    load: Callable[[], Classifier],
    *,
    despite: Collection[str] = (),
    timeout_s: float | None = None,
    open_log: Callable[[], AuditLog | None] = lambda: None,
) -> None:
    """Serve the host on the other side of standard input and output until it has no more to say.

    All requests that were accepted are answered first. After a signal, what still waits is refused.

    Args:
        load: Called once, when nothing can print any more.
        despite: For requests that do not say: values of ``edge_infer.refusals.OVERRULABLE``.
        timeout_s: Seconds for one image, for requests that do not say.
        open_log: Gives the log where answers are recorded before they are said; called once, after ``load``.

    Raises:
        BrainError: The bundle or the log cannot be used; the host was told.
        HostOutOfStep: Nobody could tell any more where a request begins, or host and worker share no version.
        BrokenPipeError: The host does not listen any more.
        CannotWrite: The host cannot be answered.
    """
    return_freed_memory()
    with private_streams() as (requests, answers_to):
        answers = Answers(answers_to)
        try:
            _serve(load, requests, answers, despite, timeout_s, open_log)
        except HostGone as gone:
            raise gone.error from None


def _serve(
    load: Callable[[], Classifier],
    requests: int,
    answers: Answers,
    despite: Collection[str],
    timeout_s: float | None,
    open_log: Callable[[], AuditLog | None] = lambda: None,
) -> None:
    try:
        classifier = load()
        log = open_log()
        answers.ready(classifier)
        jobs = Jobs(most=MAX_REQUESTS, most_bytes=MAX_CONTENT_BYTES)
        listener = Listener(Input(requests, max_line_bytes=MAX_LINE_BYTES), jobs, answers)
        worker = Worker(classifier, jobs, answers, despite=despite, timeout_s=timeout_s, log=log)
        _Threads(listener, worker, jobs).wait()
    except HostGone:
        raise
    except Exception as error:  # of the bundle; later, a bug
        answers.fatal(error)
        raise
    if listener.lost is not None:
        answers.lost(listener.lost, HostOutOfStep.exit_code)
        raise HostOutOfStep(listener.lost.message, hint=listener.lost.hint)
    if listener.shutdown_id is not None:
        answers.done(listener.shutdown_id)


class _Threads:
    """The two threads; they end with the process if they do not end before."""

    def __init__(self, listener: Listener, worker: Worker, jobs: Jobs) -> None:
        self._listener, self._worker, self._jobs = listener, worker, jobs
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        for name, run in (("listener", self._listen), ("worker", self._work)):
            threading.Thread(
                target=self._guarded, args=(run,), name=f"brain-edge-{name}", daemon=True
            ).start()

    def wait(self) -> None:
        """Wait until all is answered.

        Raises:
            HostGone: Nothing can be answered.
            BaseException: What a signal raises, after what waits was refused and what runs has ended.
        """
        try:
            while not self._ended.wait(_WAIT_S):
                pass
        except BaseException:  # SIGTERM, Ctrl-C
            self._jobs.stop()
            self._ended.wait(_GRACE_S)
            raise
        if self._failure is not None:
            raise self._failure

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:  # raised again by the thread that waits
            self._failure = error
            self._ended.set()

    def _listen(self) -> None:
        self._listener.run()
        self._jobs.close()

    def _work(self) -> None:
        self._worker.run()
        self._ended.set()
