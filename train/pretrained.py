"""Pretrained weights from the Hugging Face Hub or a local folder, put into a model of this project."""

import logging
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from edge_infer.errors import BundleIncompatible, BundleIncomplete, BundleIntegrity, UnreadableInput

__all__ = ["load_pretrained"]

logger = logging.getLogger(__name__)


def load_pretrained(model: nn.Module, source: str) -> None:
    """Copy weights by name; the classifier is replaced where its number of classes differs.

    Args:
        model: With parameter names as in transformers (``cvt.*``, ``layernorm.*``, ``classifier.*``).
        source: Local folder with ``model.safetensors``, or a Hub id such as ``microsoft/cvt-13``.

    Raises:
        UnreadableInput: No such folder, and the Hub cannot be reached or has no such model.
        BundleIncomplete: No ``model.safetensors`` there (``pytorch_model.bin`` is pickle and is not read).
        BundleIntegrity: The file is damaged.
        BundleIncompatible: Backbone weights are missing or have other shapes.
    """
    weights = _folder(source) / "model.safetensors"
    if not weights.is_file():
        raise BundleIncomplete(
            f"weights {source}: model.safetensors is missing",
            hint="files of pickle (.bin, .pt) are not read; convert them with safetensors first",
        )
    try:
        given = load_file(weights)
    except SafetensorError as error:
        raise BundleIntegrity(
            f"weights {source}: model.safetensors is damaged ({error})"
        ) from error
    own = model.state_dict()
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
            hint="are they of this model?",
        )
    model.load_state_dict(usable, strict=False)
    logger.info(
        "weights %s: %d tensors loaded, not used: %s, starting anew: %s",
        source,
        len(usable),
        ", ".join(unused) or "none",
        ", ".join(sorted(head - set(usable))) or "none",
    )


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
