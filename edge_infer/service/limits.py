"""How much the service does at once, how much it takes, and how long it waits."""

from dataclasses import dataclass

from edge_infer.scan_files import MAX_SCAN_BYTES

__all__ = ["DRAIN_BYTES", "Limits"]

#: So much of a body that was refused is read and thrown away. A connection that is closed on unread bytes is reset, and
#: its client may never see why it was refused (RFC 9112, section 9.6).
DRAIN_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the service; times are in seconds.

    Attributes:
        workers: Runs at once, never more.
        queue: Requests that wait for a run.
        body_bytes: Of one request.
        total_bytes: Of all bodies, what they unpack to and unsent answers in memory together.
        connections: Open at once.
        head_s: From the first byte of a request's head to its last.
        body_s: From the end of the head to the last byte of the body.
        answer_s: From the last byte of the body to the end of the work, waiting for a run included.
        stall_s: How long a client may take nothing of an answer that is ready.
        idle_s: How long a connection may be open without a request.
        stop_s: From the signal to the end, at most.
        stop_body_s: How long bodies may still arrive after the signal.
    """

    workers: int
    queue: int = 32
    body_bytes: int = MAX_SCAN_BYTES
    total_bytes: int = 2 * MAX_SCAN_BYTES
    connections: int = 256
    head_s: float = 10.0
    body_s: float = 30.0
    answer_s: float = 120.0
    stall_s: float = 30.0
    idle_s: float = 30.0
    stop_s: float = 30.0
    stop_body_s: float = 3.0
