"""Bundles of the shipped checkpoint with other graphs: in float32, spoilt, and as onnxruntime quantizes by itself.

The float32 one is the reference. It keeps the shipped bundle's temperature, thresholds and scope check, so that only
the number format differs. What takes torch is made once, in a process of its own, below ``runs/campaigns``.
"""

import fcntl
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from reliability.bundles.good_bundles import MANIFEST, vouched

from edge_infer.bundle import shipped_bundle_path

__all__ = ["CHECKPOINT", "TOP", "float_bundle", "quantized_by_onnxruntime", "with_wrong_scale"]

TOP = Path(__file__).resolve().parents[4]
CHECKPOINT = TOP / "export" / "checkpoints" / "efficientnet-lite"
_KEPT = TOP / "runs" / "campaigns"

_EXPORT = """
import sys
from pathlib import Path
from export.bundling import float_graph
from train.checkpoint import load_checkpoint
checkpoint = load_checkpoint(Path(sys.argv[1]))
size = checkpoint.preprocessor
graph = float_graph(checkpoint.model, height=size.height, width=size.width)
Path(sys.argv[2]).write_bytes(graph.SerializeToString())
"""

_QUANTIZE = """
import sys
from pathlib import Path
import numpy as np
from onnxruntime.quantization import CalibrationDataReader, quantize_static
class Images(CalibrationDataReader):
    def __init__(self):
        self.left = iter(np.load(sys.argv[3]))
    def get_next(self):
        image = next(self.left, None)
        return None if image is None else {"pixel_values": image[None]}
quantize_static(sys.argv[1], sys.argv[2], Images())
"""


def float_bundle(folder: Path) -> Path:
    """Write the bundle in float32 into a folder and return its own folder."""
    graph = onnx.load_from_string(_once("fp32", _export))
    return _bundle(folder / "fp32", graph, in_float=True)


def with_wrong_scale(folder: Path) -> Path:
    """Write the shipped bundle with the classifier's bias as a scale gives it that is four times too large.

    The embeddings stay right, so that the scope check accepts what the classifier gets wrong.
    """
    graph = onnx.load(shipped_bundle_path() / "model.onnx")
    for tensor in graph.graph.initializer:
        if tensor.name == "classifier.bias":
            bias = numpy_helper.to_array(tensor) * np.float32(4)
            tensor.CopyFrom(numpy_helper.from_array(bias, tensor.name))
    return _bundle(folder / "wrong", graph, in_float=False)


def quantized_by_onnxruntime(folder: Path, images: np.ndarray) -> Path:
    """Write the bundle as ``quantize_static`` makes it with its own settings.

    Args:
        folder: Where to.
        images: float32, (N, 3, H, W), to calibrate on.
    """

    def quantize(target: Path) -> None:
        source, held = folder / "source.onnx", folder / "images.npy"
        source.write_bytes(_once("fp32", _export))
        np.save(held, images)
        _run(_QUANTIZE, source, target, held)

    graph = onnx.load_from_string(_once("quantize_static", quantize))
    return _bundle(folder / "plain", graph, in_float=False)


def _bundle(target: Path, graph: onnx.ModelProto, *, in_float: bool) -> Path:
    shipped = {path.name: path.read_bytes() for path in shipped_bundle_path().iterdir()}
    fields: dict[str, Any] = json.loads(shipped[MANIFEST])
    if in_float:
        fields["precision"], fields["quantization"] = "fp32", {}
        labels = fields["labels"]
        for answer in fields["golden"]:
            answer["logits"] = answer["fp32_logits"]
            answer["label"] = labels[int(np.argmax(answer["logits"]))]
    contract = onnx.load_from_string(shipped["model.onnx"]).metadata_props
    del graph.metadata_props[:]
    graph.metadata_props.extend(contract)
    fields["opset"] = next(entry.version for entry in graph.opset_import if not entry.domain)
    files = vouched({**shipped, "model.onnx": graph.SerializeToString()}, fields)
    target.mkdir()
    for name, data in files.items():
        (target / name).write_bytes(data)
    return target


def _export(target: Path) -> None:
    _run(_EXPORT, CHECKPOINT, target)


def _run(program: str, *arguments: Path) -> None:
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True, cwd=TOP)


def _once(what: str, make: Callable[[Path], None]) -> bytes:
    """Return what ``make`` writes; kept under the digest of the checkpoint, made by one process only."""
    digest = hashlib.sha256((CHECKPOINT / "model.safetensors").read_bytes()).hexdigest()[:12]
    _KEPT.mkdir(parents=True, exist_ok=True)
    target = _KEPT / f"{what}-{digest}.onnx"
    with (_KEPT / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            unfinished = target.with_suffix(".tmp")
            make(unfinished)
            unfinished.replace(target)
    return target.read_bytes()
