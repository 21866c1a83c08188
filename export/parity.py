"""The comparison of an exported graph with PyTorch: names, shapes, then values, at several batch sizes."""

from typing import Any

import numpy as np
import torch
from torch import nn

from edge_infer.contract import OUTPUT_NAMES
from edge_infer.errors import ParityFailed
from edge_infer.session import Session
from train.models.two_questions import TwoQuestions

__all__ = ["ATOL", "FP16_SHARE", "check_parity"]

#: Largest absolute difference allowed, in logit units, for a float32 graph. The evidence of a head of
#: two questions may differ by this share of its largest value: such a head can put a logit on one of N places, whose
#: evidence is then N times the logit, and float32 has no more digits for it.
ATOL = 1e-4

#: That share for a float16 graph, which has three digits fewer. Measured: 0.4 % on noise.
FP16_SHARE = 1e-2

_BATCH_SIZES = (1, 3, 8)


def check_parity(
    model: nn.Module,
    session: Session,
    *,
    height: int,
    width: int,
    atol: float = ATOL,
    share: float = ATOL,
) -> dict[str, Any]:
    """Compare a graph with the PyTorch model on random images.

    Args:
        model: In evaluation mode.
        session: Of the exported graph.
        height: Rows of pixel_values.
        width: Columns of pixel_values.
        atol: Largest absolute difference allowed.
        share: Of the largest evidence, by which that of a head of two questions may differ where it is more.

    Returns:
        ``parity`` of the manifest: largest difference of each output, tolerance, batch sizes.

    Raises:
        ParityFailed: A shape or a value differs.
    """
    generator = torch.Generator().manual_seed(0)
    worst, allowed_evidence = dict.fromkeys(OUTPUT_NAMES, 0.0), atol
    for batch in _BATCH_SIZES:
        pixel_values = torch.rand(batch, 3, height, width, generator=generator)
        with torch.inference_mode():
            expected = model(pixel_values)[: len(OUTPUT_NAMES)]  # without what is for training
        for name, reference, given in zip(
            OUTPUT_NAMES, expected, session.run(pixel_values.numpy()), strict=True
        ):
            if tuple(reference.shape) != given.shape:
                raise ParityFailed(
                    f"parity: {name} has shape {given.shape} at batch {batch}, expected {tuple(reference.shape)}"
                )
            difference = float(np.abs(reference.numpy() - given).max())
            worst[name] = max(worst[name], difference)
            allowed = atol
            if name == "evidence" and isinstance(getattr(model, "classifier", None), TwoQuestions):
                allowed = max(atol, share * float(reference.abs().max()))
            allowed_evidence = max(allowed_evidence, allowed)
            if not difference <= allowed:
                raise ParityFailed(
                    f"parity: {name} differs by {difference:.1e} at batch {batch}, allowed is {allowed:.0e}",
                    hint="report it with the versions of torch and onnx; the bundle was not written",
                )
    return {
        "atol": atol,
        "atol_evidence": allowed_evidence,
        "batch_sizes": list(_BATCH_SIZES),
        "max_abs_difference": worst,
        "reference": "PyTorch float32",
    }
