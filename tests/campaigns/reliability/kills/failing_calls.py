"""R12: system calls that fail: the disk is full, broken, over a quota, or the call is interrupted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.kills import bundle_writers
from reliability.kills.children import missing_strace, run_child
from reliability.kills.makers import lazy
from reliability.kills.writers import Known, Writers, judged, settled

__all__ = ["CAMPAIGN"]


@dataclass(frozen=True)
class _Fault:
    """A call that fails: once, at its n-th time, or from then on."""

    call: str
    error: str
    lasts: bool = False


def _faults() -> list[_Fault]:
    """Return those that matter most first."""
    once = [
        *(("write", error) for error in ("ENOSPC", "EIO", "EDQUOT", "EINTR")),
        *(("fsync", error) for error in ("EIO", "ENOSPC", "EDQUOT", "EINTR")),
        *(("rename", error) for error in ("EIO", "ENOSPC", "EDQUOT")),
        *(("renameat2", error) for error in ("EIO", "ENOSPC", "ENOSYS", "EINVAL")),
        *(("openat", error) for error in ("EIO", "ENOSPC", "EDQUOT", "EMFILE", "EACCES", "EINTR")),
        *(("close", error) for error in ("EIO", "ENOSPC", "EDQUOT", "EINTR")),
        *(("mkdir", error) for error in ("ENOSPC", "EIO", "EDQUOT")),
        *(("read", error) for error in ("EIO", "EINTR")),
        *(("unlink", error) for error in ("EIO", "EACCES")),
        *(("unlinkat", error) for error in ("EIO", "EACCES")),
        ("rmdir", "EIO"),
        ("flock", "ENOLCK"),
        ("flock", "EINTR"),
        ("fchmod", "EPERM"),
        ("fchown", "EPERM"),
        ("getdents64", "EIO"),
    ]
    lasting = ("ENOSPC", "EIO", "EDQUOT")
    again = [
        _Fault(call, error, True)
        for call, error in once
        if error in lasting and call in ("write", "fsync", "rename", "openat", "mkdir", "close")
    ]
    return [*(_Fault(*one) for one in once), *again]


_FAULTS = _faults()


_LIGHT = (bundle_writers.bundle, bundle_writers.file)

#: In CI it is never their turn.
_HEAVY = (
    lazy("node_writers", "spool"),
    lazy("node_writers", "structured"),
    lazy("infer_writers", "heatmaps"),
    lazy("infer_writers", "table"),
    lazy("training_writers", "checkpoint"),
    lazy("training_writers", "training_state"),
)


def _cases(light: int, heavy: int) -> list[tuple[int, _Fault]]:
    """Return writers and faults: the light ones first, then one writer after the other."""
    first = [(writer, fault) for fault in _FAULTS for writer in range(light)]
    rest = [(writer, fault) for writer in range(light, light + heavy) for fault in _FAULTS]
    return first + rest


_OURS = _cases(len(_LIGHT), len(_HEAVY))


def _trial(writers: Writers, number: int, folder: Path) -> Seen:
    writer, fault = _OURS[number % len(_OURS)]
    return _at_each_call(writers.of(writer), fault, folder)


def _at_each_call(known: Known, fault: _Fault, folder: Path) -> Seen:
    """Let the call fail at its first time, its second, and so on, until it has none left."""
    broken: dict[str, list[int]] = {}
    kinds: dict[str, int] = {}
    number = 0
    while True:
        number += 1
        place = folder / str(number)
        known.fresh(place)
        try:
            has_failed, kind = _at(known, fault, number, place)
        except Broken as error:
            broken.setdefault(str(error), []).append(number)
            has_failed = number <= known.calls.count(fault.call)
            kind = "broken"
        if not has_failed:
            break
        kinds[kind] = kinds.get(kind, 0) + 1
        if number > _MOST:
            raise Broken(f"{known.writer.name}: {fault.call} has no end")
    if broken:
        shown = [f"{why} (call {', '.join(map(str, at[:6]))})" for why, at in broken.items()]
        lasts = " from then on" if fault.lasts else ""
        raise Broken(f"{fault.error} of {fault.call}{lasts}: {'; '.join(shown)}"[:600])
    most = max(kinds, key=lambda kind: kinds[kind], default="no such call")
    return Seen(kind=most, tries=max(1, number - 1), figures={"calls that failed": number - 1})


_MOST = 2000


def _at(known: Known, fault: _Fault, number: int, place: Path) -> tuple[bool, str]:
    inject = f"{fault.call}:error={fault.error}:when={number}{'+' if fault.lasts else ''}"
    writer = known.writer
    ended = run_child(
        lambda: writer.write(place),
        inject=[*writer.inject, inject],
        late=writer.late,
        stdout=place / "rows" if writer.prints else None,
    )
    if not ended.faults:
        return False, ""
    kind = judged(known, place, ended)
    settled(known, place)
    return True, kind


#: Those that writing in place can meet.
_IN_PLACE = [fault for fault in _FAULTS if fault.call in ("write", "openat", "close")]


def _plain(makers: Sequence[object]) -> Callable[[Writers, int, Path], Seen]:
    def trial(writers: Writers, number: int, folder: Path) -> Seen:
        fault = _IN_PLACE[number // len(makers) % len(_IN_PLACE)]
        return _at_each_call(writers.of(number % len(makers)), fault, folder)

    return trial


_CONTROL = (bundle_writers.bundle_in_place, bundle_writers.file_in_place)
_RAW = (bundle_writers.saved_model,)

CAMPAIGN = Campaign(
    id="R12",
    title="Failing system calls",
    promise="Whichever call fails while something is written, the older good file is unharmed, and "
    "the exit status says so.",
    attack="lets a system call fail at its first time, its second and so on to its last, with each error it can have",
    unit="calls that failed",
    subjects={
        "ours": Subject(
            trial=_trial,
            prepare=lambda folder: Writers(folder, [*_LIGHT, *_HEAVY]),
            what="bundles, files, the node's spool, structured results, heatmaps and tables of `brain-infer`, "
            "checkpoints and states of training",
        ),
        "control": Subject(
            trial=_plain(_CONTROL),
            prepare=lambda folder: Writers(folder, _CONTROL),
            what="the same files written in place",
        ),
        "raw": Subject(
            trial=_plain(_RAW),
            prepare=lambda folder: Writers(folder, _RAW),
            what="`onnx.save` over an older model",
        ),
    },
    ci={"ours": 3, "control": 1, "raw": 1},
    full={
        "ours": len(_OURS),
        "control": len(_CONTROL) * len(_IN_PLACE),
        "raw": len(_IN_PLACE),
    },
    limit_s=1800,
    chunk=2,
    missing=missing_strace,
    control_share=0.2,
)
