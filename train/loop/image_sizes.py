"""Progressive resolution: a run begins with smaller images, which cost less."""

import torch.nn.functional as F
from torch import Tensor

from edge_infer.errors import UnknownModel
from train.recipe import Recipe

__all__ = ["check_image_sizes", "resized", "size_at"]

#: Models whose weights fit one image size only.
_FIXED = ("sae", "vit", "vit-base")


def check_image_sizes(name: str, recipe: Recipe) -> None:
    """Refuse several image sizes for a model with learned positions or a weight for each pixel.

    Raises:
        UnknownModel: The model takes one size only.
    """
    if name in _FIXED and len(recipe.image_sizes) > 1:
        sizes = ", ".join(str(size) for size, _ in recipe.image_sizes)
        raise UnknownModel(
            f"{name} learns positions of one image size, but image_sizes has {sizes}",
            hint="leave image_sizes out of the recipe",
        )


def size_at(recipe: Recipe, progress: float) -> int:
    """Return the side of the images when this share of the training, 0..1, is done."""
    until = 0.0
    for size, share in recipe.image_sizes:
        until += share
        if progress < until:
            return size
    return recipe.image_size


def resized(images: Tensor, size: int) -> Tensor:
    """Scale (B, C, H, W) to (B, C, size, size) as the preprocessing does: bilinear, antialiased."""
    if images.shape[2:] == (size, size):
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True)
