"""Read the bytes of any open file: from ``open``, ``io.BytesIO``, a member of a ZIP, a socket, standard input."""

from typing import Any, Protocol, runtime_checkable

from edge_infer.errors import UnreadableInput
from edge_infer.image_limits import MAX_FILE_BYTES

__all__ = ["BinaryFile", "read_binary"]

_CHUNK_BYTES = 2**20  # some kinds of file allocate as much memory as is asked for


@runtime_checkable
class BinaryFile(Protocol):
    """Anything whose ``read(size)`` returns up to that many bytes, and none at the end."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; any other type is refused."""


def read_binary(file: BinaryFile, name: str) -> bytes:
    """Read from the current position to the end, or to one byte over the limit; leave the file open.

    Args:
        file: Open for reading, in binary mode, blocking.
        name: For messages.

    Raises:
        UnreadableInput: Reading failed.
        TypeError: The file returns something other than bytes, as in text mode.
        ValueError: The file is closed.
    """
    chunks: list[bytes] = []
    missing = MAX_FILE_BYTES + 1
    while missing > 0 and (chunk := _read(file, min(_CHUNK_BYTES, missing), name)):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


def _read(file: BinaryFile, size: int, name: str) -> bytes:
    try:
        chunk: Any = file.read(size)  # its type may be wrong
    except UnicodeDecodeError as error:
        raise _not_binary("text mode") from error
    except OSError as error:
        raise _unreadable(name, error.strerror or type(error).__name__) from error
    except (TypeError, ValueError):  # another signature, or closed
        raise
    except Exception as error:  # zlib.error, BadZipFile, EOFError, ...; their texts may name files
        raise _unreadable(name, type(error).__name__) from error
    if not isinstance(chunk, bytes):
        raise _not_binary(f"read() returned {type(chunk).__name__}")
    return chunk


def _unreadable(name: str, reason: str) -> UnreadableInput:
    return UnreadableInput(
        f"{name}: cannot be read ({reason})", hint="check what the open file reads from"
    )


def _not_binary(found: str) -> TypeError:
    return TypeError(
        f"open file returns no bytes ({found}), expected binary mode, as in open(path, 'rb'), and blocking"
    )
