"""The plan: all units of a run in numbered partitions, listed once, so that every later start works on the same."""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from edge_infer.atomic import replace_folder_atomically
from edge_infer.batch.partition_files import PARTS, STATISTICS, part_name
from edge_infer.batch.run_file import RUN_FILE, Request, RunFile, read_run, write_run
from edge_infer.batch.units import Unit
from edge_infer.errors import CannotWrite, NoInputs, OutputLocked, UnreadableInput
from edge_infer.lock_file import locked
from edge_infer.names import shown_name

__all__ = ["BundleFacts", "holds_run", "planned_units", "prepare_run"]

_PLAN = "plan"
_LISTING = ".prepare.lock"
#: What a folder of results may hold; anything else in it is somebody else's.
_OURS = {
    _PLAN,
    RUN_FILE,
    PARTS,
    STATISTICS,
    "work",
    "summary.json",
    "report.html",
    _LISTING,
    ".plan.lock",
}
_TEMPORARY = re.compile(r"\..+\.tmp|\.plan\.old|\..+\.lock", re.DOTALL)
_WAIT_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """What run.json says of the bundle beside its digest."""

    model: str
    precision: str
    labels: tuple[str, ...]


def prepare_run(
    output: Path,
    request: Request,
    bundle: BundleFacts,
    list_units: Callable[[], Iterable[Unit]],
    *,
    left_out: Callable[[], tuple[str, ...]] = tuple,
    waits: Callable[[], None] = lambda: None,
) -> RunFile:
    """Make the plan of a new run, or check that the run in the folder is the same.

    Of several processes that start at once, one makes the plan and the others wait for it.

    Args:
        output: Folder of the results; created with its parents.
        request: All that decides the rows.
        bundle: What else run.json says.
        list_units: Called once, in one process, for a new run.
        left_out: What the listing left out; called after it.
        waits: Called once if another process is making the plan.

    Raises:
        CannotWrite: The folder holds another run or something else, or cannot be written.
        NoInputs: There is no unit.
    """
    is_told = False
    while True:
        before = read_run(output)
        if before is not None:
            before.refuse_other(request, output)
            return before
        try:
            return _prepared_alone(output, request, bundle, list_units, left_out)
        except OutputLocked:
            if not is_told:
                waits()
            is_told = True
            time.sleep(_WAIT_S)


def holds_run(folder: Path) -> bool:
    """Whether a folder is the output of a run, finished or begun, if only with listing its inputs."""
    return any((folder / name).exists() for name in (RUN_FILE, PARTS, _LISTING))


def planned_units(output: Path, number: int) -> Iterator[tuple[int, Unit]]:
    """Yield the units of a partition with their numbers, in order.

    Raises:
        UnreadableInput: The plan cannot be read, as on a machine that does not see the folder.
    """
    path = output / _PLAN / f"{part_name(number)}.jsonl"
    try:
        with path.open("rb") as lines:
            for line in lines:
                fields = json.loads(line)
                yield fields["unit"], Unit.from_json(fields)
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(path)}: cannot be read ({error.strerror})",
            hint="all workers need the folder of --output, under the same path",
        ) from error


def _prepared_alone(
    output: Path,
    request: Request,
    bundle: BundleFacts,
    list_units: Callable[[], Iterable[Unit]],
    left_out: Callable[[], tuple[str, ...]],
) -> RunFile:
    try:
        output.mkdir(parents=True, exist_ok=True)
        _refuse_others_files(output)
        with locked(output / _LISTING, output):
            before = read_run(output)
            if before is not None:
                before.refuse_other(request, output)
                return before
            with replace_folder_atomically(output / _PLAN) as folder:
                units, partitions, digest = _write_parts(
                    folder, list_units(), request.partition_size
                )
            asked = json.dumps(asdict(request), sort_keys=True)
            run = RunFile(
                run_id=hashlib.sha256(f"{asked}\n{digest}".encode()).hexdigest()[:16],
                request=request,
                model=bundle.model,
                precision=bundle.precision,
                labels=bundle.labels,
                units=units,
                partitions=partitions,
                left_out=left_out(),
            )
            write_run(output, run)
            return run
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(output)}: cannot be written ({error.strerror or error})",
            hint="check that the folder can be made, is writable, and that its file system has locks",
        ) from error


def _refuse_others_files(output: Path) -> None:
    others = sorted(
        name
        for name in os.listdir(output)  # noqa: PTH208 -- only names are needed
        if name not in _OURS and not _TEMPORARY.fullmatch(name)
    )
    if others:
        raise CannotWrite(
            f"{shown_name(output)}: holds files that are not of this command, such as {shown_name(others[0])}",
            hint="name a new folder with --output",
        )


def _write_parts(folder: Path, units: Iterable[Unit], partition_size: int) -> tuple[int, int, str]:
    """Write the partitions and return how many units and partitions there are, and a digest of them."""
    digest = hashlib.sha256()
    remaining = iter(units)
    number = partitions = 0
    for first in remaining:
        with (folder / f"{part_name(partitions)}.jsonl").open("wb") as file:
            number = _write_part(file, chain([first], remaining), number, partition_size, digest)
        partitions += 1
    if not partitions:
        raise NoInputs(
            "there is nothing to classify in what was given",
            hint="name images, scans, folders or archives of them, or --list FILE",
        )
    return number, partitions, digest.hexdigest()


def _write_part(
    file: BinaryIO,
    units: Iterator[Unit],
    number: int,
    partition_size: int,
    digest: "hashlib._Hash",
) -> int:
    """Write units until they have as many files as a partition may; return the next unit's number."""
    files = 0
    for unit in units:
        line = json.dumps({"unit": number, **unit.as_json()}).encode() + b"\n"
        file.write(line)
        digest.update(line)
        number += 1
        files += 1 if unit.kind == "image" else max(1, len(unit.members))
        if files >= partition_size:
            break
    return number
