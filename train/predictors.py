"""One interface to whatever is evaluated: a PyTorch checkpoint or an ONNX bundle."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge_infer.bundle import load_bundle
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from edge_infer.session import open_session
from train.checkpoint import load_checkpoint

__all__ = ["Predictor", "predictor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """A model as evaluation sees it.

    Attributes:
        name: For titles, such as ``cvt13 int8``.
        identity: Digest of a bundle's manifest, or the run's name.
        preprocessor: Size and scaling.
        temperature: What logits are divided by before the softmax.
        logits: Turns pixel_values, float32 (N, 3, H, W), into logits, float32 (N, classes).
    """

    name: str
    identity: str
    preprocessor: PreprocessorConfig
    temperature: float
    logits: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    def __call__(self, grey: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return logits of grey pictures, uint8 (N, H, W)."""
        return self.logits(to_pixel_values(grey, self.preprocessor)).astype(np.float64)


def predictor(path: Path) -> Predictor:
    """Open a bundle (a folder with manifest.json) or a checkpoint.

    Raises:
        BundleError: It is neither, or damaged.
    """
    if (path / "manifest.json").is_file():
        bundle = load_bundle(path)
        session = open_session(bundle.model_bytes)
        return Predictor(
            name=f"{bundle.manifest['model']} {bundle.manifest['precision']}",
            identity=f"bundle {bundle.manifest['manifest_sha256']}",
            preprocessor=bundle.preprocessor,
            temperature=bundle.temperature,
            # One by one, as brain-infer runs them: dynamic INT8 takes its ranges over a whole batch.
            logits=lambda pixel_values: np.concatenate(
                [session.run(pixel_values[row : row + 1])[0] for row in range(len(pixel_values))]
            ),
        )
    checkpoint = load_checkpoint(path)

    def logits(pixel_values: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            output = checkpoint.model(torch.from_numpy(pixel_values))
        return np.asarray(output.logits.numpy())

    return Predictor(
        name=f"{checkpoint.name} checkpoint",
        identity=f"checkpoint {path.parent.name}/{path.name}",
        preprocessor=checkpoint.preprocessor,
        temperature=1.0,
        logits=logits,
    )
