"""A few training steps under bf16 autocast, in a process of its own, since they may crash it.

``train.loop.bfloat16`` starts it with heap checks, ``python -m train.loop.bfloat16_probe FACTS``; exit code 0 means
that nothing was noticed.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_infer.contract import LABELS
from train.models import create_model
from train.models.convolutions import mend_convolutions
from train.threads import keep_threads_within_quota

__all__ = ["main", "narrow_layers"]

#: Kernels fail if threads share an image, so batch sizes are not multiples of the number of threads.
_NARROW_BATCHES = (1, 3, 5, 7)
_REPEATED = 4  # an overrun is not noticed every time


def main(facts: str) -> None:
    """Train each kind of layer that is known to damage memory, mended as in the models, and then the model itself.

    Args:
        facts: ``model``, ``sizes`` and ``image_sizes`` as JSON, and ``classes`` where they are not four.
    """
    asked: dict[str, Any] = json.loads(facts)
    keep_threads_within_quota()
    torch.manual_seed(0)
    for layer in narrow_layers():
        mend_convolutions(layer)
        for batch in _NARROW_BATCHES * _REPEATED:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                output = layer(_images(batch, layer))
            _learn(layer, output.float().square().mean())
    sizes, classes = asked["image_sizes"], asked.get("classes", len(LABELS))
    model: Any = create_model(
        asked["model"], classes, image_size=max(sizes), sizes=asked["sizes"], negative_id=0
    ).train()
    batch = 3 if torch.get_num_threads() % 3 else 5
    for size in sizes:
        for loss in _losses(model, torch.rand(batch, 3, size, size)):
            _learn(model, loss)


def narrow_layers() -> Iterator[nn.Conv2d]:
    """Yield the convolutions, not mended, whose kernels are known to write past their memory."""
    for channels in (4, 8, 12):
        layer = nn.Conv2d(channels, 16, kernel_size=1, stride=2, bias=False)
        yield layer.to(memory_format=torch.channels_last)


def _images(batch: int, layer: nn.Conv2d) -> Tensor:
    images = torch.rand(batch, layer.in_channels, 48, 48)
    return images.contiguous(memory_format=torch.channels_last).requires_grad_()


def _losses(model: Any, pixel_values: Tensor) -> Iterator[Tensor]:
    """Yield the losses of training, each with a graph of its own."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model.forward_head(model.forward_features(pixel_values))
    labels = torch.arange(len(pixel_values)) % output.logits.shape[1]
    yield F.cross_entropy(output.logits.float(), labels) + output.evidence.float().square().mean()
    for layer in range(len(getattr(model, "decoders", ()))):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss: Tensor = model.reconstruction_loss(pixel_values, layer)
        yield loss


def _learn(model: nn.Module, loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call, unused-ignore] # typed in some versions of torch only
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not bool(parameter.grad.isfinite().all()):
            raise SystemExit(f"{name}: the gradient is not finite")
    model.zero_grad(set_to_none=True)


if __name__ == "__main__":
    main(sys.argv[1])
