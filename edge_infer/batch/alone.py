"""A unit that may have ended a process is asked in a process of its own, which somebody watches.

When a process ends in the middle of a unit, nobody knows whether the unit did it, or a person, or the machine. So its
second try is watched: if that process ends, too, while the watcher goes on, it was the unit.
"""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_infer.batch.answer_rows import failed_row, numbered
from edge_infer.batch.loading import BundleSource
from edge_infer.batch.row import Row
from edge_infer.batch.run_file import RunFile
from edge_infer.batch.told_errors import from_words
from edge_infer.batch.units import Unit
from edge_infer.errors import InferenceFailed, ProcessDied

__all__ = ["answer_alone", "died_rows"]

_COMMAND = ["-m", "edge_infer.batch.alone_process"]
#: Signals that people and job schedulers send, and no decoder.
_OF_SOMEBODY = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}
#: Who ended that process may be about to end this one, too: then the unit did not do it.
_PAUSE_S = 1.0


def answer_alone(run: RunFile, source: BundleSource, number: int, unit: Unit) -> list[Row]:
    """Return the rows of a unit, answered in a process of its own; a row with ``process_died`` if it ends.

    Raises:
        BrainError: The process cannot answer anything, as when the bundle has changed, or somebody ended it.
    """
    asked = {
        "run": run.as_json(),
        "source": source.as_json(),
        "number": number,
        "unit": unit.as_json(),
    }
    process = subprocess.Popen(  # noqa: S603 -- this package's own
        [sys.executable, *_COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # decoders print values of headers, which may be patient data
        cwd=Path(__file__).parents[2],  # where this package lies, installed or not
        start_new_session=True,  # Ctrl-C is for us
    )
    with process:
        try:
            is_ready = _asked(process, asked) is not None
            answer = _next_line(process) if is_ready else None
            if answer is None:
                time.sleep(_PAUSE_S)
        except BaseException:
            process.kill()
            raise
    if answer is not None:
        rows: list[Row] = answer["rows"]
        return rows
    if not is_ready or -process.returncode in _OF_SOMEBODY:
        raise InferenceFailed(
            f"the process for a unit ended before it was asked, or was stopped ({_ending(process.returncode)})",
            hint="give the same command again to go on; is there enough memory?",
        )
    return died_rows(number, unit, _ending(process.returncode))


def died_rows(number: int, unit: Unit, ending: str) -> list[Row]:
    """Return the row of a unit that ends processes.

    Args:
        number: Of the unit.
        unit: It.
        ending: How the process ended, for the message.
    """
    error = ProcessDied(f"reading or classifying it ended the process, twice ({ending})")
    return numbered(number, [failed_row(unit, error)])


def _asked(process: "subprocess.Popen[bytes]", asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """Send a line, and return what the process says when it is ready; None if it ended before."""
    with contextlib.suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
        return _next_line(process)
    return None


def _next_line(process: "subprocess.Popen[bytes]") -> dict[str, Any] | None:
    """Return the next line; None if the process ended without one.

    Raises:
        BrainError: It says so.
    """
    line = b"" if process.stdout is None else process.stdout.readline()
    if not line.endswith(b"\n"):
        return None
    said: dict[str, Any] = json.loads(line)
    if "error" in said:
        raise from_words(said["error"])
    return said


def _ending(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
