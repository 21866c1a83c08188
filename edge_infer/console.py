"""What every command of the project shares: how it ends, and that stdout carries results only."""

import contextlib
import io
import os
import shlex
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

import click

from edge_infer.errors import BrainError, InferenceFailed

__all__ = ["progress_bar", "report_error", "results_stream", "shown_to_user", "typed_command"]

_INTERRUPTED, _BROKEN_PIPE, _TERMINATED = 130, 141, 143

_BETWEEN_LINES_S = 30.0  # of progress in a log

#: Which extra brings a module. Any other missing module is a bug and shows as one.
_EXTRAS = {
    "accelerate": "train",
    "jinja2": "train",
    "matplotlib": "train",
    "onnx": "export",
    "onnxruntime": "cpu",
    "onnxscript": "export",
    "pyarrow": "train",
    "safetensors": "train",
    "sklearn": "train",
    "tensorboard": "train",
    "torch": "train",
    "torchvision": "train",
    "tqdm": "train",
    "transformers": "train",
}


class _Terminated(BaseException):
    """SIGTERM arrived; a BaseException so that no handler of errors swallows it."""


@contextlib.contextmanager
def shown_to_user(*, debug: bool = False) -> Iterator[None]:
    """End a command the way its user expects.

    A ``BrainError`` becomes two lines on stderr and its exit code, a missing extra the command
    that installs it, Ctrl-C 130, SIGTERM 143, a closed pipe silence. Anything else is a bug:
    traceback, 1.

    Args:
        debug: Show the traceback of a ``BrainError`` too.
    """
    try:
        with _sigterm_raises():
            yield
    except BrainError as error:
        _fail(error, debug=debug)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        missing = InferenceFailed(
            f"{error.name} is not installed", hint=f"pip install 'brain-edge[{extra}]'"
        )
        _fail(missing, debug=debug)
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("interrupted", err=True)
        raise SystemExit(_INTERRUPTED) from None
    except _Terminated:
        click.echo("terminated", err=True)
        raise SystemExit(_TERMINATED) from None
    except BrokenPipeError:
        # Python flushes stdout once more at exit; without this it would complain then.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(_BROKEN_PIPE) from None


def report_error(error: BrainError, *, prefix: str = "error") -> None:
    """Print one error to stderr: the message, and below it what to do."""
    click.echo(f"{prefix}: {error.message}", err=True)
    if error.hint:
        click.echo(f"  hint: {error.hint}", err=True)


def typed_command(name: str) -> str:
    """Return the command as typed, absolute paths shortened to their names: reports and bundles travel."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return shlex.join([name, *words])


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr where that is a terminal; yields what is to be told (done, total).

    Elsewhere long work says a line now and then, short work nothing.
    """
    if not sys.stderr.isatty():
        yield _sparse_lines(label)
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show


@contextlib.contextmanager
def results_stream(
    *, encoding: str | None = None, errors: str = "surrogateescape"
) -> Iterator[TextIO]:
    """Yield a stream to stdout for results, while anything else that prints there goes to stderr.

    Native libraries write to the descriptor, so it is the descriptor that is turned over.

    Args:
        encoding: Of the results; by default stdout's own, which the locale decides.
        errors: By default names that are no UTF-8 leave as the bytes they came in.
    """
    stdout = sys.stdout
    stdout.flush()
    try:
        descriptor = stdout.fileno()
    except (OSError, ValueError, io.UnsupportedOperation):
        yield stdout  # captured in memory, as in tests: no descriptor to protect
        return
    private = os.dup(descriptor)
    os.dup2(sys.stderr.fileno(), descriptor)
    try:
        with open(  # noqa: PTH123 -- Path.open takes no descriptor
            os.dup(private), "w", encoding=encoding or stdout.encoding, errors=errors, newline=""
        ) as results:
            yield results
    finally:
        stdout.flush()
        os.dup2(private, descriptor)
        os.close(private)


def _sparse_lines(label: str) -> Callable[[int, int], None]:
    said = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said < _BETWEEN_LINES_S:
            return
        click.echo(f"{label}: {done} of {total} ({done / max(1, total):.0%})", err=True)
        said = time.monotonic()

    return show


def _fail(error: BrainError, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    report_error(error)
    raise SystemExit(error.exit_code) from None


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that temporary files are swept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _raise_terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated
