"""Name, version and limits of the protocol, and how it refuses."""

from edge_infer.scan_files import MAX_SCAN_BYTES

__all__ = [
    "MAX_CONTENT_BYTES",
    "MAX_LINE_BYTES",
    "MAX_REQUESTS",
    "PROTOCOL",
    "VERSIONS",
    "OutOfStep",
    "RequestId",
    "RequestRefused",
]

PROTOCOL = "brain-edge-stdio"
#: A new field or event is no new version, since both sides ignore what they do not know.
VERSIONS = (1,)

MAX_LINE_BYTES = 2**20
#: Of one request, and of all that wait or run.
MAX_CONTENT_BYTES = MAX_SCAN_BYTES
#: That wait or run.
MAX_REQUESTS = 64

RequestId = str | int


class RequestRefused(Exception):
    """A request that is answered by an error, and changes nothing.

    Attributes:
        code: For programs; docs/stdio.md lists them.
        message: What is wrong; holds nothing of a file.
        id: Of the request; None if it has none that can be told.
    """

    def __init__(self, code: str, message: str, identity: RequestId | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.id = code, message, identity


class OutOfStep(Exception):
    """The worker cannot go on listening: nobody can tell where the next line begins, or what it would mean.

    Attributes:
        code: For programs; docs/stdio.md lists them.
        message: Why; holds nothing of a file.
        hint: What to do.
        id: Of the request; None if it has none that can be told.
    """

    def __init__(
        self, code: str, message: str, *, hint: str, identity: RequestId | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.id = code, message, hint, identity
