"""What is known of a finished training run, from the files it left."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_infer.errors import BundleIncomplete, BundleIntegrity, DataRefused, UnreadableInput
from edge_infer.names import shown_name
from train.checkpoint import Checkpoint, load_checkpoint
from train.evaluation.answers import Answers, read_answers
from train.plots import RunCurves
from train.run_folder import CHECKPOINT

__all__ = ["RunFacts", "read_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A finished run.

    Attributes:
        number: From 1, in the order given; names its images.
        name: Of its folder.
        path: Its folder.
        checkpoint: The best epoch.
        parameters: Numbers in the checkpoint's model.
        known: Fields of run.json and training.json; any may be missing.
        curves: The history.
        val: Answers on the validation part, if evaluated.
        test: Answers on the test part, if evaluated.
    """

    number: int
    name: str
    path: Path = field(repr=False)
    checkpoint: Checkpoint = field(repr=False)
    parameters: int
    known: dict[str, Any] = field(repr=False)
    curves: RunCurves = field(repr=False)
    val: Answers | None = field(repr=False)
    test: Answers | None = field(repr=False)

    @property
    def model(self) -> str:
        """The model's name in ``train.models.MODELS``."""
        return self.checkpoint.name

    @property
    def recipe(self) -> dict[str, Any]:
        """Every number of the run; may be empty."""
        return dict(self.known.get("recipe") or {})


def read_runs(folders: Sequence[Path]) -> list[RunFacts]:
    """Read runs.

    Raises:
        UnreadableInput: There is no such folder.
        BundleError: A run is unfinished, or its checkpoint is damaged.
        DataRefused: A run is given twice, or its evaluation is damaged.
    """
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise DataRefused(f"{folder}: the run is given twice", hint="name each run once")
        seen.add(folder.resolve())
        _check_finished(folder)
    return [_read_run(number, folder) for number, folder in enumerate(folders, start=1)]


def _check_finished(run: Path) -> None:
    if not run.is_dir():
        raise UnreadableInput(
            f"{run}: found no folder of that name", hint="give the folder of a run, as runs/NAME"
        )
    if (run / CHECKPOINT).is_dir():
        return
    if (run / "run.json").is_file():
        raise BundleIncomplete(
            f"{run}: the run is not finished, it has no {CHECKPOINT} folder",
            hint="repeat its brain-train command with --resume, or leave the run out",
        )
    raise BundleIncomplete(
        f"{run}: is no run, it has neither run.json nor {CHECKPOINT}",
        hint="give the folder that brain-train --output named, default runs/MODEL-RECIPE",
    )


def _read_run(number: int, run: Path) -> RunFacts:
    checkpoint = load_checkpoint(run / CHECKPOINT)
    asked = run / "run.json"
    known = {**(_read_object(asked) if asked.is_file() else {}), **checkpoint.training}
    name = run.resolve().name
    return RunFacts(
        number=number,
        name=name,
        path=run,
        checkpoint=checkpoint,
        parameters=sum(weights.numel() for weights in checkpoint.model.parameters()),
        known=known,
        curves=RunCurves.of(shown_name(name), known.get("history") or []),
        val=read_answers(run / "evaluation" / "val"),
        test=read_answers(run / "evaluation" / "test"),
    )


def _read_object(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleIntegrity(f"{path}: not valid JSON ({error})") from error
    if not isinstance(fields, dict):
        raise BundleIntegrity(f"{path}: is not an object")
    return fields
