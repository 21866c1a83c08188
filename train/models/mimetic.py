"""Initial weights of a transformer: each token first attends to tokens like itself; positions are sine waves.

Mimetic initialization of self-attention layers, Trockman and Kolter 2023, https://arxiv.org/abs/2305.09828: trained
transformers have W_q W_k^T near a multiple of I and W_v W_out near a negative one. Drawn like that from the start, a
transformer learns from a few thousand images; with the usual values (0.02 everywhere) it learns very slowly.
"""

import math

import torch
from torch import Tensor

__all__ = ["mimetic_query_key", "mimetic_value_output", "sine_positions"]


def mimetic_query_key(dim: int, num_heads: int) -> tuple[Tensor, Tensor]:
    """Draw the weights of query and key so that each head's product is near 0.7 I + noise.

    Returns:
        Two of (dim, dim), rows by head, as ``torch.nn.Linear`` holds them.
    """
    head_dim = dim // num_heads
    queries: list[Tensor] = []
    keys: list[Tensor] = []
    for _ in range(num_heads):
        left, values, right = torch.linalg.svd(0.7 * _noise(dim) + 0.7 * torch.eye(dim))
        scale = values[:head_dim].sqrt()
        queries.append((left[:, :head_dim] * scale).T)
        keys.append((right.T[:, :head_dim] * scale).T)
    return torch.cat(queries), torch.cat(keys)


def mimetic_value_output(dim: int) -> tuple[Tensor, Tensor]:
    """Draw the weights of value and output projection so that their product is near -0.4 I + noise.

    Returns:
        Two of (dim, dim), as ``torch.nn.Linear`` holds them.
    """
    left, values, right = torch.linalg.svd(0.4 * _noise(dim) - 0.4 * torch.eye(dim))
    return values.sqrt()[:, None] * right, left * values.sqrt()


def sine_positions(grid: int, dim: int) -> Tensor:
    """Return (1, 1 + grid * grid, dim): zeros for the class token, then sines and cosines of row and column.

    Attention Is All You Need, section 3.5, once for each direction, as MoCo v3 does (arXiv 2104.02057).
    """
    quarter = math.ceil(dim / 4)
    frequencies = 10_000 ** -(torch.arange(quarter) / quarter)
    angles = torch.arange(grid)[:, None] * frequencies  # (grid, quarter)
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)  # (grid, dim / 2)
    rows = waves[:, None].expand(grid, grid, -1)
    columns = waves[None].expand(grid, grid, -1)
    places = torch.cat([rows, columns], dim=2).flatten(0, 1)[:, :dim]
    return torch.cat([torch.zeros(1, dim), places])[None]


def _noise(dim: int) -> Tensor:
    return torch.randn(dim, dim) / math.sqrt(dim)
