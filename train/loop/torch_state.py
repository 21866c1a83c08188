"""Optimizer, scheduler and random state as safetensors and JSON, because pickle runs code when it is loaded.

A nested state is split: tensors go to ``NAME.safetensors`` under their path (``state/12/exp_avg``), everything else to
``NAME.json`` with a marker in place of each tensor. Loading joins them again.
"""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import BundleIncomplete, CannotWrite
from edge_infer.names import shown_name

__all__ = ["load_random_state", "load_state", "save_random_state", "save_state"]

_TENSOR = "__tensor__"
_INTEGER_KEYS = "__integer_keys__"


def save_state(state: Any, folder: Path, name: str) -> None:
    """Write a nested state of dicts, lists, numbers, strings and tensors.

    Args:
        state: For instance ``optimizer.state_dict()``.
        folder: Existing folder.
        name: Stem of the two files.

    Raises:
        CannotWrite: No space is left, or the folder is gone.
    """
    tensors: dict[str, Tensor] = {}
    outline = _take_tensors_out(state, "", tensors)
    file = folder / f"{name}.safetensors"
    try:
        save_file(tensors, file)
    except (OSError, SafetensorError) as error:  # safetensors raises its own error for a full disk
        raise CannotWrite(
            f"{shown_name(file)}: cannot be written ({shown_name(error)})",
            hint="make room, then continue with --resume",
        ) from error
    write_bytes_atomically(folder / f"{name}.json", json.dumps(outline, indent=1).encode())


def load_state(folder: Path, name: str) -> Any:
    """Read what ``save_state`` wrote.

    Raises:
        BundleIncomplete: One of the two files is missing.
    """
    outline, tensors = folder / f"{name}.json", folder / f"{name}.safetensors"
    if not (outline.is_file() and tensors.is_file()):
        raise BundleIncomplete(f"{folder.name}: {name}.json or {name}.safetensors is missing")
    return _put_tensors_back(json.loads(outline.read_text()), load_file(tensors))


def save_random_state(folder: Path) -> None:
    """Write the state of Python's, NumPy's and torch's generators, GPUs included."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - the global generator is what libraries use
    state = {
        "python": list(random.getstate()),
        "numpy_key": torch.from_numpy(np.asarray(numpy_state["state"]["key"]).astype(np.int64)),
        "numpy_position": int(numpy_state["state"]["pos"]),
        "numpy_gauss": [int(numpy_state["has_gauss"]), float(numpy_state["gauss"])],
        "torch": torch.random.get_rng_state(),
    }
    if torch.cuda.is_available():  # dropped paths are drawn on the model's device
        state["cuda"] = torch.cuda.get_rng_state_all()
    save_state(state, folder, "random_state")


def load_random_state(folder: Path) -> None:
    """Restore what ``save_random_state`` wrote; a machine with another number of GPUs continues with other numbers."""
    state = load_state(folder, "random_state")
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    numpy_key = state["numpy_key"].numpy().astype(np.uint32)
    inner = {"key": numpy_key, "pos": state["numpy_position"]}
    has_gauss, gauss = state["numpy_gauss"]
    restored = {"bit_generator": "MT19937", "state": inner, "has_gauss": has_gauss, "gauss": gauss}
    np.random.set_state(restored)  # noqa: NPY002 - see above
    torch.random.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state.get("cuda", ())) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def _take_tensors_out(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[path] = value.detach().contiguous().clone()
        return {_TENSOR: path}
    if isinstance(value, dict):
        outline = {
            str(key): _take_tensors_out(item, f"{path}/{key}", tensors)
            for key, item in value.items()
        }
        if value and all(isinstance(key, int) for key in value):
            outline[_INTEGER_KEYS] = True
        return outline
    if isinstance(value, list | tuple):
        return [
            _take_tensors_out(item, f"{path}/{index}", tensors) for index, item in enumerate(value)
        ]
    return value


def _put_tensors_back(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        integers = value.pop(_INTEGER_KEYS, False)
        return {
            int(key) if integers else key: _put_tensors_back(item, tensors)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_put_tensors_back(item, tensors) for item in value]
    return value
