"""Graphs that are made from a checkpoint once and kept: the plain export, and what other tools make from it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from benchmarks.engines import Engine
from benchmarks.peer_environments import peer_python
from benchmarks.study import Study
from benchmarks.worker_process import Worker, without_places
from edge_infer.atomic import replace_folder_atomically
from edge_infer.errors import InferenceFailed
from edge_infer.machine import usable_cores
from edge_infer.preprocessing import PreprocessorConfig
from export.int8.calibration import PixelReader
from export.int8.quantization import prepare
from export.model_inputs import ModelInputs
from export.quiet import quiet
from export.to_onnx import export_graph
from train.checkpoint import load_checkpoint

__all__ = ["ARTIFACTS", "engine_config", "make", "model_files", "plain_graph"]

_MODEL = "model.onnx"


def make(artifact: str, study: Study, peers: Path) -> Path:
    """Return the folder of an artifact; make the artifact first if it does not exist.

    Args:
        artifact: A name in ``ARTIFACTS``.
        study: The model.
        peers: Folder of the peers' environments.

    Raises:
        BrainError: It cannot be made, for example because a peer is not installed.
    """
    folder = study.folder / artifact
    if not folder.is_dir():
        needed = {name: make(name, study, peers) for name in _NEEDS.get(artifact, ())}
        with replace_folder_atomically(folder) as temporary:
            ARTIFACTS[artifact](study, temporary, needed, peers)
            for name in ("config.json", "preprocessor_config.json"):
                (temporary / name).write_bytes((study.checkpoint / name).read_bytes())
    return folder


def engine_config(engine: Engine, study: Study, peers: Path) -> dict[str, Any]:
    """Return an engine's config with the files it needs; make those that do not exist."""
    if not engine.artifact:
        return engine.config
    folder = make(engine.artifact, study, peers).resolve()
    if engine.config["adapter"] == "optimum_model":
        return {**engine.config, "folder": str(folder), "file_name": _main_file(folder).name}
    return {**engine.config, "model": str(_main_file(folder))}


def model_files(engine: Engine, study: Study, peers: Path) -> tuple[Path, ...]:
    """Return the files with an engine's weights and graph."""
    if not engine.artifact:
        return engine.model_files
    folder = make(engine.artifact, study, peers)
    return tuple(
        path for path in sorted(folder.iterdir()) if path.suffix in (".onnx", ".xml", ".bin")
    )


def plain_graph(study: Study, peers: Path) -> onnx.ModelProto:
    """Return the plain export."""
    return onnx.load(make("plain", study, peers) / _MODEL)


def _main_file(folder: Path) -> Path:
    return next(path for path in sorted(folder.iterdir()) if path.suffix in (".onnx", ".xml"))


def _plain(study: Study, target: Path, _: dict[str, Path], __: Path) -> None:
    model = load_checkpoint(study.checkpoint).model
    onnx.save(export_graph(model, height=study.height, width=study.width), target / _MODEL)


def _prepared(_: Study, target: Path, needed: dict[str, Path], __: Path) -> None:
    """Prepare the graph as onnxruntime's documentation asks before quantizing: fold constants, infer shapes."""
    onnx.save(prepare(onnx.load(needed["plain"] / _MODEL)), target / _MODEL)


def _qdq(study: Study, target: Path, needed: dict[str, Path], _: Path) -> None:
    """Quantize with onnxruntime's own static quantization as its documentation shows it, with no layer excluded."""
    fields = json.loads(study.preprocessor_file.read_text(encoding="utf-8"))
    preprocessor = PreprocessorConfig.from_dict(fields)
    reader = PixelReader(ModelInputs(np.load(study.calibration), preprocessor))
    try:
        with quiet():
            quantize_static(
                needed["prepared"] / _MODEL,
                target / _MODEL,
                reader,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "MatMul", "Gemm"],
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
            )
    except Exception as error:  # of any class: a peer that fails is reported, like a missing one
        reason = without_places(f"{type(error).__name__}: {error}")
        raise InferenceFailed(f"onnxruntime cannot quantize this graph ({reason})") from error


def _optimum_int8(study: Study, target: Path, needed: dict[str, Path], peers: Path) -> None:
    source = needed["prepared"].resolve() / _MODEL
    arguments = {"source": str(source), "target": str(target.resolve())}
    _in_peer("optimum", "optimum_model", study, peers, arguments)


def _nncf(study: Study, target: Path, needed: dict[str, Path], peers: Path) -> None:
    arguments = {
        "source": str(needed["plain"].resolve() / _MODEL),
        "grey": str(study.calibration.resolve()),
        "target": str(target.resolve() / "model.xml"),
    }
    _in_peer("openvino", "openvino_model", study, peers, arguments)


def _in_peer(peer: str, adapter: str, study: Study, peers: Path, arguments: dict[str, str]) -> None:
    config = {"adapter": adapter, "preprocessor": str(study.preprocessor_file.resolve())}
    python = peer_python(peer, peers)
    with Worker(f"{peer} quantizer", config, python=python, threads=usable_cores()) as worker:
        worker.ask("load")
        worker.ask("call", timeout=3600, method="quantize", **arguments)


#: By name, what makes each artifact: called with the study, the folder to write to, the folders of the artifacts it
#: needs, and the folder of the peers' environments.
ARTIFACTS: dict[str, Callable[[Study, Path, dict[str, Path], Path], None]] = {
    "plain": _plain,
    "prepared": _prepared,
    "qdq": _qdq,
    "optimum-int8": _optimum_int8,
    "nncf": _nncf,
}

#: The artifacts that an artifact is made from.
_NEEDS = {
    "prepared": ("plain",),
    "qdq": ("prepared",),
    "optimum-int8": ("prepared",),
    "nncf": ("plain",),
}
