"""Writers that DICOM needs: the node's spool, and structured results."""

import hashlib
import mmap
from collections.abc import Iterable
from pathlib import Path

from dicom_files import drawn_volume, mr_series
from reliability.campaign import Broken
from reliability.kills.writers import Writer
from series_results import ALGORITHM, series_of

from edge_infer.errors import BrainError
from edge_infer.node.arrivals import Arrivals, Arrived
from edge_infer.node.config import Complete, Limits
from edge_infer.node.received import Received
from edge_infer.node.spool import Spool, key_of
from edge_infer.structured.write import write_results

__all__ = ["spool", "structured"]

_IMAGES = 3
_OLDER, _NEWER = key_of("1.2.3", "older"), key_of("1.2.4", "newer")


def structured(_kept: Path) -> Writer:
    """Write report and captures beside those of an earlier run."""
    older = series_of(mr_series(drawn_volume(slices=9, rows=32, columns=32)))
    newer = series_of(mr_series(drawn_volume(slices=10, rows=32, columns=32)))
    return Writer(
        name="write_results",
        before=lambda folder: write_results(older, folder / "out", algorithm=ALGORITHM),
        write=lambda folder: write_results(newer, folder / "out", algorithm=ALGORITHM),
    )


def spool(_kept: Path) -> Writer:
    """Take three images of a study in, where an earlier study waits; what was acknowledged must be there."""
    said = mmap.mmap(-1, _IMAGES)  # shared with the child; writing to it is no system call

    def before(folder: Path) -> None:
        _take_in(folder, _OLDER, said)

    def write(folder: Path) -> None:
        said[:] = bytes(_IMAGES)
        _take_in(folder, _NEWER, said)

    return Writer(
        name="the node's spool",
        before=before,
        write=write,
        statuses=frozenset({20, 40}),
        state=lambda folder: _state(folder, said),
    )


class _Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


def _take_in(folder: Path, key: str, said: mmap.mmap) -> None:
    clock = _Clock()
    with Spool.opened(folder / "spool") as opened:
        arrivals = Arrivals(opened, Complete(quiet_s=1, after_abort_s=1), Limits(), clock)
        link = arrivals.begin()
        for number in range(_IMAGES):
            file = opened.partial / f"{key}-{number}"
            file.write_bytes(_content(key, number))
            received = Received(
                file=file,
                key=key,
                name=_name(number),
                study_instance_uid="1.2.4",
                sop_class_uid="1.2",
            )
            if arrivals.store(link, received) in (Arrived.STORED, Arrived.DUPLICATE):
                said[number] = 1
        arrivals.end(link, well=True)
        clock.time += 10
        arrivals.complete()


def _name(number: int) -> str:
    return f"{hashlib.sha256(str(number).encode()).hexdigest()[:32]}.dcm"


def _content(key: str, number: int) -> bytes:
    return f"{key} {number}\n".encode() * 2000


def _state(folder: Path, said: mmap.mmap) -> str:
    place = folder / "spool"
    _whole(place.glob(f"ready/{_OLDER}.1/images/*.dcm"), _OLDER, range(_IMAGES))
    stages = ("incoming", "ready", "results", "sent", "failed")
    found = [path for stage in stages for path in place.glob(f"{stage}/{_NEWER}*/images/*.dcm")]
    _whole(found, _NEWER, [number for number in range(_IMAGES) if said[number]])
    try:
        with Spool.opened(place) as opened:
            Arrivals(opened, Complete(), Limits())
    except BrainError as error:
        raise Broken(f"the node does not start again: {error.code}") from None
    return "old" if not found else "new" if len(found) == _IMAGES else "images on their way"


def _whole(paths: Iterable[Path], key: str, needed: Iterable[int]) -> None:
    """Check that images are whole, and that those are there that must be."""
    numbers = {_name(number): number for number in range(_IMAGES)}
    found = []
    for path in paths:
        if path.read_bytes() != _content(key, numbers[path.name]):
            raise Broken("an image in the spool is not what was sent")
        found.append(numbers[path.name])
    if len(found) != len(set(found)):
        raise Broken("an image is in two rounds of one study")
    if not set(needed) <= set(found):
        raise Broken("an image was acknowledged, and is not in the spool")
