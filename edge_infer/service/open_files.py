"""How many connections the system lets a process have: each is an open file, and beyond the limit nobody gets in."""

import contextlib
import logging
import sys
from dataclasses import replace
from pathlib import Path

from edge_infer.service.limits import Limits

__all__ = ["within_open_files"]

_LOG = logging.getLogger(__name__)
#: For the event loop, files of the page, and connections that are accepted only to end idle ones, which takes the loop
#: some turns.
_SPARE = 16


def within_open_files(limits: Limits) -> Limits:
    """Return limits whose connections the system allows; one at least.

    The soft limit (RLIMIT_NOFILE) is raised as far as that needs and the hard one allows. What remains too low is said
    in the log. To be called when everything else is open.
    """
    if sys.platform == "win32":  # it has no such limit
        return limits
    import resource

    others = len(list(Path("/dev/fd").iterdir())) + _SPARE
    needed = others + limits.connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return limits
    connections = max(1, soft - others)
    fields = {"wanted": limits.connections, "connections": connections, "open_files": soft}
    _LOG.warning("few_connections", extra={"fields": fields})
    return replace(limits, connections=connections)
