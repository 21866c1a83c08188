"""Results go to the destination: from ``results`` to ``sent``, with patience where it is down."""

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge_infer.errors import CannotWrite
from edge_infer.node.config import Destination, NodeConfig
from edge_infer.node.disk import sha256_of
from edge_infer.node.log import reason_of
from edge_infer.node.notes import now, read_note, update_note
from edge_infer.node.sending import DamagedResult, RefusedByDestination, Unreachable, send
from edge_infer.node.spool import Round, Spool
from edge_infer.node.turns import Turns

__all__ = ["Backoff", "Delivering"]

_LOG = logging.getLogger(__name__)

_PAUSE_S = 0.3

#: So often an object may be refused, or be found damaged, until its study is given up; to be missed does not count.
_MAX_REFUSALS = 5

_S_PER_H = 3600.0


class Backoff:
    """Longer and longer waits: the first, doubled each time, up to the longest."""

    def __init__(
        self, destination: Destination, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first, self._most = destination.retry_first_s, destination.retry_most_s
        self._clock = clock
        self._fails, self._until = 0, 0.0

    @property
    def fails(self) -> int:
        """How many tries in a row have failed."""
        return self._fails

    @property
    def left_s(self) -> float:
        """Seconds until the next try."""
        return max(0.0, self._until - self._clock())

    def failed(self) -> float:
        """A try has failed; return the seconds until the next."""
        wait = min(self._most, self._first * 2.0 ** min(self._fails, 30))
        self._fails += 1
        self._until = self._clock() + wait
        return wait

    def worked(self) -> None:
        """A try has worked."""
        self._fails, self._until = 0, 0.0


class Delivering:
    """Works in a thread of its own from ``start`` until ``stop``."""

    def __init__(self, config: NodeConfig, spool: Spool) -> None:
        self._config, self._spool = config, spool
        self._stop, self._wake = threading.Event(), threading.Event()
        self._turns = Turns("answered_at")
        self._all = Backoff(config.destination)
        self._each: dict[str, Backoff] = {}
        self._refusals: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="delivering")
        self.problem = ""
        self.sent = 0

    def start(self) -> None:
        """Start."""
        self._thread.start()

    def wake(self) -> None:
        """Results have come: look at once."""
        self._wake.set()

    def stop(self) -> None:
        """Stop after the object that is being sent."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    @property
    def retry_in_s(self) -> float:
        """Seconds until the destination is tried again; 0 if it is not waited for."""
        return self._all.left_s

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                is_done = self._deliver_one()
            except OSError as error:  # of the disk
                wait = self._all.failed()
                _LOG.error(
                    "results wait: the spool cannot be read: %s; next try in %.0f s",
                    reason_of(error),
                    wait,
                )
                is_done = False
            if not is_done:
                self._wake.wait(_PAUSE_S)

    def _deliver_one(self) -> bool:
        """Deliver one round; return whether to go on at once."""
        waiting = self._turns.in_order(self._spool.rounds("results"))
        names = {one.name for one in waiting}
        self._each = {name: wait for name, wait in self._each.items() if name in names}
        self._refusals = Counter({name: n for name, n in self._refusals.items() if name in names})
        due = self._due(waiting)
        for one in due:
            if self._guarded(one, self._is_too_old):
                return True
        if self._all.left_s or not due:
            return False
        return self._guarded(due[0], self._deliver)

    def _due(self, waiting: Sequence[Round]) -> list[Round]:
        """Return the rounds without those that are put off, and without later rounds of the same studies."""
        due: list[Round] = []
        blocked: set[str] = set()
        for one in waiting:
            own = self._each.get(one.name)
            if own is not None and own.left_s:
                blocked.add(one.key)  # a later round of the study goes after it
            elif one.key not in blocked:
                due.append(one)
        return due

    def _guarded(self, one: Round, work: Callable[[Round], bool]) -> bool:
        """Work on a round; whatever a harmed one brings about puts off this one, and no other."""
        try:
            return work(one)
        except Exception as error:  # such as of the disk
            self._put_off(
                one, f"its results cannot be read or moved: {reason_of(error)}", logging.ERROR
            )
            return True

    def _deliver(self, one: Round) -> bool:
        try:
            files = _results(one)
            send(self._config, files, one.name)
        except Unreachable as error:
            wait = self._all.failed()
            self.problem = str(error)
            _LOG.warning("results wait: %s; next try in %.0f s", error, wait)
            return False
        except RefusedByDestination as error:
            self._all.worked()
            why = f"the destination refuses its results: {error}"
            self._refused(one, "refused_by_destination", why)
            return True
        except DamagedResult as error:
            # Its answer is lost: without the time of it, a retry by hand makes it anew from the images.
            self._refused(one, "damaged_result", str(error), answered_at=None)
            return True
        self._all.worked()
        self.problem = ""
        self.sent += 1
        with contextlib.suppress(CannotWrite):  # a full disk must not make it send again
            update_note(one.folder, sent_at=now(), problem=None)
        self._spool.move(one, "sent")
        _LOG.info("study %s delivered: %d objects", one.key, len(files))
        return True

    def _refused(self, one: Round, code: str, why: str, **values: Any) -> None:
        """Try a round again later, or give it up if that was tried often enough."""
        self._refusals[one.name] += 1
        if self._refusals[one.name] >= _MAX_REFUSALS:
            self._give_up(one, code, why, **values)
        else:
            self._put_off(one, why)

    def _put_off(self, one: Round, why: str, level: int = logging.WARNING) -> None:
        """Let a round wait, with those of the same study that come after it; the others go on."""
        wait = self._each.setdefault(one.name, Backoff(self._config.destination)).failed()
        _LOG.log(level, "study %s: %s; next try in %.0f s", one.key, why, wait)
        with contextlib.suppress(OSError, CannotWrite):  # said in the log
            update_note(one.folder, problem=why)

    def _is_too_old(self, one: Round) -> bool:
        note = read_note(one.folder)
        answered = note.get("answered_at", now())
        if now() - answered < self._config.destination.give_up_h * _S_PER_H:
            return False
        why = self.problem or note.get("problem") or "the destination was not reached in time"
        self._give_up(one, "not_delivered", why)
        return True

    def _give_up(self, one: Round, code: str, message: str, **values: Any) -> None:
        update_note(one.folder, code=code, message=message, failed_at=now(), **values)
        self._spool.move(one, "failed")
        _LOG.error("study %s FAILED, %s: %s", one.key, code, message)


def _results(one: Round) -> list[Path]:
    """Return what is to be delivered of a round.

    Raises:
        DamagedResult: Something of it is not there any more, or is not what was written.
        OSError: A file cannot be read now.
    """
    note = read_note(one.folder)
    files = one.results()
    wanted = max(1, note.get("objects", 0))
    if len(files) < wanted:
        raise DamagedResult(f"only {len(files)} of its {wanted} results are left in the spool")
    digests = note.get("sha256")  # not in a note of an earlier version
    # A reader of DICOM does not see that a report lacks its end, and a folder takes whatever is copied into it.
    if digests is not None and sha256_of(files) != digests:
        raise DamagedResult("a result in the spool is not what was written")
    return files
