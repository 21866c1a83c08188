"""How long files stay: images and results of delivered studies, and studies that failed."""

import logging
import shutil
import time
from pathlib import Path

from edge_infer.node.config import Keep
from edge_infer.node.log import reason_of
from edge_infer.node.notes import now, read_note
from edge_infer.node.spool import Round, Spool

__all__ = ["tidy"]

_LOG = logging.getLogger(__name__)

_S_PER_H = 3600.0

#: What nobody wrote to in ``partial`` for so long belongs to a broken association, or was to be removed.
_PARTIAL_S = 600.0

#: Images that are being removed; the name must not be that of a folder of a round.
_GONE = "images.gone"


def tidy(spool: Spool, keep: Keep) -> None:
    """Remove what has been kept long enough."""
    for one in spool.rounds("sent"):
        try:
            _tidy_sent(spool, keep, one)
        except OSError as error:  # one that is harmed holds up no other
            _LOG.error("study %s cannot be tidied: %s", one.key, reason_of(error))
    for one in spool.rounds("failed"):
        if _hours_since(one, "failed_at") >= keep.failed_h:
            _remove(spool, one)
    spool.sweep_partial(older_than=time.time() - _PARTIAL_S)


def _tidy_sent(spool: Spool, keep: Keep, one: Round) -> None:
    hours = _hours_since(one, "sent_at")
    if hours >= max(keep.images_h, keep.results_h):
        _remove(spool, one)
        return
    gone = one.images.with_name(_GONE)
    if gone.is_dir():  # a kill or an error came between
        _clear(one, gone)
    if hours >= keep.images_h and one.images.is_dir() and not gone.is_dir():
        # In one step out of the way: a late image must find all of them or none.
        one.images.rename(gone)
        if _clear(one, gone):
            _LOG.info("study %s: its images were removed", one.key)
    if hours >= keep.results_h and one.out.is_dir():
        _clear(one, one.out)


def _clear(one: Round, folder: Path) -> bool:
    """Remove a folder as far as it can be, and say whether it is gone; the rest is tried again the next time."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_dir():
        return True
    _LOG.error("study %s: some of its files are due and cannot be removed", one.key)
    return False


def _remove(spool: Spool, one: Round) -> None:
    try:
        spool.remove(one)
    except OSError as error:
        _LOG.error("study %s cannot be removed: %s", one.key, reason_of(error))
        return
    _LOG.info("study %s was removed from %s", one.key, one.stage)


def _hours_since(one: Round, field: str) -> float:
    """Return the age by the note; by the folder where the note is lost."""
    since = read_note(one.folder).get(field)
    if not isinstance(since, int | float):
        try:
            since = one.folder.stat().st_mtime
        except OSError:  # moved on meanwhile
            return 0.0
    return (now() - since) / _S_PER_H
