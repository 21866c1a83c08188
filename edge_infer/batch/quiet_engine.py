"""Whether the engine is there, and how it is kept from talking."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from edge_infer.errors import MissingDependency

__all__ = ["first_line", "quiet_logs", "require_engine"]


def require_engine() -> None:
    """Check that Dask is there.

    Raises:
        MissingDependency: It is not.
    """
    try:
        import distributed  # noqa: F401 -- only whether it is there
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"{error.name} is not installed, which runs workers",
            hint="pip install 'brain-edge[scale]', or give --workers 1, or --shard I/N, which need none",
        ) from error


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Silence Dask's log, which tells of each worker that comes and goes."""
    # Some of Dask's have levels and handlers of their own, so silencing their parent is not enough.
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    loggers = [logging.getLogger(name) for name in (*names, "tornado", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return (str(error).splitlines() or [type(error).__name__])[0]
