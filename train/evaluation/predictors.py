"""One interface to whatever is evaluated: a PyTorch checkpoint or an ONNX bundle."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge_infer.bundle import load_bundle
from edge_infer.bundle_session import open_bundle_session
from edge_infer.classes import Classes
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from edge_infer.session import Session
from train.checkpoint import load_checkpoint
from train.threads import keep_threads_within_quota

__all__ = ["Predictor", "predictor"]

_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """A model as evaluation sees it.

    Attributes:
        name: For titles, such as ``cvt13 int8``.
        identity: Digest of a bundle's manifest, or the run's name.
        digest: SHA-256 of a bundle's manifest, or of a checkpoint's weights: two models never share one.
        classes: What it tells apart.
        preprocessor: Size and scaling.
        temperature: What logits are divided by before the softmax.
        outputs: Turns pixel_values, float32 (N, 3, H, W), into logits, float32 (N, classes), and evidence, float32
            (N, classes, h, w).
    """

    name: str
    identity: str
    digest: str
    classes: Classes
    preprocessor: PreprocessorConfig
    temperature: float
    outputs: Callable[[_Floats], tuple[_Floats, _Floats]]

    def __call__(self, grey: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return logits of grey images, uint8 (N, H, W)."""
        return self.with_evidence(grey)[0]

    def with_evidence(self, grey: NDArray[np.uint8]) -> tuple[NDArray[np.float64], _Floats]:
        """Return logits and evidence, (N, classes, h, w), of grey images, uint8 (N, H, W)."""
        logits, evidence = self.outputs(to_pixel_values(grey, self.preprocessor))
        return logits.astype(np.float64), evidence


def predictor(path: Path) -> Predictor:
    """Open a bundle (a folder with manifest.json) or a checkpoint.

    Raises:
        BundleError: It is neither, or damaged.
    """
    if (path / "manifest.json").is_file():
        bundle = load_bundle(path)
        session = open_bundle_session(bundle)
        return Predictor(
            name=f"{bundle.manifest['model']} {bundle.manifest['precision']}",
            identity=f"bundle {bundle.manifest['manifest_sha256']}",
            digest=bundle.manifest["manifest_sha256"],
            classes=bundle.classes,
            preprocessor=bundle.preprocessor,
            temperature=bundle.temperature,
            outputs=lambda pixel_values: _one_by_one(session, pixel_values),
        )
    checkpoint = load_checkpoint(path)
    keep_threads_within_quota()

    def outputs(pixel_values: _Floats) -> tuple[_Floats, _Floats]:
        with torch.inference_mode():
            output = checkpoint.model(torch.from_numpy(pixel_values))
        return np.asarray(output.logits.numpy()), np.asarray(output.evidence.numpy())

    return Predictor(
        name=f"{checkpoint.name} checkpoint",
        identity=f"checkpoint {path.parent.name}/{path.name}",
        digest=hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest(),
        classes=checkpoint.classes,
        preprocessor=checkpoint.preprocessor,
        temperature=1.0,
        outputs=outputs,
    )


def _one_by_one(session: Session, pixel_values: _Floats) -> tuple[_Floats, _Floats]:
    """Run images one at a time, as brain-infer does: in a batch, dynamic INT8 would take its ranges over all of it."""
    runs = [session.run(pixel_values[row : row + 1]) for row in range(len(pixel_values))]
    logits, _, evidence = (np.concatenate(output) for output in zip(*runs, strict=True))
    return logits, evidence
