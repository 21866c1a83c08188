r"""Masked-image pre-training of cvt-slim on the training images: first weights for ``brain-train --weights``.

    OMP_NUM_THREADS=1 python docs/experiments/masked_pretraining.py --data DATA --manifest manifest.csv \
        --dataset brisc2025 --output runs/masked/checkpoint
    brain-train --model cvt-slim --weights runs/masked/checkpoint ...

SimMIM (Xie et al. 2021, arXiv 2111.09886): squares of an image are hidden, a linear layer on the feature map guesses
their pixels, the loss is the absolute error of the hidden ones. Labels are not used, nor images of the val and test
parts. docs/experiments.md says whether it helps. The product does not import this.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from tqdm import trange

from edge_infer.contract import LABELS
from edge_infer.preprocessing import PreprocessorConfig
from train.augmentation import augment
from train.checkpoint import save_checkpoint
from train.data.layouts import load_samples
from train.data.pixel_cache import PixelCache
from train.loop.grey_batches import pixel_values_from_grey
from train.models import create_model
from train.models.output import standardize
from train.recipe import Augmentation
from train.splits.sample_rows import part_rows

__all__ = ["hidden_places", "main", "reconstruction_loss"]

_STRIDE = 16  # of cvt-slim's feature map
_UNIT = 32  # side of a hidden square in pixels
_HIDDEN = 0.6
_BATCH = 32
_LEARNING_RATE = 1e-3
_VIEWS = Augmentation(
    rotation_degrees=20, scale=(0.7, 1.2), aspect=0.1, shift=0.05, horizontal_flip=0.5, gamma=0.5
)


def hidden_places(batch: int, side: int, generator: Generator) -> Tensor:
    """Draw the hidden squares, bool, (B, 1, side, side): the same share of each image."""
    places = side // _UNIT
    order = torch.rand(batch, places * places, generator=generator).argsort(dim=1)
    hidden = (order < round(_HIDDEN * places * places)).view(batch, 1, places, places)
    return hidden.repeat_interleave(_UNIT, 2).repeat_interleave(_UNIT, 3)


def reconstruction_loss(
    model: nn.Module, decoder: nn.Module, pixel_values: Tensor, hidden: Tensor
) -> Tensor:
    """Return the mean absolute error of the hidden pixels, in standard deviations of an image.

    Args:
        model: With ``forward_features``.
        decoder: Maps a feature map onto ``_STRIDE ** 2`` pixels of each place.
        pixel_values: (B, 3, H, W), grey.
        hidden: bool, (B, 1, H, W).
    """
    target = standardize(pixel_values)[:, :1]
    seen = pixel_values.masked_fill(hidden, 0.0) + pixel_values.mean((1, 2, 3), True) * hidden
    guess = F.pixel_shuffle(decoder(model.forward_features(seen)).float(), _STRIDE)  # type: ignore[operator]
    return (guess - target)[hidden].abs().mean()


def main() -> None:
    """Pre-train and write a checkpoint."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--dataset", default="")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--image-size", type=int, default=160)
    given = parser.parse_args()
    torch.manual_seed(0)
    samples = load_samples(given.data, manifest=given.manifest, dataset=given.dataset, verify=False)
    preprocessor = PreprocessorConfig(height=given.image_size, width=given.image_size)
    pixels = PixelCache.build(samples, preprocessor, given.cache).pixels
    rows = part_rows(samples, "train", one_of_each_copy=True)
    model: Any = create_model("cvt-slim", len(LABELS), image_size=given.image_size).train()
    decoder = nn.Conv2d(model.feature_dim, _STRIDE**2, kernel_size=1)
    learnt = [*model.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(learnt, lr=_LEARNING_RATE, weight_decay=0.05)
    steps = given.epochs * (len(rows) // _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / steps)),
    )
    generator = torch.Generator().manual_seed(0)
    order: list[int] = []
    last = 0.0
    progress = trange(steps)
    for _ in progress:
        if len(order) < _BATCH:
            order = torch.randperm(len(rows), generator=generator).tolist()
        batch = np.asarray(pixels[sorted(rows[order.pop()] for _ in range(_BATCH))])
        views = augment(torch.from_numpy(batch)[:, None] / 255, _VIEWS, generator)
        pixel_values = pixel_values_from_grey(views, preprocessor)
        hidden = hidden_places(_BATCH, given.image_size, generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = reconstruction_loss(model, decoder, pixel_values, hidden)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call, unused-ignore] # typed in some versions of torch only
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        schedule.step()
        last = loss.item()
        progress.set_postfix(loss=f"{last:.3f}")
    save_checkpoint(
        given.output,
        name="cvt-slim",
        model=model,
        preprocessor=preprocessor,
        training={"masked_pretraining": {"epochs": given.epochs, "loss": last}},
    )
    print(f"checkpoint: {given.output}, last loss {last:.3f}")


if __name__ == "__main__":
    main()
