"""Where a bundle comes from: its command, recipe, data and the versions it was made with."""

import platform
from typing import Any

import onnx
import onnxruntime
import torch

from edge_infer.version import __version__
from train.checkpoint import Checkpoint

__all__ = ["provenance"]


def provenance(checkpoint: Checkpoint, command: str) -> dict[str, Any]:
    """Return ``provenance`` of the manifest; what the checkpoint does not state is ``unknown``.

    Args:
        checkpoint: The trained model.
        command: The command that makes the bundle.
    """
    training = checkpoint.training
    recipe = training.get("recipe", {})
    return {
        "command": command,
        "recipe": recipe.get("name", "unknown"),
        "seed": recipe.get("seed", "unknown"),
        "data_sha256": training.get("data_sha256", "unknown"),
        "data": training.get("data", "unknown"),
        "weights": training.get("weights", "unknown") or "random",
        "n_train": training.get("n_train", 0),
        "best_val_accuracy": training.get("best_val_accuracy", "unknown"),
        "versions": {
            "brain-edge": __version__,
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        },
    }
