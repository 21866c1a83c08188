"""A lock below the output's ``work`` folder: of a driver, a shard or a partition."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge_infer.errors import CannotWrite
from edge_infer.lock_file import locked
from edge_infer.names import shown_name

__all__ = ["WORK", "held"]

#: Folder within the output for journals and locks; gone when the run is finished.
WORK = "work"

#: So often the folder may go before the lock in it is held.
_SWEPT = 3


@contextmanager
def held(output: Path, name: str) -> Iterator[None]:
    """Hold a lock; it ends with its process.

    Args:
        output: Of the run.
        name: Of who holds it, such as ``driver``.

    Raises:
        OutputLocked: Another living process holds it.
        CannotWrite: It cannot be made.
    """
    path = output / WORK / f".{name}.lock"
    with ExitStack() as stack:
        try:
            _hold(stack, path, output)
        except OSError as error:
            raise CannotWrite(
                f"{shown_name(path)}: cannot be written ({error.strerror or error})",
                hint="check that the folder is writable, has space left, and is on a file system with locks",
            ) from error
        yield


def _hold(stack: ExitStack, path: Path, output: Path) -> None:
    """Take the lock, several times if its folder goes meanwhile: the shard that ends last removes it.

    Raises:
        OutputLocked: As ``held``.
        OSError: It cannot be made.
    """
    for is_last in (*[False] * _SWEPT, True):
        try:
            path.parent.mkdir(
                exist_ok=True
            )  # FileExistsError: it went while mkdir looked at what is there
            stack.enter_context(locked(path, output))
            return
        except (FileNotFoundError, FileExistsError):
            if is_last:
                raise
