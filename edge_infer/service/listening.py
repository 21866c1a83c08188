"""The socket that the service listens at: on loopback, a unix socket of one user, or an address that was asked for."""

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_infer.errors import CannotWrite, OutputLocked
from edge_infer.lock_file import locked
from edge_infer.names import shown_name

__all__ = ["BACKLOG", "Address", "listening"]

#: How many connections the system keeps until they are accepted.
BACKLOG = 512
#: The shortest limit of a system is macOS's: 104 bytes with the end (sockaddr_un).
_PATH_HINT = (
    "name a path of at most 103 bytes, in a folder that is there and that this user may write"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen.

    Attributes:
        host: An address in numbers, or ``localhost``.
        port: 0 takes a free one.
        unix_socket: In place of both.
        for_group: Whether the unix socket's group may connect, too.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    unix_socket: Path | None = None
    for_group: bool = False

    @property
    def numbers(self) -> str:
        """The address in numbers.

        Raises:
            ValueError: ``host`` is another name.
        """
        return str(ipaddress.ip_address("127.0.0.1" if self.host == "localhost" else self.host))

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return self.unix_socket is not None or ipaddress.ip_address(self.numbers).is_loopback


@contextlib.contextmanager
def listening(address: Address) -> Iterator[socket.socket]:
    """Yield a socket that listens; a unix socket is removed at the end.

    Raises:
        OutputLocked: Another program listens there.
        CannotWrite: The address cannot be used.
    """
    if address.unix_socket is not None:
        with _unix_socket(address.unix_socket, for_group=address.for_group) as bound:
            yield bound
        return
    with _tcp_socket(address) as bound:
        yield bound


@contextlib.contextmanager
def _tcp_socket(address: Address) -> Iterator[socket.socket]:
    numbers = address.numbers
    family = socket.AF_INET6 if ":" in numbers else socket.AF_INET
    shown = f"{numbers} port {address.port}"
    # With the protocol named, asyncio switches Nagle's algorithm off: headers and body of an answer are two writes, and
    # the second would wait 40 ms for the client's delayed acknowledgement of the first.
    kind = (family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with contextlib.closing(socket.socket(*kind)) as bound:
        # On Windows this option would let two programs listen at one port.
        option = socket.SO_REUSEADDR if os.name == "posix" else socket.SO_EXCLUSIVEADDRUSE  # type: ignore[attr-defined]
        bound.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            bound.bind((numbers, address.port))
            bound.listen(BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _in_use(shown, "give --port another") from None
            raise _cannot(shown, error, "name an address of this machine") from None
        yield bound


@contextlib.contextmanager
def _unix_socket(path: Path, *, for_group: bool) -> Iterator[socket.socket]:
    shown = shown_name(path)
    if not path.name:
        raise CannotWrite(f"{shown}: is a folder, expected a path to make", hint=_PATH_HINT)
    with contextlib.ExitStack() as stack:
        try:
            with _umask(0o177):
                stack.enter_context(locked(path.with_name(f".{path.name}.lock"), path))
            _remove_stale(path, shown)
            bound = stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
            # The mode is there from the beginning: nobody else can connect before a chmod.
            with _umask(0o117 if for_group else 0o177):
                bound.bind(str(path))
            stack.callback(_remove_own, path, path.lstat().st_ino)
            bound.listen(BACKLOG)
        except OutputLocked:
            raise _in_use(shown, "name another path") from None
        except OSError as error:
            raise _cannot(shown, error, _PATH_HINT) from None
        yield bound


@contextlib.contextmanager
def _umask(bits: int) -> Iterator[None]:
    former = os.umask(bits)
    try:
        yield
    finally:
        os.umask(former)


def _remove_stale(path: Path, shown: str) -> None:
    """Remove a socket that a killed service left, and nothing else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotWrite(f"{shown}: is there and no socket", hint="name another file")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except TimeoutError:
            pass  # somebody listens, and is busy
    raise _in_use(shown, "name another path")


def _remove_own(path: Path, inode: int) -> None:
    with contextlib.suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()


def _in_use(shown: str, way_out: str) -> OutputLocked:
    return OutputLocked(f"{shown}: another program listens there", hint=f"stop it, or {way_out}")


def _cannot(shown: str, error: OSError, hint: str) -> CannotWrite:
    reason = error.strerror or str(error)
    return CannotWrite(f"{shown}: cannot be listened at ({reason})", hint=hint)
