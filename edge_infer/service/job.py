"""One request's work: lines from a thread to the event loop, and word from there that nobody waits any more."""

import asyncio
import threading
from typing import Any

from edge_infer.answer_lines import AnswerLines, Cancelled
from edge_infer.errors import OutputError
from edge_infer.scan_files import START_BYTES, kind_of
from edge_infer.service.bodies import Body, ByteBudget
from edge_infer.service.events import Ended, Event, Lines, Progress, Told
from edge_infer.service.log import place_of
from edge_infer.service.refusal import ClientGone, Refused
from edge_infer.service.runs import Runs
from edge_infer.unpacked_room import NoRoom, bounded

__all__ = ["Job"]


class Job:
    """Work on one body; everything but ``_work`` is called on the event loop.

    Args:
        lines: What answers.
        body: Released when the work has ended.
        budget: Counts lines that are not sent yet, too.
        view: See ``AnswerLines``.
        wants_progress: Whether there are events ``Progress``.
    """

    def __init__(
        self,
        lines: AnswerLines,
        body: Body,
        budget: ByteBudget,
        *,
        view: bool,
        wants_progress: bool,
    ) -> None:
        self._lines, self._body, self._budget = lines, body, budget
        self._view, self._wants_progress = view, wants_progress
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self._is_cancelled = threading.Event()
        self._unsent = 0
        self._run: Any = None
        self.started_at: float | None = None

    def start(self, runs: Runs) -> None:
        """Take a place; ``Refused`` if there is none."""
        self._run = runs.start(self._work)

    def leave(self) -> None:
        """The client is gone."""
        self._events.put_nowait(ClientGone())
        self.cancel()

    def cancel(self) -> None:
        """Drop the work if it waits, and end it soon if it runs; may be called again."""
        self._is_cancelled.set()
        if self._run is None or self._run.cancel():
            self._body.release()
        self._budget.give(self._unsent)
        self._unsent = 0

    async def next(self, deadline: float) -> Event:
        """Return what comes next.

        Args:
            deadline: On the loop's clock; what is there already is returned also after it.

        Raises:
            ClientGone: The client is.
            Refused: There is no room for the lines.
            TimeoutError: It takes longer.
        """
        if self._events.empty():
            async with asyncio.timeout_at(deadline):
                event = await self._events.get()
        else:
            event = self._events.get_nowait()
        if isinstance(event, Exception):
            raise event
        return event

    @property
    def has_more(self) -> bool:
        """Whether ``next`` returns at once."""
        return not self._events.empty()

    def sent(self, told: Told) -> None:
        """Count a line that is sent."""
        size = min(self._unsent, len(told.text))
        self._unsent -= size
        self._budget.give(size)

    def _arrived(self, event: Event) -> None:
        if isinstance(event, Ended):
            self._body.release()
        if self._is_cancelled.is_set():
            return
        size = sum(len(told.text) for told in event.lines)
        try:
            self._budget.take(size, of=self._unsent + size)
        except Refused as refused:
            self._events.put_nowait(refused)
            self.cancel()
            return
        self._unsent += size
        self._events.put_nowait(event)

    def _work(self) -> None:
        """Answer, on a thread of ``Runs``."""
        ended = Ended()
        try:
            if not self._is_cancelled.is_set():
                self.started_at = self._loop.time()
                with bounded(self._body.unpack):
                    ended = self._answer()
        except Cancelled:
            pass
        except (MemoryError, NoRoom):
            ended = Ended(is_out_of_memory=True)
        except OutputError as error:  # of the audit log; nothing else is written
            ended = Ended(unrecorded=error)
        except BaseException as error:  # a thread's errors are seen by nobody else
            ended = Ended(bug=place_of(error))
        self._tell(ended)

    def _answer(self) -> Ended:
        content = self._body.content
        first: Told | None = None
        count = 0
        progress = self._progress if self._wants_progress else None
        for line in self._lines.of_content(
            content, view=self._view, progress=progress, is_cancelled=self._is_cancelled.is_set
        ):
            told = Told.of(line)
            count += 1
            if count == 1:
                first = told  # whether it is the only one decides the status
                continue
            self._tell(Lines((told,) if first is None else (first, told)))
            first = None
        return Ended(first, is_scan=kind_of(content[:START_BYTES]) is not None)

    def _progress(self, done: int, total: int) -> None:
        self._tell(Progress(done, total))

    def _tell(self, event: Event) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived, event)
        except RuntimeError:  # the loop is closed: the service has stopped without waiting for this
            self._is_cancelled.set()
