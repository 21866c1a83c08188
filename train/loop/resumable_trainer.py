"""Hugging Face's Trainer without pickle; only complete checkpoints count.

transformers writes optimizer, scheduler, random state and its own arguments with ``torch.save``, which is pickle. Here
they go through ``train.loop.torch_state``. A checkpoint counts only once it holds ``COMPLETE``, written last and
synced, so that a run killed at any moment resumes from a complete one.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import Trainer

from edge_infer.atomic import write_bytes_atomically
from edge_infer.node.disk import flush_folder
from train.loop.torch_state import load_random_state, load_state, save_random_state, save_state
from train.processes import first_process_first, is_first

__all__ = ["ResumableTrainer", "newest_complete_checkpoint"]

_COMPLETE = "COMPLETE"
_STATE = "trainer_state.json"


class ResumableTrainer(Trainer):
    """Saves and restores model, companions, optimizer, schedule and random state without pickle."""

    # transformers declares them as possibly None; during training they are not.
    model: Any
    optimizer: Any
    lr_scheduler: Any

    #: Modules that are trained or updated beside the model, by the name of their files.
    companions: dict[str, nn.Module]

    def load_weights(self, checkpoint: Path) -> None:
        """Load the weights that the checkpoint was validated with."""
        self.model.load_state_dict(load_state(checkpoint, "weights"))

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None
    ) -> None:
        folder = Path(str(output_dir or self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_state(state_dict or self.model.state_dict(), folder, "weights")
        for name, module in self.companions.items():
            save_state(module.state_dict(), folder, name)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not is_first():
            return
        save_state(self.optimizer.state_dict(), Path(output_dir), "optimizer")
        save_state(self.lr_scheduler.state_dict(), Path(output_dir), "scheduler")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            self.optimizer.load_state_dict(load_state(Path(checkpoint), "optimizer"))
            self.lr_scheduler.load_state_dict(load_state(Path(checkpoint), "scheduler"))

    def _save_rng_state(self, output_dir: str) -> None:
        if is_first():  # of several processes, all draw the same numbers
            save_random_state(Path(output_dir))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            load_random_state(Path(checkpoint))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        folder = Path(resume_from_checkpoint)
        (model or self.model).load_state_dict(load_state(folder, "weights"))
        for name, module in self.companions.items():
            module.load_state_dict(load_state(folder, name))

    def _load_best_model(self) -> None:
        self.load_weights(Path(str(self.state.best_model_checkpoint)))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with first_process_first():  # the others look for what it has written
            super()._save_checkpoint(model, trial)
            if is_first():
                self._complete()

    def _complete(self) -> None:
        run = Path(str(self.args.output_dir))
        newest = run / f"checkpoint-{self.state.global_step}"
        for path in newest.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        write_bytes_atomically(newest / _COMPLETE, b"")
        flush_folder(
            run
        )  # the newest one's name: after a power cut it must be there if the others are not
        # Only now may older ones go; the arguments' own save_total_limit would remove them too early.
        keep = {newest.name, Path(str(self.state.best_model_checkpoint)).name}
        for folder in run.glob("checkpoint-*"):
            if folder.name not in keep:
                shutil.rmtree(folder)


def newest_complete_checkpoint(run: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, ready to resume, or None; incomplete ones are removed."""
    complete: list[Path] = []
    for folder in run.glob("checkpoint-*"):
        if (folder / _COMPLETE).is_file():
            complete.append(folder)
        else:
            shutil.rmtree(folder)
    newest = max(complete, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)
    if newest is not None:
        _find_best_again(newest)
    return newest


def _find_best_again(checkpoint: Path) -> None:
    """Correct the path of the best checkpoint: the run may have been moved, or have another relative path now.

    Otherwise transformers only warns, forgets the best epoch, and the run ends with its last one.
    """
    path = checkpoint / _STATE
    state = json.loads(path.read_text(encoding="utf-8"))
    if state["best_model_checkpoint"] is not None:
        moved = str(checkpoint.with_name(Path(state["best_model_checkpoint"]).name))
        if moved == state["best_model_checkpoint"]:
            return
        state["best_model_checkpoint"] = moved
        write_bytes_atomically(path, json.dumps(state, indent=2, sort_keys=True).encode() + b"\n")
