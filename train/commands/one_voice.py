"""Of several processes that train together, the first speaks; the others are silent, but for an error of their own."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

__all__ = ["hushed", "own_errors_shown", "refuse_several"]


def hushed() -> Callable[[], None]:
    """Silence stdout and stderr of this process, unless it is the first or alone, native libraries included.

    Returns:
        What lets it speak on stderr again.
    """
    if not _are_several() or os.environ["RANK"] == "0":
        return lambda: None
    spoken = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)

    def speak() -> None:
        sys.stderr.flush()
        os.dup2(spoken, 2)

    return speak


@contextmanager
def own_errors_shown() -> Iterator[None]:
    """Let a silent process speak if it fails by itself, and not because another one has ended, or a signal came."""
    from edge_infer.errors import ProcessLost

    try:
        yield
    except ProcessLost:
        raise
    except Exception:
        speak = click.get_current_context().obj
        if speak is not None:  # a command that is called by itself was never silent
            speak()
        raise


def refuse_several(command: str | None) -> None:
    """Refuse several processes for a command that is not shared by them.

    Raises:
        click.UsageError: It would do the same work in each.
    """
    if command != "run" and _are_several():
        raise click.UsageError(
            f"{command} is not shared by several processes; start it without torchrun."
        )


def _are_several() -> bool:
    """Whether torchrun has started this process and others (``train.processes``, which would import torch)."""
    started = {"RANK", "LOCAL_RANK", "WORLD_SIZE"} <= set(os.environ)
    return started and int(os.environ["WORLD_SIZE"]) > 1
