"""Facts about finished training runs, from their files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_infer.errors import BundleIncomplete, DataRefused, UnreadableInput
from edge_infer.names import shown_name
from train.checkpoint import Checkpoint, load_checkpoint, read_json_object
from train.evaluation.answers import Answers, read_answers
from train.plots import RunCurves
from train.run_folder import CHECKPOINT

__all__ = ["RunFacts", "read_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A finished run.

    Attributes:
        number: From 1, in the given order; part of its files' names.
        name: Name of its folder.
        path: Its folder.
        checkpoint: Of the best epoch.
        parameters: Number of parameters of the model.
        known: Fields of run.json and training.json; any may be missing.
        curves: The history.
        val: Answers on the validation part; None if not evaluated.
        test: Answers on the test part; None if not evaluated.
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
        DataRefused: A run is given twice, runs have different classes, or an evaluation is damaged.
    """
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise DataRefused(f"{folder}: the run is given twice", hint="name each run once")
        seen.add(folder.resolve())
        _check_finished(folder)
    runs = [_read_run(number, folder) for number, folder in enumerate(folders, start=1)]
    for run in runs[1:]:
        if run.checkpoint.classes != runs[0].checkpoint.classes:
            raise DataRefused(
                f"run {run.name}: has other classes than run {runs[0].name}",
                hint="write a report for each set of classes",
            )
    return runs


def _check_finished(run: Path) -> None:
    if not run.is_dir():
        raise UnreadableInput(
            f"{run}: found no folder of that name",
            hint="give the folder of a run, such as runs/NAME",
        )
    if (run / CHECKPOINT).is_dir():
        return
    if (run / "run.json").is_file():
        raise BundleIncomplete(
            f"{run}: the run is not finished, it has no {CHECKPOINT} folder",
            hint="repeat its brain-train command with --resume, or leave the run out",
        )
    raise BundleIncomplete(
        f"{run}: is not a run, it has neither run.json nor {CHECKPOINT}",
        hint="give the --output folder of brain-train, by default runs/MODEL-RECIPE",
    )


def _read_run(number: int, run: Path) -> RunFacts:
    checkpoint = load_checkpoint(run / CHECKPOINT)
    asked = run / "run.json"
    known = {**(read_json_object(asked) if asked.is_file() else {}), **checkpoint.training}
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
