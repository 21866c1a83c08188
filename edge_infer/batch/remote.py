"""What lies at URLs: listed and read by fsspec's file system of their protocol.

Keys and endpoints come from fsspec's settings or the environment, never from the URL, which is written down. What a
file system says of an error may name keys, so it is not repeated.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from edge_infer.batch.locations import base_name
from edge_infer.errors import (
    BrainError,
    DataRefused,
    InputOverLimit,
    MissingDependency,
    UnreadableInput,
)
from edge_infer.names import shown_name

__all__ = ["RemoteEntry", "entries_of_url", "entry_of_url", "read_url", "start_of_url"]

_Result = TypeVar("_Result")

#: What does not change by asking once more; the last ones are what a library says of a name.
_LASTING = (
    *(FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError),
    *(NotImplementedError, TypeError, ValueError),
)
#: So long that a store that is away for a while costs a few rows, and not all those that come meanwhile.
_PAUSES_S = (0.5, 2.0, 8.0, 30.0)
_HINT = "check the URL, the keys and the endpoint in the environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteEntry:
    """What lies at a URL.

    Attributes:
        url: Of a file or a folder.
        is_folder: Otherwise it is a file.
        size_bytes: Of a file; None if unknown.
    """

    url: str
    is_folder: bool
    size_bytes: int | None


def entry_of_url(url: str) -> RemoteEntry:
    """Return what lies at a URL.

    Raises:
        UnreadableInput: Nothing, or it cannot be asked.
        MissingDependency: fsspec, or what it needs for the protocol, is not installed.
        DataRefused: fsspec knows no such protocol.
    """
    with _foreign_errors(url):
        system, path = _system(url)
        found = _again(lambda: system.info(path))
        return _entry(system, found)


def entries_of_url(url: str) -> list[RemoteEntry]:
    """Return what lies in a folder, in order of name.

    Raises:
        UnreadableInput: It is not there, or cannot be listed.
        MissingDependency: As for ``entry_of_url``.
    """
    with _foreign_errors(url):
        system, path = _system(url)
        found = _again(lambda: system.ls(path, detail=True))
        system.invalidate_cache()  # otherwise it keeps the lists of all folders
        entries = [_entry(system, one) for one in found]
    own = url.rstrip("/")  # stores hold an empty object for a folder
    return sorted(
        (one for one in entries if one.url.rstrip("/") != own and base_name(one.url)),
        key=lambda one: one.url,
    )


def start_of_url(entry: RemoteEntry, count: int) -> bytes:
    """Return the first bytes of a file.

    Raises:
        UnreadableInput: It cannot be read.
    """
    if entry.size_bytes == 0:  # a store refuses a range of nothing
        return b""
    with _foreign_errors(entry.url):
        system, path = _system(entry.url)
        return bytes(_again(lambda: system.cat_file(path, start=0, end=count)))[:count]


def read_url(url: str, *, limit: int) -> bytes:
    """Read a whole file.

    Args:
        url: Of a file.
        limit: Bytes.

    Raises:
        UnreadableInput: It is not there; or reading failed, several times unless that would not help.
        InputOverLimit: It is larger than the limit.
        MissingDependency: As for ``entry_of_url``.
    """
    too_large = InputOverLimit(f"{shown_name(url)}: file is larger than {limit // 2**20} MiB")

    def read() -> bytes:
        with system.open(path, "rb") as file:
            size = getattr(file, "size", None)
            if isinstance(size, int) and size > limit:
                raise too_large
            return bytes(file.read(limit + 1))

    with _foreign_errors(url):
        system, path = _system(url)
        data = _again(read)
    if len(data) > limit:
        raise too_large
    return data


def _entry(system: Any, found: dict[str, Any]) -> RemoteEntry:
    size = found.get("size")
    return RemoteEntry(
        url=str(system.unstrip_protocol(found["name"])),
        is_folder=found.get("type") == "directory",
        size_bytes=size if isinstance(size, int) else None,
    )


def _system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system and the path within it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingDependency(
            f"{shown_name(url)}: a URL needs the package fsspec",
            hint="pip install 'brain-edge[scale]'",
        ) from None
    try:
        system, path = url_to_fs(url)
    except ImportError as error:  # its text names the package, and nothing of the URL
        raise MissingDependency(
            f"{shown_name(url)}: the protocol needs a package ({error})",
            hint="install it beside brain-edge[scale], such as s3fs for s3://",
        ) from None
    except ValueError:
        raise DataRefused(
            f"{shown_name(url)}: protocol is not known", hint="see fsspec's list of protocols"
        ) from None
    return system, str(path)


def _again(ask: Callable[[], _Result]) -> _Result:
    """Return what the network gave, asked several times."""
    for pause in _PAUSES_S:
        try:
            return ask()
        except (*_LASTING, MemoryError, BrainError):
            raise
        except Exception:  # of a foreign library; the last one is raised
            time.sleep(pause)
    return ask()


@contextmanager
def _foreign_errors(url: str) -> Iterator[None]:
    """Turn what a file system raises into an error without its text, which may name keys."""
    try:
        yield
    except (BrainError, MemoryError):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UnreadableInput(f"{shown_name(url)}: cannot be read ({reason})", hint=_HINT) from None
