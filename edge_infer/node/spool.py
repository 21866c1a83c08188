"""The spool: folders that a study walks through, so that the disk always knows how far it is.

    incoming/KEY/       images arrive; KEY is made of the study's UID and the patient's ID, and shows neither
    ready/KEY.1/        complete: waits for its answer
    results/KEY.1/      answered: waits for the destination
    sent/KEY.1/         delivered
    failed/KEY.1/       given up; its note says why
    partial/            objects that are being received, and rounds that are being removed

``KEY.2`` is a second round: images that came after the first was complete. A round moves by one rename, so it is in
exactly one folder, whenever the machine stops.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_infer.errors import CannotWrite
from edge_infer.lock_file import locked
from edge_infer.names import shown_name
from edge_infer.node.disk import flush_folder

__all__ = ["IMAGES", "OUT", "STAGES", "Round", "Spool", "Stage", "key_of"]

Stage = Literal["ready", "results", "sent", "failed"]
STAGES: tuple[Stage, ...] = ("ready", "results", "sent", "failed")

#: Within a study's folder: the images as received, and the results.
IMAGES, OUT = "images", "out"

_KEY_DIGITS = 16

#: How often a round is looked for: it may move back (``brain-node retry``) behind the back of a look.
_LOOKS = 3


def key_of(study_instance_uid: str, patient_id: str) -> str:
    """Return what a study is called in the spool and the log.

    The patient's ID is part of it, so that two patients under one study UID are never read as one study.
    """
    digest = hashlib.sha256(f"{study_instance_uid}\0{patient_id}".encode())
    return digest.hexdigest()[:_KEY_DIGITS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round of a study in one of the stages.

    Attributes:
        key: Of the study.
        number: From 1.
        stage: Where it was found; it may have moved since.
        folder: Of it.
    """

    key: str
    number: int
    stage: Stage
    folder: Path

    @property
    def name(self) -> str:
        """``KEY.NUMBER``."""
        return f"{self.key}.{self.number}"

    @property
    def images(self) -> Path:
        """Folder of the images as received."""
        return self.folder / IMAGES

    @property
    def out(self) -> Path:
        """Folder of the results."""
        return self.folder / OUT

    def results(self) -> list[Path]:
        """Return the files of the results, in the order of their names."""
        return sorted(self.out.rglob("*.dcm"))


class Spool:
    """The folders; make one with ``Spool.opened``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming = folder / "incoming"
        self.partial = folder / "partial"
        #: Which rounds each study has: looking it up for every image must not read a folder of thousands.
        self._numbers: dict[str, set[int]] = {}

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path) -> Iterator["Spool"]:
        """Create what is missing and hold the spool's lock.

        Raises:
            OutputLocked: Another node uses it.
            CannotWrite: It cannot be created or written.
        """
        spool = cls(folder)
        with contextlib.ExitStack() as stack:
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                for part in (spool.incoming, spool.partial, *map(spool.stage, STAGES)):
                    part.mkdir(exist_ok=True, mode=0o700)
                stack.enter_context(locked(folder / ".lock", folder))
                spool.sweep_partial(older_than=None)
                flush_folder(folder)
                for stage in STAGES:
                    for one in spool.rounds(stage):
                        spool._numbers.setdefault(one.key, set()).add(one.number)
            except OSError as error:
                raise CannotWrite(
                    f"{shown_name(folder)}: the spool cannot be written ({error.strerror})",
                    hint="it must belong to the user that runs the node",
                ) from error
            yield spool

    def stage(self, stage: Stage) -> Path:
        """Return the folder of a stage."""
        return self.folder / stage

    def rounds(self, stage: Stage) -> list[Round]:
        """Return the rounds of a stage, by name; what is called otherwise is left alone."""
        found = []
        for entry in os.scandir(self.stage(stage)):
            key, dot, number = entry.name.partition(".")
            if dot and number.isdecimal() and entry.is_dir(follow_symlinks=False):
                folder = Path(entry.path)
                found.append(Round(key=key, number=int(number), stage=stage, folder=folder))
        return sorted(found, key=lambda one: (one.key, one.number))

    def rounds_of(self, key: str) -> list[Round]:
        """Return the rounds of a study in all stages, first to last."""
        found = (self._found(key, number) for number in sorted(self._numbers.get(key, ())))
        return [one for one in found if one is not None]

    def next_number(self, key: str) -> int:
        """Return the number of a study's next round; those of rounds that retention removed are not used again."""
        return max(self._numbers.get(key, ()), default=0) + 1

    def entered(self, key: str, number: int, stage: Stage, folder: Path) -> Round:
        """Move a folder into a stage as a new round, in one step."""
        target = self.stage(stage) / f"{key}.{number}"
        folder.rename(target)
        self._numbers.setdefault(key, set()).add(number)
        flush_folder(target.parent)
        flush_folder(folder.parent)
        return Round(key=key, number=number, stage=stage, folder=target)

    def remove(self, one: Round) -> None:
        """Remove a round with all of its files; what a kill or an error leaves of it is swept from ``partial``.

        Raises:
            OSError: Some of it could not be removed now.
        """
        # Out of its stage in one step: what is left of it must not count as a round, or as one that has just come.
        gone = self.partial / f"{one.name}.{secrets.token_hex(8)}"
        one.folder.rename(gone)
        self._numbers.get(one.key, set()).discard(one.number)
        if not self._numbers.get(one.key):
            self._numbers.pop(one.key, None)
        shutil.rmtree(gone)

    def move(self, one: Round, stage: Stage) -> Round:
        """Move a round to another stage, in one step."""
        target = self.stage(stage) / one.name
        one.folder.rename(target)
        flush_folder(target.parent)
        flush_folder(one.folder.parent)
        return Round(key=one.key, number=one.number, stage=stage, folder=target)

    def _found(self, key: str, number: int) -> Round | None:
        for _ in range(_LOOKS):
            for stage in STAGES:
                folder = self.stage(stage) / f"{key}.{number}"
                if folder.is_dir():
                    return Round(key=key, number=number, stage=stage, folder=folder)
        return None

    def waiting(self) -> int:
        """Return how many rounds wait for an answer or for the destination."""
        return len(self.rounds("ready")) + len(self.rounds("results"))

    def used_bytes(self) -> int:
        """Return the size of all files; one that several rounds share counts once."""
        used = 0.0
        for folder, _, files in os.walk(self.folder):
            for name in files:
                with contextlib.suppress(OSError):  # moved on meanwhile
                    found = (Path(folder) / name).lstat()
                    used += found.st_size / max(1, found.st_nlink)
        return int(used)

    def free_bytes(self) -> int:
        """Return how much room the file system has."""
        return shutil.disk_usage(self.folder).free

    def sweep_partial(self, *, older_than: float | None) -> None:
        """Remove what broken associations left in ``partial``.

        Args:
            older_than: Only what was last written before this time, in seconds since the epoch; None for all.
        """
        for entry in os.scandir(self.partial):
            with contextlib.suppress(OSError):
                if older_than is not None and entry.stat().st_mtime >= older_than:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    Path(entry.path).unlink()
