"""The first weights of a model with CvT blocks, which begin as small convolutions with attention to similar tokens."""

from typing import Any

import torch
from torch import nn

from train.models.mimetic import mimetic_query_key, mimetic_value_output

__all__ = ["initialize_cvt"]


def initialize_cvt(model: nn.Module, cvt: nn.Module) -> None:
    """Draw the first weights of a model, in place.

    Args:
        model: With all its layers.
        cvt: The part of it that is transformers' CvtModel.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d) and module.groups > 1:
            # The centre of each kernel passes its channel on, with some noise around it: nearly the identity.
            nn.init.normal_(module.weight, std=0.15)
            with torch.no_grad():
                module.weight[:, :, 1, 1] += 1.0
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    for module in cvt.modules():
        if type(module).__name__ == "CvtAttention":
            _initialize_attention(module)


def _initialize_attention(attention: Any) -> None:
    heads = attention.attention  # transformers' CvtSelfAttention
    dim, num_heads = int(heads.embed_dim), int(heads.num_heads)
    query, key = mimetic_query_key(dim, num_heads)
    value, output = mimetic_value_output(dim)
    with torch.no_grad():
        heads.projection_query.weight.copy_(query)
        heads.projection_key.weight.copy_(key)
        heads.projection_value.weight.copy_(value)
        attention.output.dense.weight.copy_(output)
