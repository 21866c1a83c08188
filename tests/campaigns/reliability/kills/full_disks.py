"""R13: disks of every size, from one on which the older state just fits to one that is large enough."""

from collections.abc import Callable, Sequence
from pathlib import Path

from reliability.campaign import Campaign, Subject
from reliability.kills import bundle_writers
from reliability.kills.children import run_child
from reliability.kills.disks import PAGE, Grow, missing_mounts, on_disk
from reliability.kills.makers import lazy
from reliability.kills.writers import Known, Writer, Writers, judged, settled

__all__ = ["CAMPAIGN"]

#: Sizes of each writer.
_STEPS = 64

_OURS = (
    bundle_writers.bundle,
    bundle_writers.file,
    lazy("node_writers", "spool"),
    lazy("node_writers", "structured"),
    lazy("infer_writers", "heatmaps"),
    lazy("training_writers", "checkpoint"),
)
_CONTROL = (bundle_writers.bundle_in_place, bundle_writers.file_in_place)
_RAW = (bundle_writers.saved_model,)

#: In CI only the first two, at sizes all over the ladder.
_LIGHT = 2


def _order() -> list[tuple[int, int]]:
    """Return writers and steps: for the light writers first, coarse steps before fine ones."""
    steps = sorted(range(_STEPS), key=lambda step: (step % 16, step))
    first = [(writer, step) for step in steps for writer in range(_LIGHT)]
    return first + [(writer, step) for writer in range(_LIGHT, len(_OURS)) for step in steps]


_ORDER = _order()


def _ours(writers: Writers, number: int, folder: Path) -> str:
    writer, step = _ORDER[number % len(_ORDER)]
    return _on_a_small_disk(writers.of(writer), step, folder)


def _others(makers: Sequence[Callable[[Path], Writer]]) -> Callable[[Writers, int, Path], str]:
    def trial(writers: Writers, number: int, folder: Path) -> str:
        step = number // len(makers) * 7 % _STEPS  # all of them in turn
        return _on_a_small_disk(writers.of(number % len(makers)), step, folder)

    return trial


def _on_a_small_disk(known: Known, step: int, folder: Path) -> str:
    writer = known.writer
    older = _pages(known.kept)
    size = older + step * (2 * known.newer_bytes // PAGE + 16) // (_STEPS - 4)

    def work(grow: Grow) -> str:
        known.fresh(folder)
        ended = run_child(
            lambda: writer.write(folder), stdout=folder / "rows" if writer.prints else None
        )
        kind = judged(known, folder, ended)
        grow()
        settled(known, folder)
        return kind

    return on_disk(size * PAGE, folder, work)


def _pages(folder: Path) -> int:
    """Return how much of a tmpfs the files take; links to a file take none."""
    sizes = {
        path.stat().st_ino: path.stat().st_size for path in folder.rglob("*") if path.is_file()
    }
    return sum(-(-size // PAGE) for size in sizes.values()) + 1


CAMPAIGN = Campaign(
    id="R13",
    title="Full disks",
    promise="On a disk that is full the older good file is unharmed, the exit status is 40, and the next run works.",
    attack="writes onto disks of 64 sizes, from one that the older state fills to one on which there is room for both",
    unit="disks",
    subjects={
        "ours": Subject(
            trial=_ours,
            prepare=lambda folder: Writers(folder, _OURS),
            what="bundles, files, the node's spool, structured results, heatmaps of `brain-infer`, checkpoints",
        ),
        "control": Subject(
            trial=_others(_CONTROL),
            prepare=lambda folder: Writers(folder, _CONTROL),
            what="the same files written in place",
        ),
        "raw": Subject(
            trial=_others(_RAW),
            prepare=lambda folder: Writers(folder, _RAW),
            what="`onnx.save` over an older model",
        ),
    },
    ci={"ours": 10, "control": 4, "raw": 3},
    full={"ours": len(_ORDER), "control": 2 * _STEPS, "raw": _STEPS},
    limit_s=600,
    chunk=32,
    missing=missing_mounts,
    control_share=0.05,
)
