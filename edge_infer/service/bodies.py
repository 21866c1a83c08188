"""The bytes of requests, and what they unpack to: counted as they come, bounded each and all together."""

import asyncio
import io
import threading
from typing import TYPE_CHECKING

from edge_infer.errors import InputOverLimit, TimedOut
from edge_infer.image_limits import MAX_FILE_BYTES
from edge_infer.scan_files import START_BYTES, kind_of
from edge_infer.service.limits import Limits
from edge_infer.service.refusal import ClientGone, Refused, busy, stopping
from edge_infer.unpacked_room import Layer, NoRoom

if TYPE_CHECKING:
    from starlette.types import Receive

__all__ = ["Bodies", "Body", "ByteBudget"]

_MIB = 2**20
#: A body up to this size finds room even where larger ones have used up theirs.
_SMALL = 8 * _MIB
_FOR_LARGE = 0.75


class ByteBudget:
    """How many bytes of clients are in memory; any thread may ask."""

    def __init__(self, total: int) -> None:
        self._total, self.held = total, 0
        self._changing = threading.Lock()

    def most(self, of: int) -> int:
        """Return how many bytes may be held with those of a request or answer of this size."""
        return self._total if of <= _SMALL else int(self._total * _FOR_LARGE)

    def take(self, count: int, *, of: int) -> None:
        """Count bytes that arrived.

        Args:
            count: Bytes.
            of: How many are there with them of this request or answer.

        Raises:
            Refused: There is no room.
        """
        with self._changing:
            if self.held + count > self.most(of):
                raise busy("the service holds as many bytes of requests as it may")
            self.held += count

    def give(self, count: int) -> None:
        """Count bytes that are gone."""
        with self._changing:
            self.held -= count


class Body:
    """A body in memory, until ``release``."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget, self._file = budget, io.BytesIO()
        self._unpacked: dict[Layer, int] = {}
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """Append bytes, or raise ``Refused``."""
        self._budget.take(len(chunk), of=self.size + len(chunk))
        self.size += len(chunk)
        self._file.write(chunk)

    def unpack(self, layer: Layer, count: int, name: str) -> None:
        """Count what a file of the body unpacks to, before it does; the largest of each layer counts until ``release``.

        Args:
            layer: See ``edge_infer.unpacked_room``.
            count: Bytes.
            name: As shown.

        Raises:
            InputOverLimit: There will never be room.
            NoRoom: There is none at the moment.
        """
        more = count - self._unpacked.get(layer, 0)
        if more <= 0:
            return
        whole = self.size + sum(self._unpacked.values()) + more
        most = self._budget.most(whole)
        if whole > most:
            raise InputOverLimit(
                f"{name}: unpacks to {count / _MIB:,.0f} MiB, with the request {whole / _MIB:,.0f} MiB in memory, "
                f"expected at most {most / _MIB:,.0f}",
                hint="send less at once; --max-total-bytes sets the limit",
            )
        try:
            self._budget.take(more, of=whole)
        except Refused:
            raise NoRoom from None
        self._unpacked[layer] = count

    @property
    def start(self) -> bytes:
        """The bytes that tell what it is."""
        return bytes(self._file.getbuffer()[:START_BYTES])

    @property
    def content(self) -> bytes:
        """All of it; not copied."""
        return self._file.getvalue()

    def release(self) -> None:
        """Forget it; may be called again."""
        self._budget.give(self.size + sum(self._unpacked.values()))
        self._file, self.size, self._unpacked = io.BytesIO(), 0, {}


class Bodies:
    """Reads bodies.

    Args:
        limits: Of the service.
        budget: Shared by all requests.
    """

    def __init__(self, limits: Limits, budget: ByteBudget) -> None:
        self._limits, self._budget = limits, budget
        self._deadlines: set[asyncio.Timeout] = set()
        self._is_stopping = False

    def hurry(self) -> None:
        """Give bodies that are on their way a short time more: the service stops."""
        self._is_stopping = True
        latest = asyncio.get_running_loop().time() + self._limits.stop_body_s
        for deadline in self._deadlines:
            deadline.reschedule(min(latest, deadline.when() or latest))

    async def read(self, receive: "Receive", declared: int | None) -> Body:
        """Return a body, to be released by the caller.

        Args:
            receive: Of ASGI.
            declared: Content-Length; None for a body in chunks.

        Raises:
            Refused: It is too large (413) or too slow (408), or there is no room for it (503).
            ClientGone: The client is.
        """
        largest = self._limits.body_bytes
        if declared is not None and declared > largest:
            raise _too_large(largest)
        body = Body(self._budget)
        seconds = self._limits.stop_body_s if self._is_stopping else self._limits.body_s
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                self._deadlines.add(deadline)
                await _fill(body, receive, declared or 0, largest)
        except TimeoutError:
            body.release()
            raise self._too_slow() from None
        except BaseException:
            body.release()
            raise
        finally:
            self._deadlines.discard(deadline)
        return body

    def _too_slow(self) -> Refused:
        if self._is_stopping:
            return stopping()
        seconds = self._limits.body_s
        return Refused(
            408, TimedOut, f"the body did not arrive within {seconds:g} s", hint="send it at once"
        )


async def _fill(body: Body, receive: "Receive", declared: int, largest: int) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if chunk := message.get("body", b""):
            if body.size + len(chunk) > largest:
                raise _too_large(largest)
            body.add(chunk)
            # Only scans may be larger than an image; the first bytes tell which of the two it is.
            expected = max(declared, body.size)
            if expected > MAX_FILE_BYTES and body.size >= START_BYTES and not kind_of(body.start):
                raise _too_large(MAX_FILE_BYTES)
        if not message.get("more_body", False):
            return


def _too_large(largest: int) -> Refused:
    return Refused(
        413,
        InputOverLimit,
        f"the body is larger than {largest / _MIB:g} MiB",
        hint="send a single slice, or a study in parts; --max-bytes sets the limit",
    )
