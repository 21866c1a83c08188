"""What all commands share: --debug and --version, how a command ends, and that stdout carries results only."""

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
from types import FrameType
from typing import Any, NoReturn

import click

from edge_infer.errors import BrainError, CannotWrite
from edge_infer.names import shown_name, shown_text, without_folders
from edge_infer.results import KEEP_NAMES, Results, WholeRecords, mend_standard_streams, silence
from edge_infer.system_errors import as_brain_error
from edge_infer.version import __version__

__all__ = [
    "Command",
    "DefaultGroup",
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

#: Where a context keeps that --debug was given; click shares it between a group and its commands.
_DEBUG = "edge_infer.console.debug"


class _Terminated(BaseException):
    """SIGTERM arrived; a BaseException so that no handler of errors swallows it."""


class _Guarded:
    """What ``Command`` and ``Group`` add to click's: --debug, --version, and errors shown as ``shown_to_user`` says."""

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.params: list[click.Parameter]
        self.params += [_debug_option(), _version_option()]

    def main(self, *args: Any, **extra: Any) -> Any:
        mend_standard_streams()
        return super().main(*args, **extra)  # type: ignore[misc]  # click's

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with shown_to_user():  # --help and --version are printed here
            return super().make_context(*args, **extra)  # type: ignore[misc]

    def invoke(self, context: click.Context) -> Any:
        with shown_to_user(debug=_DEBUG in context.meta):
            return super().invoke(context)  # type: ignore[misc]


class Command(_Guarded, click.Command):
    """A command with --debug and --version that ends as ``shown_to_user`` says."""


class Group(_Guarded, click.Group):
    """A group of such commands; ``--help`` lists them in the order in which they were added."""

    command_class = Command
    group_class: type[click.Group] | type[type] | None = type  # groups within it are of its class

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the names of the commands."""
        return list(self.commands)


class DefaultGroup(Group):
    """A group whose command's name may be left out: words that begin with an option are those of ``default``.

    So ``brain-train --model cvt13`` is ``brain-train run --model cvt13``. The group's own options must be flags: they
    may stand before the command.
    """

    group_class = Group

    def __init__(self, *args: Any, default: str, **extra: Any) -> None:
        super().__init__(*args, subcommand_metavar="[COMMAND] [ARGS]...", **extra)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the default command's name where it was left out."""
        own = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        start = next((place for place, word in enumerate(args) if word not in own), len(args))
        if args[start : start + 1] and args[start].startswith("-"):
            args = [*args[:start], self.default, *args[start:]]
        return super().parse_args(ctx, args)


def _debug_option() -> click.Option:
    def remember(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
        if given:
            context.meta[_DEBUG] = True

    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Show the traceback of an error.",
    )


def _version_option() -> click.Option:
    def show(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
        if given and not context.resilient_parsing:
            click.echo(f"{context.find_root().command.name}, version {__version__}")
            context.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=show,
        help="Show the version and exit.",
    )


class NamedPath(click.Path):
    """A path that is not empty: a shell variable that is not set would otherwise mean the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty name, as a usage error."""
        if not os.fspath(value):
            self.fail("the name is empty (is a variable not set?)", param, ctx)
        return super().convert(value, param, ctx)


class FiniteRange(click.FloatRange):
    """A number within bounds; NaN and infinity are refused, which no comparison keeps out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse NaN and infinity, as a usage error."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


@contextlib.contextmanager
def shown_to_user(*, debug: bool = False) -> Iterator[None]:
    """End a command the way its user expects.

    A ``BrainError`` becomes two lines on stderr and its exit code. What the machine refuses or lacks (a full disk, a
    forbidden folder, no memory, a package that is not installed) becomes the ``BrainError`` that fits
    (``edge_infer.system_errors``). Wrong usage ends with 2, Ctrl-C with 130, SIGTERM with 143, and a closed pipe with
    141 and no message. Anything else is a bug: a traceback and 1.

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
        named = error if isinstance(error, BrainError) else as_brain_error(error)
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
    """Print a line to stderr. If that fails, go on: results do not depend on it."""
    try:
        click.echo(line, err=True)
    except (OSError, ValueError):
        silence(sys.stderr)


def typed_command(name: str) -> str:
    """Return the command as typed, for reports and bundles, which are passed on to others.

    Paths that lead out of the working folder (absolute, or with ``..`` or ``~``) are shortened to their last name.
    """
    return shown_name(shlex.join([name, *map(without_folders, sys.argv[1:])]))


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr if that is a terminal. Yields a function that is called with (done, total).

    In a log, long work prints a line every half minute and short work nothing.
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

    Native libraries write to the file descriptor, so the descriptor itself is redirected.

    Args:
        encoding: Of the results; by default stdout's own, which the locale decides.
        errors: By default names that are not UTF-8 are written as the bytes they were read as, and letters that the
            encoding lacks as escapes.
        must_be_open: Fail if stdout is closed, because results go nowhere else.

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
