"""Which images of which study have come, who is still sending, and when a study is complete.

There is no sure sign that a study is complete (pynetdicom#369): it counts as complete when every association that
sent into it has ended well and no image came for a while. One that was broken off, or of which an image was refused
for want of room, keeps its study waiting for another try of the sender, and in the end fails it. A new try is a
later association that ends well and sent into the series that was interrupted. If a later one sent other series of
the study only, it is answered after the longer wait, with a warning. So it is if the end of the node itself cut an
association off: a sender that does not try again has missed nothing.
"""

import contextlib
import filecmp
import itertools
import logging
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from edge_infer.errors import BrainError, CannotWrite
from edge_infer.names import shown_name
from edge_infer.node.config import Complete, Limits
from edge_infer.node.disk import flush_file, flush_folder, link_all
from edge_infer.node.links import Break, Link
from edge_infer.node.log import reason_of
from edge_infer.node.marks import mark_broken, mark_cut, mark_open, remove_marks, take_over_marks
from edge_infer.node.notes import now, read_note, update_note
from edge_infer.node.received import Received, series_of
from edge_infer.node.spool import IMAGES, Round, Spool, Stage

__all__ = ["Arrivals", "Arrived"]

_LOG = logging.getLogger(__name__)

#: So long a study waits that could not be read or moved on, such as for want of room.
_AGAIN_S = 30.0


class Arrived(StrEnum):
    """What became of an image."""

    STORED = "stored"
    """It is on the disk."""
    DUPLICATE = "duplicate"
    """It was there before, with the same content."""
    DIFFERS = "differs"
    """Its UID was there before with other content, such as another transfer syntax; the first is kept."""
    TOO_MANY = "too_many"
    """Its study has as many files as are allowed; not stored."""


@dataclass(slots=True)
class _Incoming:
    last: float  # clock time of the last image, or of the last end of an association
    files: int = 0
    not_before: float = 0.0  # clock time of the next try, after one that failed
    open: set[str] = field(default_factory=set)  # tokens
    links: list[Link] = field(default_factory=list)  # open, or ended well
    broken: dict[str, Break] = field(default_factory=dict)  # by token
    # By token: cut off by the node's own end; or broken off, and a later one sent other series of the study only.
    cut: dict[str, Break] = field(default_factory=dict)


class Arrivals:
    """The studies in ``incoming``; used by the threads of all associations.

    Args:
        spool: Opened.
        complete: When a study is complete.
        limits: How many files a study may have.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        spool: Spool,
        complete: Complete,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spool, self._complete, self._limits, self._clock = spool, complete, limits, clock
        self._lock = threading.Lock()
        self._events = itertools.count(1)  # counts in one step, so no lock is waited for
        self._studies: dict[str, _Incoming] = {}
        self._unread: dict[str, float] = {}  # not recovered yet: clock time of the next try, by key
        self._missed: dict[str, dict[str, Break]] = {}  # refused while unread: by key and token
        self._recover()

    def __len__(self) -> int:
        """How many studies are arriving."""
        return len(self._studies)

    def __contains__(self, key: object) -> bool:
        """Whether a study is arriving."""
        return key in self._studies

    def begin(self) -> Link:
        """An association was accepted."""
        place = next(self._events)
        return Link(token=f"{time.time_ns()}-{place}", began=place, heard=place)

    def hear(self, link: Link) -> None:
        """An image has come whole; nothing is written yet."""
        link.heard = next(self._events)

    def store(self, link: Link, received: Received) -> Arrived:
        """Take an image into its study; when this returns, it is on the disk.

        The file of ``received`` is moved, or removed if the image was there before.

        Raises:
            OSError: The disk is full or broken; the image is not stored.
        """
        flush_file(received.file)
        descriptor = -1
        with self._lock:
            link.sends(received)
            if self._is_unread(received.key):
                self._take_up(received.key)
            former = self._former(received)
            if former is None:
                images = self._add(link, received)
                if images is None:
                    return Arrived.TOO_MANY
                # Opened now, since the study may be complete and move on before the names are flushed.
                descriptor = os.open(images, os.O_RDONLY)
            elif received.key in self._studies:  # a sender that begins anew after a break
                self._seen(link, received.key)
        if former is not None:
            return _compared(former, received.file)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return Arrived.STORED

    def refused(self, link: Link, received: Received) -> None:
        """An image was refused for want of room: the association counts as broken off, however it ends."""
        with self._lock:
            link.sends(received)
            link.refused.add(received.key)
            study = self._studies.get(received.key)
            if study is None and received.key in self._unread:
                self._missed.setdefault(received.key, {})[link.token] = self._break(
                    link, received.key
                )
            if study is not None and link.token not in study.open:
                self._join(
                    study, link, received.key
                )  # first: where there is no room, no mark can be made
                study.last = self._clock()
                mark_open(self._folder(received.key), link.token)

    def end(self, link: Link, *, well: bool) -> None:
        """An association has ended: released, or broken off.

        Raises:
            OSError: It could not be written down in a study; known it is all the same.
            CannotWrite: Likewise.
        """
        failures = []
        with self._lock:
            for key in sorted(link.keys):
                study = self._studies.get(key)
                if study is None or link.token not in study.open:
                    continue
                try:
                    self._end_in(key, study, link, well=well and key not in link.refused)
                except (OSError, CannotWrite) as error:
                    failures.append(error)
        if failures:
            raise failures[0]

    def complete(self) -> list[Round]:
        """Move the studies that are complete on to ``ready``, and those that stayed incomplete to ``failed``.

        One whose folder is harmed is tried again later, and holds up no other.
        """
        moved: list[Round] = []
        with self._lock:
            self._recover_rest()
            for key, study in list(self._studies.items()):
                try:
                    one = self._complete_one(key, study)
                except (OSError, BrainError) as error:
                    study.not_before = self._clock() + _AGAIN_S
                    _LOG.error(
                        "study %s cannot be moved on: %s; it is tried again", key, reason_of(error)
                    )
                else:
                    moved += [] if one is None else [one]
        return moved

    def _complete_one(self, key: str, study: _Incoming) -> Round | None:
        """Move a study on if it is complete."""
        if self._clock() < study.not_before:
            return None
        if study.files and self._is_removed(self._folder(key) / IMAGES):
            self._drop(key, study)
            return None
        quiet = self._clock() - study.last
        is_whole = not (study.broken or study.cut)
        wait = self._complete.quiet_s if is_whole else self._complete.after_abort_s
        if study.open or quiet < wait:
            return None
        if study.files:
            return self._close(key, study)
        shutil.rmtree(self._folder(key), ignore_errors=True)  # its only image could not be written
        del self._studies[key]
        return None

    def _drop(self, key: str, study: _Incoming) -> None:
        """Forget a study whose images somebody has removed; what an open association still sends is a part only.

        Its folder is looked at once more later: what is left is removed then, or taken up if the images are back.
        """
        for link in study.links:
            link.refused.add(key)
        self._missed[key] = {
            link.token: self._break(link, key) for link in study.links if link.token in study.open
        }
        del self._studies[key]
        self._unread[key] = self._clock() + _AGAIN_S
        _LOG.error("study %s is dropped: its images are gone from incoming; send it again", key)

    def _recover(self) -> None:
        for folder in self._spool.incoming.iterdir():
            self._unread[folder.name] = 0.0
        self._recover_rest()

    def _recover_rest(self) -> None:
        """Take up what the last run left, as far as it can be read; try the rest again later."""
        for key in [key for key, until in self._unread.items() if self._clock() >= until]:
            try:
                self._take_up(key)
            except OSError as error:
                self._unread[key] = self._clock() + _AGAIN_S
                _LOG.error(
                    "%s in incoming cannot be read: %s; it is tried again",
                    shown_name(key),
                    reason_of(error),
                )

    def _is_unread(self, key: str) -> bool:
        """Whether there is a study on the disk that this run does not know, such as one that somebody has put back."""
        return key in self._unread or (key not in self._studies and self._folder(key).is_dir())

    def _take_up(self, key: str) -> None:
        """Take up a study that the last run left.

        Raises:
            OSError: It cannot be read now.
        """
        folder = self._folder(key)
        study = self._left(folder)
        self._unread.pop(key, None)
        missed = self._missed.pop(key, {})
        if study is None:
            return
        self._studies[key] = study
        study.broken |= missed
        for token in missed:
            with contextlib.suppress(OSError):  # known it is all the same
                mark_open(folder, token)
                mark_broken(folder, token)

    def _left(self, folder: Path) -> _Incoming | None:
        """Read a study that the last run left; None if there is nothing in it."""
        if self._is_removed(folder) or not stat.S_ISDIR(folder.lstat().st_mode):  # no study
            return None
        images = folder / IMAGES
        files = 0 if self._is_removed(images) else len(list(images.iterdir()))
        if not files:  # killed while it was made: nobody was told Success
            shutil.rmtree(folder, ignore_errors=True)
            return None
        broken, cut = take_over_marks(folder)
        series = _last_series(images)
        study = _Incoming(last=self._clock(), files=files)
        study.broken = dict.fromkeys(broken, Break(0, 0, series))
        study.cut = dict.fromkeys(cut, Break(0, 0, series))
        return study

    def _folder(self, key: str) -> Path:
        return self._spool.incoming / key

    def _is_removed(self, folder: Path) -> bool:
        """Whether a folder in ``incoming`` is not there any more.

        Raises:
            OSError: All of ``incoming`` is away, such as a file system that is mounted anew.
        """
        if not _is_gone(folder):
            return False
        self._spool.incoming.lstat()
        return _is_gone(folder)  # it may have come back with the rest

    def _break(self, link: Link, key: str) -> Break:
        """Return that an association breaks off in a study now."""
        return Break(
            next(self._events), link.heard, link.last_series(key), link.names.get(key, set())
        )

    def _former(self, received: Received) -> Path | None:
        """Return the same image as it came before; rounds that failed do not count, so that they can be sent again."""
        folders = [self._folder(received.key)]
        folders += [
            one.folder for one in self._spool.rounds_of(received.key) if one.stage != "failed"
        ]
        for folder in folders:
            path = folder / IMAGES / received.name
            if path.exists():
                return path
        return None

    def _add(self, link: Link, received: Received) -> Path | None:
        """Move the file into its study and return the folder; None if the study has too many."""
        study = self._studies.get(received.key)
        if study is not None and study.files >= self._limits.max_study_files:
            return None
        if study is None:
            study = self._create(received)
        elif not study.files:  # a full disk may have kept its folder and its marks from being made
            self._create(received)
            for token in study.open:
                mark_open(self._folder(received.key), token)
        self._seen(link, received.key)
        images = self._folder(received.key) / IMAGES
        received.file.rename(images / received.name)
        study.files += 1
        return images

    def _create(self, received: Received) -> _Incoming:
        study = self._studies.setdefault(received.key, _Incoming(last=self._clock()))
        folder = self._folder(received.key)
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)
        update_note(folder, study_instance_uid=received.study_instance_uid, first_image_at=now())
        flush_folder(self._spool.incoming)
        return study

    def _seen(self, link: Link, key: str) -> None:
        study = self._studies[key]
        study.last = self._clock()
        if link.token not in study.open:
            mark_open(self._folder(key), link.token)
            self._join(study, link, key)

    def _join(self, study: _Incoming, link: Link, key: str) -> None:
        study.open.add(link.token)
        study.links.append(link)
        link.keys.add(key)

    def _end_in(self, key: str, study: _Incoming, link: Link, *, well: bool) -> None:
        """Write down the end of an association in one of its studies; known here even if the disk is full."""
        folder = self._folder(key)
        study.last = self._clock()
        study.open.discard(link.token)
        if not well:
            broken = self._break(link, key)
            study.links.remove(link)
            ended = [one for one in study.links if one.token not in study.open]
            if any(broken.is_before(one, key) and broken.is_mended_by(one, key) for one in ended):
                remove_marks(folder, link.token)
            else:
                study.broken[link.token] = broken
                mark_broken(folder, link.token)
            update_note(folder, breaks=read_note(folder).get("breaks", 0) + 1)
            return
        earlier = {token: one for token, one in study.broken.items() if one.is_before(link, key)}
        former = {**study.cut, **earlier}
        mended = [token for token, one in former.items() if one.is_mended_by(link, key)]
        for token, one in former.items():
            study.broken.pop(token, None)
            study.cut.pop(token, None)
            if token not in mended:
                study.cut[token] = one
        for token in earlier.keys() & study.cut.keys():
            mark_cut(folder, token)
        remove_marks(folder, link.token, mended=mended)

    def _close(self, key: str, study: _Incoming) -> Round:
        folder = self._folder(key)
        earlier = [one for one in self._spool.rounds_of(key) if one.images.is_dir()]
        for one in earlier:
            link_all(one.images, folder / IMAGES)
        files = len(list((folder / IMAGES).iterdir()))
        known = self._spool.next_number(key) > 1
        values: dict[str, Any] = {
            "images": files,
            "complete_at": now(),
            "late_images": study.files if known else None,
            # A sender that missed something has had time to send again.
            "was_incomplete": True if study.cut else None,
            # None takes back what was noted before a try that could not move it, if it is whole by now.
            "code": "incomplete" if study.broken else None,
            "failed_at": now() if study.broken else None,
            "message": _INCOMPLETE if study.broken else None,
        }
        update_note(folder, **values)
        flush_folder(folder / IMAGES)
        stage: Stage = "failed" if study.broken else "ready"
        number = self._spool.next_number(key)
        try:
            return self._spool.entered(key, number, stage, folder)
        finally:
            if (
                not folder.exists()
            ):  # it has moved, even if that could not be flushed; else it is tried again
                del self._studies[key]


_INCOMPLETE = (
    "an association broke off, or images were refused for want of room, and no later one ended well"
)


def _is_gone(folder: Path) -> bool:
    """Whether a folder is not there; one that cannot be looked at is."""
    try:
        folder.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _last_series(images: Path) -> str:
    """Return the series of the image that came last, which an association was sending when the node ended."""
    files = [(path.stat().st_mtime_ns, path) for path in images.iterdir()]
    return series_of(max(files)[1])


def _compared(former: Path, file: Path) -> Arrived:
    """Remove a file that came before, and say whether it is the same."""
    try:
        same = filecmp.cmp(former, file, shallow=False)
    except FileNotFoundError:  # the study has moved on meanwhile
        same = True
    file.unlink()
    return Arrived.DUPLICATE if same else Arrived.DIFFERS
