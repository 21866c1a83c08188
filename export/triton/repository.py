"""Write a bundle as two models of a Triton model repository.

Layout ("Model Repository" in Triton's documentation)::

    REPOSITORY/
      NAME/         config.pbtxt  labels.txt  1/model.onnx    pixel_values -> logits, embeddings, evidence
      NAME-image/   config.pbtxt  labels.txt  1/model.onnx    image of any size -> probabilities, evidence
"""

import re
from dataclasses import dataclass
from pathlib import Path

import onnx

from edge_infer.atomic import refuse_other_content, replace_folder_atomically
from edge_infer.bundle import Bundle
from edge_infer.contract import OUTPUT_NAMES
from export.end_to_end.write import ANSWER_NAMES
from export.int8.processors import PROCESSORS
from export.triton.check import check_batch
from export.triton.config import LABELS_FILE, MODEL_FILE, model_config
from export.triton.graphs import depends_on_batch, image_graph

__all__ = ["MAX_BATCH_SIZE", "TritonModel", "model_folders", "write_triton_repository"]

#: Requests that Triton may put into one run, where a run's images do not influence each other.
MAX_BATCH_SIZE = 8

_CONFIG_FILE = "config.pbtxt"
_VERSION = "1"

_NOT_INSIDE = (
    "Whether an answer is accepted is not inside: scope check, prediction sets and doubts are those of edge_infer "
    "(docs/triton.md)."
)
_SATURATES = (
    "Not for x64 processors without VNNI: these 8-bit weights give wrong sums there, and Triton cannot pass on the "
    "option against it. Export with --target x64-avx2 for such servers."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonModel:
    """One model of the repository.

    Attributes:
        name: As requests name it.
        max_batch_size: As in its config.pbtxt.
        folder: Where it lies.
    """

    name: str
    max_batch_size: int
    folder: Path


def model_folders(bundle: Path, repository: Path) -> tuple[Path, Path]:
    """Return where the two models of a bundle lie, and refuse folders that hold something else.

    Args:
        bundle: Its folder, which need not exist yet; the models have its name.
        repository: The model repository.

    Raises:
        CannotWrite: One of them holds something else, or has no name.
    """
    name = re.sub(r"[^\w.-]", "_", bundle.resolve().name, flags=re.ASCII)
    folders = repository / name, repository / f"{name}-image"
    for folder in folders:
        known = (_CONFIG_FILE, LABELS_FILE, _VERSION)
        refuse_other_content(folder, known, what="this model of a Triton repository")
    return folders


def write_triton_repository(bundle: Bundle, repository: Path) -> tuple[TritonModel, TritonModel]:
    """Write both models; others in the repository are left alone.

    Args:
        bundle: As loaded.
        repository: A new or existing model repository.

    Returns:
        The bundle's own graph and the one that takes images.

    Raises:
        BundleIncompatible: Operators that are not ONNX's own, or a filter other than bilinear.
        ParityFailed: A graph does not answer as the bundle does; nothing is written.
        CannotWrite: A model's folder holds something else or cannot be written.
        OutputLocked: Another process is writing it.
    """
    folders = model_folders(bundle.path, repository)
    own = onnx.load_from_string(bundle.model_bytes)
    image = image_graph(own, bundle)
    batch = 1 if depends_on_batch(own) else MAX_BATCH_SIZE
    check_batch(own, bundle, batch)
    models = (
        TritonModel(name=folders[0].name, max_batch_size=batch, folder=folders[0]),
        TritonModel(name=folders[1].name, max_batch_size=0, folder=folders[1]),
    )
    _write(models[0], own, bundle, labelled=OUTPUT_NAMES[0], notes=_notes_on_own(bundle, batch))
    _write(models[1], image, bundle, labelled=ANSWER_NAMES[0], notes=_notes_on_image(bundle))
    return models


def _write(
    model: TritonModel, graph: onnx.ModelProto, bundle: Bundle, *, labelled: str, notes: list[str]
) -> None:
    config = model_config(
        graph.graph,
        name=model.name,
        max_batch_size=model.max_batch_size,
        labelled=labelled,
        notes=notes,
    )
    with replace_folder_atomically(model.folder) as folder:
        (folder / _CONFIG_FILE).write_text(config, encoding="ascii", newline="\n")
        (folder / LABELS_FILE).write_text("\n".join([*bundle.labels, ""]), encoding="utf-8")
        (folder / _VERSION).mkdir()
        (folder / _VERSION / MODEL_FILE).write_bytes(graph.SerializeToString())


def _notes_on_own(bundle: Bundle, batch: int) -> list[str]:
    notes = [
        f"pixel_values: of edge_infer.preprocessing. Probabilities: softmax(logits / {bundle.temperature!r}).",
        *_notes_on_image(bundle),
    ]
    if batch == 1:
        notes.append(
            "INT8 whose scales are chosen while it runs: in a batch, images would change each other's answers. "
            "Leave max_batch_size at 1."
        )
    return notes


def _notes_on_image(bundle: Bundle) -> list[str]:
    saturates = bundle.largest_weight > PROCESSORS["x64-avx2"].weight_limit
    return [_NOT_INSIDE, *([_SATURATES] if saturates else [])]
