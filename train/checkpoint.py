"""A checkpoint folder: config.json, preprocessor_config.json, model.safetensors. Hugging Face's shape, no pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from edge_infer.atomic import replace_folder_atomically
from edge_infer.classes import BRAIN, Classes
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import (
    BundleIncompatible,
    BundleIncomplete,
    BundleIntegrity,
    UnknownModel,
    UnreadableInput,
)
from edge_infer.preprocessing import PreprocessorConfig
from train.models import MODEL_TYPES, create_model

__all__ = [
    "CHECKPOINT_FILES",
    "Checkpoint",
    "load_checkpoint",
    "model_config",
    "read_json_object",
    "save_checkpoint",
]

#: The files of a checkpoint folder; evaluations may lie beside them.
CHECKPOINT_FILES = ("config.json", "model.safetensors", "preprocessor_config.json", "training.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained model and what is known about it.

    Attributes:
        path: The folder.
        name: The model's name in ``train.models.MODELS``.
        model: With float32 weights, in evaluation mode.
        classes: What it tells apart.
        config: Parsed config.json.
        preprocessor: Parsed preprocessor_config.json.
        training: Parsed training.json: recipe, seed, data hash, metrics; empty if there is none.
    """

    path: Path
    name: str
    model: nn.Module
    classes: Classes
    config: dict[str, Any]
    preprocessor: PreprocessorConfig
    training: dict[str, Any]


def model_config(
    name: str,
    preprocessor: PreprocessorConfig,
    sizes: Mapping[str, Any] | None = None,
    classes: Classes = BRAIN,
) -> dict[str, Any]:
    """Return config.json's fields for a model of this project."""
    return {
        **({"brain_edge_sizes": dict(sizes)} if sizes else {}),
        "architectures": [f"brain-edge/{name}"],
        "brain_edge_model": name,
        "image_size": preprocessor.height,
        **classes.config_fields(),
        "model_type": MODEL_TYPES.get(name, name),
        "num_channels": 3,
        "problem_type": "single_label_classification",
        "research_use_only": RESEARCH_USE_ONLY,
    }


def save_checkpoint(
    target: Path,
    *,
    name: str,
    model: nn.Module,
    preprocessor: PreprocessorConfig,
    training: dict[str, Any],
    classes: Classes = BRAIN,
    sizes: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
    more_files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a checkpoint folder atomically; an older one at the same place is kept until the new one is complete.

    Args:
        target: The folder.
        name: The model's name.
        model: The model whose weights are written.
        preprocessor: Written to preprocessor_config.json.
        training: Written to training.json.
        classes: What the model tells apart.
        sizes: Sizes the model was built with, as ``create_model`` takes them.
        dtype: Of the weights; float16 halves the size, for shipping.
        more_files: Contents of further files to write into the folder, by name.
    """
    tensors = {
        key: value.detach().to(dtype).contiguous()
        if value.is_floating_point()
        else value.detach().contiguous()
        for key, value in model.state_dict().items()
    }
    config = {
        **model_config(name, preprocessor, sizes, classes),
        "torch_dtype": str(dtype).removeprefix("torch."),
    }
    with replace_folder_atomically(target) as folder:
        (folder / "model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
        (folder / "config.json").write_text(_json(config), encoding="utf-8")
        (folder / "preprocessor_config.json").write_text(preprocessor.to_json(), encoding="utf-8")
        (folder / "training.json").write_text(_json(training), encoding="utf-8")
        for name_beside, content in (more_files or {}).items():
            (folder / name_beside).write_bytes(content)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        UnreadableInput: The folder or a file in it cannot be read.
        BundleIncomplete: A file is missing.
        BundleIncompatible: The model is unknown or its weights have other names or shapes.
        BundleIntegrity: A file is damaged.
    """
    for needed in ("config.json", "preprocessor_config.json", "model.safetensors"):
        if not _is_file(path / needed):
            raise BundleIncomplete(
                f"checkpoint {path}: {needed} is missing",
                hint="pass the folder that brain-train wrote",
            )
    config = read_json_object(path / "config.json")
    preprocessor = PreprocessorConfig.from_dict(read_json_object(path / "preprocessor_config.json"))
    training = read_json_object(path / "training.json") if _is_file(path / "training.json") else {}
    name = str(config.get("brain_edge_model", ""))
    classes = _classes(path, config)
    try:
        model = create_model(
            name,
            len(classes),
            image_size=preprocessor.height,
            sizes=config.get("brain_edge_sizes"),
            negative_id=classes.negative_id,
        )
    except UnknownModel as error:  # nobody typed that name: the checkpoint is of another version
        raise BundleIncompatible(
            f"checkpoint {path}: config.json: {error.message}",
            hint="update brain-edge, or pass a checkpoint of one of these models",
        ) from error
    try:
        tensors = load_file(path / "model.safetensors")
    except OSError as error:
        raise _unreadable(path / "model.safetensors", error) from error
    except SafetensorError as error:
        raise BundleIntegrity(
            f"checkpoint {path}: model.safetensors is damaged ({error})"
        ) from error
    tensors = {
        key: value.float() if value.is_floating_point() else value for key, value in tensors.items()
    }
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise BundleIncompatible(f"checkpoint {path}: {error}") from error
    return Checkpoint(
        path=path,
        name=name,
        model=model.eval(),
        classes=classes,
        config=config,
        preprocessor=preprocessor,
        training=training,
    )


def _classes(path: Path, config: Mapping[str, Any]) -> Classes:
    """Read the classes of config.json: ``id2label`` with ids from 0 without a gap, and its reverse if there is one."""
    named = config.get("id2label")
    labels = (
        tuple(named.get(str(number), "") for number in range(len(named)))
        if isinstance(named, dict)
        else ()
    )
    try:
        classes = Classes.from_config(labels, config)
    except (ValueError, TypeError) as error:
        raise BundleIncompatible(
            f"checkpoint {path}: config.json: id2label names no classes ({error})",
            hint="pass a checkpoint that brain-train wrote",
        ) from error
    ids = config.get("label2id")
    if ids is not None and ids != classes.config_fields()["label2id"]:
        raise BundleIncompatible(
            f"checkpoint {path}: config.json: label2id is not the reverse of id2label",
            hint="pass a checkpoint that brain-train wrote",
        )
    return classes


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a folder that may not be entered, a name that is too long
        raise _unreadable(path.parent, error) from error


def _unreadable(path: Path, error: OSError) -> UnreadableInput:
    return UnreadableInput(
        f"checkpoint {path}: cannot be read ({error.strerror})",
        hint="check the name and the permissions",
    )


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file of a run or checkpoint.

    Raises:
        UnreadableInput: It cannot be read.
        BundleIntegrity: It is not JSON, or not an object.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise BundleIntegrity(f"{path}: not valid JSON ({error})") from error
    if not isinstance(fields, dict):
        raise BundleIntegrity(f"{path}: is not an object")
    return fields
