"""What every command of the project shares: how it ends, and that stdout carries results only."""

import contextlib
import io
import math
import os
import shlex
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from types import FrameType
from typing import Any, NoReturn

import click

from edge_infer.errors import BrainError, CannotWrite, InferenceFailed
from edge_infer.names import shown_name, shown_text
from edge_infer.results import KEEP_NAMES, Results, WholeRecords, mend_standard_streams, silence
from edge_infer.system_errors import as_brain_error

__all__ = [
    "Command",
    "FiniteRange",
    "Group",
    "NamedPath",
    "progress_bar",
    "report_error",
    "results_stream",
    "say",
    "shown_to_user",
    "typed_command",
]

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


class _Guarded:
    """What ``Command`` and ``Group`` add to click's: streams that are there, and no traceback from --help."""

    def main(self, *args: Any, **extra: Any) -> Any:
        mend_standard_streams()
        return super().main(*args, **extra)  # type: ignore[misc]  # click's

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with shown_to_user():  # --help and --version are printed here
            return super().make_context(*args, **extra)  # type: ignore[misc]

    def invoke(self, context: click.Context) -> Any:
        with shown_to_user():
            return super().invoke(context)  # type: ignore[misc]


class Command(_Guarded, click.Command):
    """A command that ends as ``shown_to_user`` says, its ``--help`` too."""


class Group(_Guarded, click.Group):
    """A group of such commands."""

    command_class = Command


class NamedPath(click.Path):
    """A path that has a name: an empty one, as of a shell's variable that is not set, would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty name, as a usage error."""
        if not os.fspath(value):
            self.fail("the name is empty (is a variable not set?)", param, ctx)
        return super().convert(value, param, ctx)


class FiniteRange(click.FloatRange):
    """A number within bounds; NaN and infinity, which no comparison keeps out, are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is not finite, as a usage error."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


@contextlib.contextmanager
def shown_to_user(*, debug: bool = False) -> Iterator[None]:
    """End a command the way its user expects.

    A ``BrainError`` becomes two lines on stderr and its exit code, what the system refuses (a full disk, a forbidden
    folder, no memory) the one that fits (``edge_infer.system_errors``), a missing extra the command that installs it,
    wrong usage 2, Ctrl-C 130, SIGTERM 143, a closed pipe silence. Anything else is a bug: traceback, 1.

    Args:
        debug: Show the traceback of these errors too.
    """
    try:
        with _sigterm_raises():
            yield
    except click.ClickException as error:
        _show(error)
        raise SystemExit(error.exit_code) from None
    except (KeyboardInterrupt, click.exceptions.Abort):
        say("interrupted")
        raise SystemExit(_INTERRUPTED) from None
    except _Terminated:
        say("terminated")
        raise SystemExit(_TERMINATED) from None
    except BrokenPipeError:
        silence(sys.stdout)
        raise SystemExit(_BROKEN_PIPE) from None
    except (BrainError, ModuleNotFoundError, OSError, UnicodeEncodeError, MemoryError) as error:
        named = _as_brain_error(error)
        if named is None:
            raise
        if isinstance(named, CannotWrite):  # stdout, perhaps: Python would complain at its end
            _flush_or_silence(sys.stdout)
        if debug:
            traceback.print_exception(error)
        report_error(named)
        raise SystemExit(named.exit_code) from None


def report_error(error: BrainError, *, prefix: str = "error") -> None:
    """Print one error to stderr: the message, and below it what to do."""
    say(f"{prefix}: {shown_text(error.message)}")
    if error.hint:
        say(f"  hint: {shown_text(error.hint)}")


def say(line: str) -> None:
    """Print a line to stderr; if nobody can be told, go on: results do not hang on that."""
    try:
        click.echo(line, err=True)
    except (OSError, ValueError):
        silence(sys.stderr)


def typed_command(name: str) -> str:
    """Return the command as typed, for reports and bundles, which travel.

    Paths that lead out of the working folder, absolute ones and those by ``..`` or ``~``, are shortened to their names.
    """
    return shown_name(shlex.join([name, *map(_travelling, sys.argv[1:])]))


def _travelling(word: str) -> str:
    option, equals, value = word.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={_travelling(value)}"
    path = PurePath(word)
    leads_out = path.is_absolute() or ".." in path.parts or word.startswith("~")
    return Path(os.path.abspath(word)).name if leads_out else word  # noqa: PTH100 -- what .. is called, links unread


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
    *, encoding: str | None = None, errors: str = KEEP_NAMES, must_be_open: bool = False
) -> Iterator[Results]:
    """Yield a stream to stdout for results, while anything else that prints there goes to stderr.

    Native libraries write to the descriptor, so it is the descriptor that is turned over.

    Args:
        encoding: Of the results; by default stdout's own, which the locale decides.
        errors: By default names that are no UTF-8 leave as the bytes they came in, and letters that the encoding lacks
            as escapes.
        must_be_open: Results go nowhere else, so without a stdout there is nothing to be done.

    Raises:
        CannotWrite: ``must_be_open`` and stdout is closed.
    """
    stdout = sys.stdout
    try:
        descriptor = stdout.fileno()
    except (OSError, ValueError, io.UnsupportedOperation):
        yield stdout  # captured in memory, as in tests: no descriptor to protect
        return
    if must_be_open and sys.__stdout__ is None:
        raise CannotWrite(
            "standard output is closed: results cannot be written",
            hint="send them to a file or another program",
        )
    stdout.flush()
    private = os.dup(descriptor)
    os.dup2(sys.stderr.fileno(), descriptor)
    try:
        yield WholeRecords(private, encoding=encoding or stdout.encoding, errors=errors)
    finally:
        _flush_or_silence(stdout)
        os.dup2(private, descriptor)
        os.close(private)


def _sparse_lines(label: str) -> Callable[[int, int], None]:
    said = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said < _BETWEEN_LINES_S:
            return
        say(f"{label}: {done} of {total} ({done / max(1, total):.0%})")
        said = time.monotonic()

    return show


def _flush_or_silence(stream: Any) -> None:
    try:
        stream.flush()
    except (OSError, ValueError):
        silence(stream)


def _show(error: click.ClickException) -> None:
    try:
        error.show()
    except OSError:  # nobody can be told
        silence(sys.stderr)


def _as_brain_error(error: Exception) -> BrainError | None:
    if isinstance(error, BrainError):
        return error
    if not isinstance(error, ModuleNotFoundError):
        return as_brain_error(error)
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return None
    return InferenceFailed(
        f"{error.name} is not installed", hint=f"pip install 'brain-edge[{extra}]'"
    )


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
