"""How long files stay: images and results of delivered studies, and studies that failed."""

import logging
import shutil
import time

from edge_infer.node.config import Keep
from edge_infer.node.notes import now, read_note
from edge_infer.node.spool import Round, Spool

__all__ = ["tidy"]

_LOG = logging.getLogger(__name__)

_S_PER_H = 3600.0

#: A file in ``partial`` that nobody wrote to for so long belongs to a broken association.
_PARTIAL_S = 600.0


def tidy(spool: Spool, keep: Keep) -> None:
    """Remove what has been kept long enough."""
    for one in spool.rounds("sent"):
        hours = _hours_since(one, "sent_at")
        if hours >= max(keep.images_h, keep.results_h):
            _remove(spool, one)
        elif hours >= keep.images_h and one.images.is_dir():
            # In one step out of the way: a late image must find all of them or none.
            gone = one.images.with_name("images.gone")
            one.images.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
            _LOG.info("study %s: its images were removed", one.key)
        elif hours >= keep.results_h and one.out.is_dir():
            shutil.rmtree(one.out, ignore_errors=True)
    for one in spool.rounds("failed"):
        if _hours_since(one, "failed_at") >= keep.failed_h:
            _remove(spool, one)
    spool.sweep_partial(older_than=time.time() - _PARTIAL_S)


def _remove(spool: Spool, one: Round) -> None:
    try:
        spool.remove(one)
    except OSError as error:
        _LOG.error("study %s cannot be removed: %s", one.key, error.strerror)
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
