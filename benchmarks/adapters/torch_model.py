"""PyTorch on a checkpoint of this project: eager, compiled, or in bfloat16."""

from pathlib import Path
from typing import Any

from benchmarks.adapters.base import ModelAdapter

__all__ = ["Adapter"]


class Adapter(ModelAdapter):
    """Needs ``checkpoint`` and ``mode``: ``eager``, ``compile`` or ``bf16``."""

    distributions = ("torch", "transformers", "numpy", "pillow")

    def import_libraries(self) -> None:
        """Import torch, and transformers with the models."""
        import torch

        import train.checkpoint  # noqa: F401 -- imports transformers

        torch.set_num_threads(self.threads)

    def load(self) -> None:
        """Load the checkpoint; a compiled model is compiled by its first call, with a batch of 1."""
        import torch

        from train.checkpoint import load_checkpoint

        model = load_checkpoint(Path(self.config["checkpoint"])).model
        mode = self.config["mode"]
        self._dtype = torch.bfloat16 if mode == "bf16" else torch.float32
        model = model.to(self._dtype)
        self._model: Any = torch.compile(model, dynamic=False) if mode == "compile" else model

    def run(self, pixel_values: Any) -> Any:
        """Return logits as float32."""
        import torch

        with torch.inference_mode():
            output = self._model(torch.from_numpy(pixel_values).to(self._dtype))
        return output.logits.float().numpy()
