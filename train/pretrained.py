"""Load pretrained weights into a model of this project: from the Hugging Face Hub, a local folder, or ImageNet's."""

import logging
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from edge_infer.errors import BundleIncompatible, BundleIncomplete, BundleIntegrity, UnreadableInput
from train.imagenet_weights import IMAGENET, imagenet_weights

__all__ = ["load_pretrained"]

logger = logging.getLogger(__name__)

#: Learned positions, (1, 1 + g*g, dim), in ``vit`` and ``vit-base``.
_POSITIONS = {"positions", "vit.embeddings.position_embeddings"}


def load_pretrained(model: nn.Module, source: str) -> None:
    """Copy weights by name; a classifier with another number of classes is left as it is.

    Learned positions of another image size are interpolated bicubically, as the ViT's authors do for fine-tuning at
    other resolutions (arXiv 2010.11929, section 3.2).

    Args:
        model: With parameter names as in transformers (``cvt.*``, ``layernorm.*``, ``classifier.*``).
        source: Local folder with ``model.safetensors``, a Hub id such as ``microsoft/cvt-13``, or ``imagenet`` for the
            weights of an installed package (``train.imagenet_weights``). A local folder of that name is ``./imagenet``.

    Raises:
        UnreadableInput: There is no such folder, and the Hub is unreachable or has no such model.
        MissingDependency: The package with the ImageNet weights is not installed.
        BundleIncomplete: It has no ``model.safetensors`` (``pytorch_model.bin`` is pickle and is not read).
        BundleIntegrity: The file is damaged.
        BundleIncompatible: Backbone weights are missing or have other shapes, or there are no ImageNet weights for
            this model.
    """
    given = _tensors(source, model)
    own = model.state_dict()
    for name in _POSITIONS & set(given) & set(own):
        given[name] = _interpolated(given[name], own[name].shape[1])
    replaced = {
        name
        for name in given
        if name.startswith("classifier.") and _shape(given, name) != _shape(own, name)
    }
    unused = sorted(set(given) - set(own))
    usable = {
        name: tensor for name, tensor in given.items() if name in own and name not in replaced
    }
    wrong = sorted(name for name, tensor in usable.items() if tensor.shape != own[name].shape)
    head = {name for name in own if name.startswith("classifier.")}
    missing = sorted(set(own) - set(usable) - head)
    if wrong or missing:
        raise BundleIncompatible(
            f"weights {source}: {len(missing)} missing ({', '.join(missing[:3])}), "
            f"{len(wrong)} of another shape ({', '.join(wrong[:3])})",
            hint="check that they are of this model",
        )
    model.load_state_dict(usable, strict=False)
    logger.info(
        "weights %s: %d tensors loaded; not used: %s; initialised at random: %s",
        source,
        len(usable),
        ", ".join(unused) or "none",
        ", ".join(sorted(head - set(usable))) or "none",
    )


def _tensors(source: str, model: nn.Module) -> dict[str, Tensor]:
    if source == IMAGENET:
        return imagenet_weights(model)
    folder = _folder(source)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise BundleIncomplete(
            f"weights {source}: model.safetensors is missing",
            hint="pickle files (.bin, .pt) are not read; convert them to safetensors first",
        )
    try:
        tensors = load_file(weights)
        pretrained_class = getattr(model, "pretrained_class", None)
        if pretrained_class is None or set(tensors) <= set(model.state_dict()):
            return tensors
        # transformers renames modules between versions and can read the names of older ones.
        loaded, told = pretrained_class.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except SafetensorError as error:
        raise BundleIntegrity(
            f"weights {source}: model.safetensors is damaged ({error})"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise BundleIncompatible(
            f"weights {source}: transformers cannot read them ({type(error).__name__})",
            hint="check that they are of this model and have their config.json",
        ) from error
    renamed: dict[str, Tensor] = loaded.state_dict()
    for name in told["missing_keys"]:  # initialised by transformers, not from the file
        renamed.pop(name, None)
    unread = {name: tensors[name] for name in told["unexpected_keys"] if name in tensors}
    return renamed | unread


def _interpolated(positions: Tensor, tokens: int) -> Tensor:
    """Resize positions (1, 1 + g*g, dim) to another grid; the class token's stays."""
    side, wanted = math.isqrt(positions.shape[1] - 1), math.isqrt(tokens - 1)
    if side == wanted:
        return positions
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, dim, g, g)
    resized = F.interpolate(grid.float(), size=(wanted, wanted), mode="bicubic", antialias=True)
    return torch.cat([positions[:, :1], resized.flatten(2).transpose(1, 2)], dim=1)


def _shape(tensors: dict[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(tensors[name].shape) if name in tensors else None


def _folder(source: str) -> Path:
    if Path(source).is_dir():
        return Path(source)
    try:
        return Path(snapshot_download(source, allow_patterns=["*.safetensors", "*.json"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UnreadableInput(
            f"weights {source}: neither a local folder nor reachable on the Hub",
            hint="without a network, pass the folder of a downloaded model to --weights",
        ) from error
