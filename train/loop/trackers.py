"""Where a run is logged: TensorBoard (the default), Weights & Biases with or without a network, or nowhere.

transformers' Trainer sends losses and accuracies during training; the evaluation is sent from here, as in the first
student report: ROC curves, and plots of confusion matrix, ROC and reliability.
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.metrics import roc_curve

from edge_infer.errors import MissingDependency
from train.evaluation.answers import Answers, read_answers

__all__ = ["TRACKERS", "log_evaluations", "prepare_tracker"]

#: Values of ``--report-to``, and transformers' names for them.
TRACKERS = {
    "tensorboard": "tensorboard",
    "wandb": "wandb",
    "wandb-offline": "wandb",
    "none": "none",
}

_PLOTS = ("confusion", "roc", "reliability")
_CURVE_POINTS = 200


def prepare_tracker(tracker: str, run: Path) -> str:
    """Set a tracker up before transformers starts it.

    Weights & Biases writes into the run's folder instead of the current one.

    Args:
        tracker: A key of ``TRACKERS``.
        run: The run's folder.

    Returns:
        Transformers' name for it.

    Raises:
        MissingDependency: The tracker is not installed.
    """
    if TRACKERS[tracker] == "wandb":
        if importlib.util.find_spec("wandb") is None:
            raise MissingDependency(
                f"--report-to {tracker}: wandb is not installed",
                hint="pip install 'brain-edge[wandb]'",
            )
        os.environ.setdefault("WANDB_PROJECT", "brain-edge")
        os.environ.setdefault("WANDB_DIR", str(run))
        os.environ.setdefault("WANDB_NAME", run.name)
        if tracker == "wandb-offline":
            os.environ["WANDB_MODE"] = "offline"
    return TRACKERS[tracker]


def log_evaluations(tracker: str, run: Path) -> None:
    """Send the evaluations of a finished run to its tracker.

    Args:
        tracker: A key of ``TRACKERS``.
        run: With ``evaluation/val`` or ``evaluation/test``.
    """
    evaluations = {
        folder: answers
        for folder in sorted(run.glob("evaluation/*"))
        if (answers := read_answers(folder)) is not None
    }
    if TRACKERS[tracker] == "tensorboard":
        _to_tensorboard(run, evaluations)
    elif TRACKERS[tracker] == "wandb":
        _to_wandb(run, evaluations)


def _to_tensorboard(run: Path, evaluations: dict[Path, Answers]) -> None:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(run / "runs" / "evaluation"))
    for folder, answers in evaluations.items():
        metrics = answers.metrics["model"]
        for name in ("accuracy", "macro_f1"):
            writer.add_scalar(f"{folder.name}/{name}", metrics[name]["value"])
        for name in _PLOTS:
            image = np.asarray(Image.open(folder / f"{name}.png").convert("RGB"))
            writer.add_image(f"{folder.name}/{name}", image, dataformats="HWC")
    writer.close()


def _to_wandb(run: Path, evaluations: dict[Path, Answers]) -> None:
    import wandb

    session = wandb.run or wandb.init(dir=str(run))  # transformers leaves its own open
    for folder, answers in evaluations.items():
        log: dict[str, Any] = {
            f"{folder.name}/{name}": wandb.Image(str(folder / f"{name}.png")) for name in _PLOTS
        }
        for name in ("accuracy", "macro_f1"):
            log[f"{folder.name}/{name}"] = answers.metrics["model"][name]["value"]
        curves: dict[str, tuple[list[float], list[float]]] = {}
        for index, label in enumerate(answers.classes.names):
            positive = answers.labels == index
            if positive.any() and not positive.all():
                false_rate, true_rate, _ = roc_curve(positive, answers.probabilities[:, index])
                at = np.linspace(0, 1, _CURVE_POINTS)
                curves[label] = (at.tolist(), np.interp(at, false_rate, true_rate).tolist())
        if curves:
            log[f"{folder.name}/roc_curve"] = wandb.plot.line_series(
                xs=[at for at, _ in curves.values()],
                ys=[rates for _, rates in curves.values()],
                keys=list(curves),
                title=f"ROC, {folder.name} part, one class against the rest",
                xname="1 - specificity",
            )
        session.log(log)
    session.finish()
