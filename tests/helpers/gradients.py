"""What a child process of ``own_process`` computes: the gradients of a model's first step."""

from typing import Any

import torch
from torch import nn

from train.models import create_model

__all__ = ["check_gradients"]


def check_gradients(
    name: str,
    image_size: int,
    sizes: dict[str, Any],
    no_class_learns: tuple[str, ...],
    bf16: bool,
) -> None:
    """Raise unless every parameter has a finite gradient, and at least one a gradient other than 0."""
    torch.set_num_threads(2)  # kernels overrun their memory if two threads share an image
    torch.manual_seed(1)
    learning: Any = create_model(name, 4, image_size=image_size, sizes=sizes)
    generator = torch.Generator().manual_seed(2)
    grey = torch.rand(3, 1, image_size, image_size, generator=generator)
    for _ in range(4):  # damaged memory is noticed when it is freed
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            features = learning.forward_features(grey.expand(-1, 3, -1, -1))
            logits = learning.forward_head(features).logits
            loss = nn.functional.cross_entropy(logits.float(), torch.tensor([0, 1, 2]))
        learning.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
    gradients = {
        key: parameter.grad
        for key, parameter in learning.named_parameters()
        if not key.startswith(no_class_learns)
    }
    for key, gradient in gradients.items():
        assert gradient is not None, key
        assert bool(gradient.isfinite().all()), key
    assert any(float(gradient.abs().max()) > 0 for gradient in gradients.values())
