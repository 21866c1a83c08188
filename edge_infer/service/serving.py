"""The whole life of a service: listen, load, say so, answer, stop in order."""

import gc
import importlib
import logging
import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.audit.log import AuditLog, failures_recorded
from edge_infer.classifier import Classifier
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import MissingDependency
from edge_infer.returned_memory import return_freed_memory
from edge_infer.service.access import Access
from edge_infer.service.guard import Guard
from edge_infer.service.limits import Limits
from edge_infer.service.listening import Address, listening
from edge_infer.service.open_files import within_open_files
from edge_infer.service.private_files import read_token, tls_context
from edge_infer.service.routes import make_routes
from edge_infer.service.state import State
from edge_infer.version import __version__

__all__ = ["Settings", "require_packages", "serve"]

_LOG = logging.getLogger(__name__)
#: How long a thread of Python may keep others waiting (5 ms by default): the loop has to answer probes meanwhile.
_SWITCH_S = 0.001
#: How long work that nobody waits for any more may take to see that.
_LAST_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator chose.

    Attributes:
        address: Where to listen.
        limits: How much, and how long.
        token_file: Holds what clients have to send; None for none.
        tls_files: Certificate and key; None for plain HTTP.
        hosts: Names by which a proxy or clients call it.
        despite: Refusals of DICOM files to overrule.
        with_page: Whether there is a page.
        logs_requests: Whether each request is logged.
        audit: File in which answers are recorded before they are sent; None for none.
    """

    address: Address
    limits: Limits
    token_file: Path | None = None
    tls_files: tuple[Path, Path] | None = None
    hosts: Collection[str] = ()
    despite: Collection[str] = ()
    with_page: bool = True
    logs_requests: bool = False
    audit: Path | None = None


def serve(
    settings: Settings, load: Callable[[], Classifier], on_ready: Callable[[dict[str, Any]], None]
) -> bool:
    """Serve until SIGTERM or Ctrl-C; a second signal ends the process at once.

    Args:
        settings: Checked: beyond this machine with a token.
        load: Gives the classifier, after the address was taken.
        on_ready: Told the address when requests are taken.

    Returns:
        Whether all work has ended. A thread that works on would keep the process from ending.

    Raises:
        OutputLocked: Another program listens there.
        CannotWrite: The address or the audit log cannot be used.
        UnreadableInput: The token or the files of TLS cannot be used.
        BrainError: The bundle cannot be used here.
    """
    from edge_infer.service.server import BoundedServer

    return_freed_memory()
    token = None if settings.token_file is None else read_token(settings.token_file)
    tls = None if settings.tls_files is None else tls_context(*settings.tls_files)
    with listening(settings.address) as bound:
        where = _where(settings, bound.getsockname())
        log = None if settings.audit is None else AuditLog(settings.audit, program="brain-serve")
        with failures_recorded(log):
            classifier = load()
        limits = within_open_files(settings.limits)
        state = State(classifier, limits, despite=settings.despite, log=log)
        access = _access(settings, where, token)
        routes = make_routes(state, with_page=settings.with_page)
        app = Guard(routes, state, access, logs_requests=settings.logs_requests)

        def say_ready() -> None:
            _LOG.info("ready", extra={"fields": {**_facts(settings, state), **where}})
            on_ready({**where, "research_use_only": RESEARCH_USE_ONLY})

        server = BoundedServer(app, state, tls=tls, on_ready=say_ready)
        bound.setblocking(False)
        gc.freeze()  # what is loaded now stays
        former = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        former_hook, threading.excepthook = threading.excepthook, _say_nothing
        try:
            server.run(sockets=[bound])
        finally:
            sys.setswitchinterval(former)
            threading.excepthook = former_hook
            is_done = state.runs.close(within_s=_LAST_S)
            _LOG.info("stopped", extra={"fields": {"all_done": is_done}})
    return is_done


def _say_nothing(_arguments: threading.ExceptHookArgs) -> None:
    """Of threads of libraries, whose errors may hold what a client sent; ours catch everything."""


def require_packages() -> None:
    """Check that the extra is installed.

    Raises:
        MissingDependency: It is not.
    """
    for name in ("starlette", "uvicorn"):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            raise MissingDependency(
                f"{name} is not installed", hint="pip install 'brain-edge[serve]'"
            ) from None


def _where(settings: Settings, name: Any) -> dict[str, Any]:
    scheme = "http" if settings.tls_files is None else "https"
    if settings.address.unix_socket is not None:
        return {"url": f"{scheme}://localhost", "unix_socket": str(settings.address.unix_socket)}
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return {"url": f"{scheme}://{host}:{name[1]}", "unix_socket": None}


def _access(settings: Settings, where: dict[str, Any], token: str | None) -> Access:
    is_unix = settings.address.unix_socket is not None
    hosts = {host.lower() for host in settings.hosts}
    if is_unix:
        hosts.add("localhost")  # what clients of unix sockets send
    else:
        scheme, _, own = where["url"].partition("://")
        port = own.rpartition(":")[2]
        names = ["127.0.0.1", "[::1]", "localhost"] if settings.address.is_local else []
        own_hosts = {own, *(f"{name}:{port}" for name in names)}
        if port == {"http": "80", "https": "443"}[scheme]:  # clients leave the usual port out
            own_hosts |= {host.rpartition(":")[0] for host in own_hosts}
        hosts |= own_hosts
    return Access(
        hosts=hosts,
        any_address=not settings.address.is_local,
        any_host=is_unix and not settings.hosts,
        token=token,
    )


def _facts(settings: Settings, state: State) -> dict[str, Any]:
    return {
        "version": __version__,
        "model": state.facts["model"],
        "workers": settings.limits.workers,
        "connections": state.limits.connections,
        "threads": state.facts["runtime"]["num_threads"],
        "provider": state.facts["runtime"]["provider"],
        "device_choice": state.facts["device_choice"],
        "token": settings.token_file is not None,
        "tls": settings.tls_files is not None,
        "audit": settings.audit is not None,
        "research_use_only": RESEARCH_USE_ONLY,
    }
