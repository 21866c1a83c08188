"""Checkpoint to bundle: export, compare, quantize, judge, write."""

import dataclasses
import json
import logging
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel
from torch import nn

from edge_infer.bundle import Bundle, write_bundle
from edge_infer.contract import (
    GOLDEN_FILE,
    LABELS,
    METADATA_KEY,
    OUTPUT_NAMES,
    RESEARCH_USE_ONLY,
)
from edge_infer.manifest import canonical_json
from edge_infer.prediction import softmax
from edge_infer.preprocessing import PreprocessorConfig
from edge_infer.version import __version__
from export.answers import logits_one_by_one
from export.golden import make_golden
from export.graphs import build_graph, can_build
from export.graphs.float_layers import FloatLayers
from export.int8.calibration import ExportImages
from export.int8.choice import Tried, choose
from export.int8.targets import TARGETS
from export.int8.variants import quantized_variants
from export.model_card import INTENDED_USE, model_card
from export.parity import check_parity
from export.sessions import largest_weight, open_graph
from export.temperature import fit_temperature
from export.to_onnx import export_graph
from train.checkpoint import Checkpoint
from train.data.samples import Progress
from train.metrics.calibration_error import expected_calibration_error

__all__ = ["FP16_ATOL", "Report", "export_bundle", "float_graph"]

logger = logging.getLogger(__name__)

#: fp16 weights and activations: largest logit difference allowed.
FP16_ATOL = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an export did.

    Attributes:
        bundle: The bundle, as loaded back.
        tried: Each quantization that was tried, with its verdict.
    """

    bundle: Bundle
    tried: tuple[Tried, ...]


def export_bundle(
    checkpoint: Checkpoint,
    folder: Path,
    *,
    precision: str,
    images: ExportImages | None,
    metrics: dict[str, Any],
    command: str,
    target: str = "x64-vnni",
    quick: bool = False,
    cache: Path | None = None,
    step: Callable[[str], None] = logger.info,
    details: Callable[[str], None] = logger.debug,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Write a bundle.

    Args:
        checkpoint: The trained model.
        folder: The bundle's folder; an older bundle there stays whole unless this one is good.
        precision: ``fp32``, ``fp16`` or ``int8``.
        images: For calibration, gate and temperature; INT8 needs them.
        metrics: Evaluations for the model card, as ``train.evaluation.evaluate`` writes them.
        command: How the bundle was made.
        target: Processors an INT8 graph is written for, in ``TARGETS``.
        quick: Take the first INT8 graph that passes, instead of the best of all.
        cache: Folder for FP32 answers on corrupted images, so that a killed run goes on.
        step: Told what is being done.
        details: Told the tables of all that was tried.
        progress: Told how far a long step is.

    Raises:
        ParityFailed: The graph does not give what PyTorch gives.
        QualityGateFailed: No quantization is good enough; nothing is written.
    """
    preprocessor = checkpoint.preprocessor
    size = {"height": preprocessor.height, "width": preprocessor.width}
    step(f"exporting {checkpoint.name} to ONNX at {size['height']} x {size['width']}")
    graph = float_graph(checkpoint.model, **size)
    reference = open_graph(graph)
    parity = check_parity(checkpoint.model, reference, **size)
    step(
        f"parity with PyTorch: largest difference {max(parity['max_abs_difference'].values()):.1e}"
    )
    tried: tuple[Tried, ...] = ()
    quantization: dict[str, Any] = {"method": "none"}
    gate: dict[str, Any] | None = None
    if precision == "fp16":
        graph = convert_float_to_float16(graph, keep_io_types=True)
        # The converter appends its casts at the end; a valid graph has each node after those it reads.
        OnnxModel.graph_topological_sort(graph.graph, is_deterministic=True)
        parity["fp16"] = check_parity(checkpoint.model, open_graph(graph), **size, atol=FP16_ATOL)
    elif precision == "int8":
        if images is None:
            raise ValueError("int8 needs images for calibration and gate")
        variants = quantized_variants(
            checkpoint.model,
            graph,
            images.calibration,
            preprocessor,
            TARGETS[target],
            progress,
            quick=quick,
        )
        chosen = choose(
            variants,
            graph,
            images,
            preprocessor,
            quick=quick,
            cache=cache,
            step=step,
            details=details,
            progress=progress,
        )
        step(chosen.best.text())
        step(chosen.summary())
        tried = chosen.tried
        graph = chosen.best.variant.graph
        quantization = {
            "name": chosen.best.variant.name,
            **chosen.best.variant.description,
            "largest_weight": largest_weight(graph),
            "calibration": {
                "n": len(images.calibration),
                "source": images.source,
                "part": "train",
            },
            "tried": {entry.variant.name: entry.table() for entry in tried},
            "fp32_p50_ms": round(chosen.fp32_p50_ms, 2),
        }
        gate = {"source": images.source, "synthetic": images.synthetic, **chosen.best.table()}
    step("drawing golden images for the self-test")
    golden = make_golden(reference, open_graph(graph), preprocessor, precision=precision)
    body: dict[str, Any] = {
        "model": checkpoint.name,
        "precision": precision,
        "quantization": quantization,
        "gate": gate,
        "parity": parity,
        "metrics": metrics,
        "calibration": _calibration(graph, images, preprocessor),
        "golden": golden.entries,
        "self_test": golden.self_test,
        "provenance": _provenance(checkpoint, command),
        "intended_use": INTENDED_USE,
    }
    files = {
        "model.onnx": _with_metadata(graph, checkpoint, precision),
        "config.json": canonical_json({**checkpoint.config, "torch_dtype": "float32"}),
        GOLDEN_FILE: golden.sheet,
        "preprocessor_config.json": preprocessor.to_json().encode(),
        "README.md": model_card(body).encode(),
    }
    step(f"writing {folder}")
    return Report(bundle=write_bundle(folder, files, body), tried=tried)


def float_graph(model: nn.Module, *, height: int, width: int) -> onnx.ModelProto:
    """Return a model's float32 graph: the one made for onnxruntime where there is one, else the traced one."""
    if can_build(model):
        return build_graph(model, FloatLayers(), height=height, width=width)
    return export_graph(model, height=height, width=width)


def _calibration(
    graph: onnx.ModelProto, images: ExportImages | None, preprocessor: PreprocessorConfig
) -> dict[str, Any]:
    """Fit the temperature on real validation images; phantoms would teach a wrong one."""
    if images is None or images.synthetic:
        return {"temperature": 1.0, "fitted_on": "nothing, probabilities are as trained"}
    logits = logits_one_by_one(open_graph(graph), images.gate, preprocessor)
    labels = images.gate_labels
    temperature = fit_temperature(logits, labels)
    return {
        "temperature": temperature,
        "fitted_on": f"validation part of {images.source}, n {len(logits)}",
        "ece_before": round(expected_calibration_error(labels, softmax(logits)), 4),
        "ece_after": round(expected_calibration_error(labels, softmax(logits, temperature)), 4),
    }


def _with_metadata(graph: onnx.ModelProto, checkpoint: Checkpoint, precision: str) -> bytes:
    """Write the contract into the graph, so that the file alone is enough; plus the keys others read."""
    preprocessor = checkpoint.preprocessor
    contract = {
        "version": 1,
        "labels": list(LABELS),
        "model": checkpoint.name,
        "precision": precision,
        "outputs": list(OUTPUT_NAMES),
        "preprocessing": dataclasses.asdict(preprocessor),
        "research_use_only": RESEARCH_USE_ONLY,
    }
    properties = {
        METADATA_KEY: json.dumps(contract, sort_keys=True),
        # Ultralytics' keys, as JSON
        "task": "classify",
        "names": json.dumps({str(index): label for index, label in enumerate(LABELS)}),
        "imgsz": json.dumps([preprocessor.height, preprocessor.width]),
        "license": "Apache-2.0",
        "description": RESEARCH_USE_ONLY,
        # The ONNX standard's (docs/MetadataProps.md)
        "Image.BitmapPixelFormat": "Rgb8",
        "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": "Normalized_0_1",
    }
    onnx.helper.set_model_props(graph, properties)
    graph.producer_name, graph.producer_version = "brain-edge", __version__
    return bytes(graph.SerializeToString())


def _provenance(checkpoint: Checkpoint, command: str) -> dict[str, Any]:
    recipe = checkpoint.training.get("recipe", {})
    return {
        "command": command,
        "recipe": recipe.get("name", "unknown"),
        "seed": recipe.get("seed", "unknown"),
        "data_sha256": checkpoint.training.get("data_sha256", "unknown"),
        "data": checkpoint.training.get("data", "unknown"),
        "n_train": checkpoint.training.get("n_train", 0),
        "best_val_accuracy": checkpoint.training.get("best_val_accuracy", "unknown"),
        "versions": {
            "brain-edge": __version__,
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        },
    }
