"""The thread that listens: it answers what can be answered at once, and hands on what has to be worked on."""

from edge_infer.stdio.answers import Answers
from edge_infer.stdio.framing import Input, LineTooLong
from edge_infer.stdio.jobs import Jobs
from edge_infer.stdio.protocol import (
    MAX_CONTENT_BYTES,
    MAX_LINE_BYTES,
    VERSIONS,
    OutOfStep,
    RequestId,
    RequestRefused,
)
from edge_infer.stdio.requests import (
    Cancel,
    Classify,
    Hello,
    Ping,
    Request,
    Shutdown,
    fields_of,
    length_of,
    request_of,
)

__all__ = ["Listener"]


class Listener:
    """Listens until the host has no more to say.

    Attributes:
        lost: Why it stopped before that; None if it did not.
        shutdown_id: Of the request that was the last one; None if there was none.
    """

    def __init__(self, source: Input, jobs: Jobs, answers: Answers) -> None:
        self._source, self._jobs, self._answers = source, jobs, answers
        self.lost: OutOfStep | None = None
        self.shutdown_id: RequestId | None = None

    def run(self) -> None:
        """Listen.

        Raises:
            HostGone: Nothing can be answered.
        """
        try:
            while self._next():
                pass
        except OutOfStep as lost:
            self.lost = lost

    def _next(self) -> bool:
        """Deal with one line; return False if it was the last."""
        try:
            line = self._source.line()
            if line is None:
                return False
            return not line.strip() or self._handle(line)
        except LineTooLong as error:
            message = f"the line is longer than {MAX_LINE_BYTES} bytes"
            if error.announces_content:
                raise OutOfStep("length_lost", message, hint="write shorter lines") from None
            self._refuse(RequestRefused("line_too_long", message))
        except RequestRefused as refusal:
            self._refuse(refusal)
        return True

    def _refuse(self, refusal: RequestRefused) -> None:
        # The error of a request whose id is in use must not seem to end the one that has it.
        identity = None if refusal.id in self._jobs else refusal.id
        self._answers.refused(refusal, identity)

    def _handle(self, line: bytes) -> bool:
        fields = fields_of(line)
        length = length_of(fields)
        try:
            request = request_of(fields)
            if isinstance(request, Classify):
                self._check(request, length or 0)
        except RequestRefused as refusal:
            self._refuse(refusal)  # before its content, which may take long
            self._pass_over(length or 0)
            return True
        if isinstance(request, Classify):
            self._accept(request, length or 0)
            return True
        self._pass_over(length or 0)
        return self._act(request)

    def _check(self, request: Classify, length: int) -> None:
        if length > MAX_CONTENT_BYTES:
            raise RequestRefused(
                "over_limit",
                f"length is {length}, expected at most {MAX_CONTENT_BYTES}: name a path instead",
                request.id,
            )
        self._jobs.check(request.id, length)

    def _accept(self, request: Classify, length: int) -> None:
        try:
            content = self._source.content(length)
        except MemoryError:
            message = f"there is no memory for {length} bytes"
            self._refuse(RequestRefused("over_limit", message, request.id))
            self._pass_over(length)
            return
        if len(content) < length:
            raise _cut_short(request.id)
        self._jobs.add(request, content)

    def _pass_over(self, length: int) -> None:
        if not self._source.pass_over(length):
            raise _cut_short(None)

    def _act(self, request: Request) -> bool:
        if isinstance(request, Ping):
            self._answers.pong(request.id, self._jobs.counts())
        elif isinstance(request, Cancel):
            job = self._jobs.cancel(request.id)
            if job is not None:
                self._answers.ended(request.id, "cancelled")
        elif isinstance(request, Hello):
            self._answers.hello(request.id, self._common_version(request))
        elif isinstance(request, Shutdown):
            self.shutdown_id = request.id
            return False
        return True

    @staticmethod
    def _common_version(request: Hello) -> int:
        common = set(request.versions) & set(VERSIONS)
        if not common:
            message = f"the host speaks versions {list(request.versions)[:20]}, this worker {list(VERSIONS)}"
            hint = "install a brain-edge that speaks the host's version"
            raise OutOfStep("version", message, hint=hint, identity=request.id)
        return max(common)


def _cut_short(identity: RequestId | None) -> OutOfStep:
    return OutOfStep(
        "cut_short",
        "standard input ends within the content of a request",
        hint="write as many bytes as length says",
        identity=identity,
    )
