"""R10: kill -9 at any point of an export."""

import random
from collections.abc import Callable
from pathlib import Path

from reliability.campaign import Campaign, Subject
from reliability.kills import bundle_writers, command_writers
from reliability.kills.children import CHANGING, missing_strace, run_child
from reliability.kills.writers import Known, Writer, Writers, judged, settled

__all__ = ["CAMPAIGN"]

_OURS = (bundle_writers.bundle, bundle_writers.bundle_by_renames, bundle_writers.file)

#: From these numbers on what takes seconds: a Triton repository, and the whole command.
_TRITON, _WHOLE = 450, 475


def _ours(folder: Path) -> Writers:
    return Writers(folder, [*_OURS, command_writers.triton, command_writers.export])


def _in_place(folder: Path) -> Writers:
    return Writers(folder, [bundle_writers.bundle_in_place, bundle_writers.file_in_place])


def _raw(folder: Path) -> Writers:
    return Writers(folder, [bundle_writers.saved_model])


def _trial(writers: Writers, number: int, folder: Path) -> str:
    if number >= _WHOLE:
        known = writers.of(4)
    elif number >= _TRITON:
        known = writers.of(3)
    else:
        known = writers.of(number % len(_OURS))
    return _killed(known, number, folder)


def _other_trial(count: int) -> Callable[[Writers, int, Path], str]:
    return lambda writers, number, folder: _killed(writers.of(number % count), number, folder)


def _killed(known: Known, number: int, folder: Path) -> str:
    """Kill it before a system call drawn from those that it makes; one time in five after a time."""
    known.fresh(folder)
    draw = random.Random(number)  # noqa: S311 -- an attack, no secret
    writer = known.writer
    if draw.random() < 0.2:
        after = draw.uniform(0, 1.1 * known.seconds)
        ended = run_child(
            lambda: writer.write(folder),
            kill_after_s=after,
            inject=writer.inject,
            late=writer.late,
        )
    else:
        call, place = _drawn(known, draw)
        inject = f"{call}:signal=KILL:when={place}"
        ended = run_child(
            lambda: writer.write(folder), inject=_with(writer, inject), late=writer.late
        )
    kind = judged(known, folder, ended)
    settled(known, folder)
    return kind


def _drawn(known: Known, draw: random.Random) -> tuple[str, int]:
    """Draw one of the calls that change something: its name, and which one of that name it is."""
    names = {name.lstrip("?") for name in CHANGING}
    calls = [call for call in known.calls if call in names]
    at = draw.randrange(len(calls))
    return calls[at], calls[: at + 1].count(calls[at])


def _with(writer: Writer, inject: str) -> list[str]:
    """A call can have one fault only: where the writer has one of the same name, the kill takes its place."""
    name = inject.partition(":")[0]
    return [*(one for one in writer.inject if one.partition(":")[0] != name), inject]


CAMPAIGN = Campaign(
    id="R10",
    title="Killed exports",
    promise="A killed export leaves the older bundle or the newer one, never a mixture, and the next one works.",
    attack="kills the writing of a bundle with kill -9 before a system call drawn by number, or after a drawn time",
    unit="kills",
    subjects={
        "ours": Subject(
            trial=_trial,
            prepare=_ours,
            what="`write_bundle` with and without an exchange of folders, `write_bytes_atomically`, "
            "a Triton repository and the whole of `brain-export`",
        ),
        "control": Subject(
            trial=_other_trial(2), prepare=_in_place, what="the same files written in place"
        ),
        "raw": Subject(trial=_other_trial(1), prepare=_raw, what="`onnx.save` over an older model"),
    },
    ci={"ours": 12, "control": 6, "raw": 3},
    full={"ours": 500, "control": 200, "raw": 200},
    limit_s=600,
    chunk=25,
    missing=missing_strace,
    control_share=0.2,
)
