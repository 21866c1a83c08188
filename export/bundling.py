"""Checkpoint to bundle: export, compare, quantize, judge, write."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel
from torch import nn

from edge_infer.bundle import Bundle, write_bundle
from edge_infer.classes import Classes
from edge_infer.contract import GOLDEN_FILE, SCOPE_FILE
from edge_infer.manifest import canonical_json
from edge_infer.session import Session
from export.abstention import fit_abstention
from export.drift_baseline import drift_of, with_drift
from export.golden import make_golden
from export.graphs import build_graph, can_build
from export.graphs.float_layers import FloatLayers
from export.int8.calibration import ExportImages
from export.int8.choice import Chosen, Tried, choose
from export.int8.processors import PROCESSORS
from export.int8.variants import quantized_variants
from export.metadata import with_metadata
from export.model_card import intended_use, model_card
from export.parity import FP16_SHARE, check_parity
from export.provenance import provenance
from export.sessions import largest_weight, open_graph
from export.to_onnx import export_graph
from export.trust.out_of_fold import OutOfFold
from export.trust.series_fit import fit_series_rule
from export.trust.volume_answers import VolumeAnswers
from train.checkpoint import Checkpoint
from train.data.samples import Progress

__all__ = ["FP16_ATOL", "Report", "export_bundle", "float_graph"]

logger = logging.getLogger(__name__)

#: Largest difference of the logits allowed with fp16 weights and activations.
FP16_ATOL = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of an export.

    Attributes:
        bundle: The bundle, as loaded back.
        tried: Each quantization that was tried, with its verdict.
    """

    bundle: Bundle
    tried: tuple[Tried, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shipped:
    """The graph that ships, and what the manifest says about how it was made.

    Attributes:
        graph: In the bundle's precision.
        parity: See ``check_parity``; for fp16 with a second entry of its own.
        quantization: ``quantization`` of the manifest.
        gate: ``gate`` of the manifest; None without INT8.
        tried: Each quantization that was tried.
    """

    graph: onnx.ModelProto = field(repr=False)
    parity: dict[str, Any]
    quantization: dict[str, Any] = field(default_factory=lambda: {"method": "none"})
    gate: dict[str, Any] | None = None
    tried: tuple[Tried, ...] = ()


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
    out_of_fold: OutOfFold | None = None,
    volumes: VolumeAnswers | None = None,
    step: Callable[[str], None] = logger.info,
    details: Callable[[str], None] = logger.debug,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Write a bundle.

    Args:
        checkpoint: The trained model.
        folder: The bundle's folder; an older bundle there is replaced only by one that is complete and verified.
        precision: ``fp32``, ``fp16`` or ``int8``.
        images: For activation ranges, gate and what it abstains by. INT8 needs them; without them the others have no
            scope check.
        metrics: Evaluations for the model card, as ``train.evaluation.evaluate`` writes them.
        command: The command that makes the bundle, for the manifest.
        target: Processors an INT8 graph is made for, as ``--target`` names them: a key of ``PROCESSORS``.
        quick: Take the first INT8 graph that passes, instead of the best of all.
        cache: Folder for FP32 answers on corrupted images, so that an interrupted export can continue.
        out_of_fold: Answers of the same model trained on folds, which temperature and prediction sets are fitted on;
            None takes the validation images, and without images the temperature is 1 and there are no sets.
        volumes: Answers to whole volumes by models that learnt nothing of their patients, which the rule for series is
            fitted on; None gives no rule.
        step: Given one line about each step.
        details: Given the tables of all quantizations that were tried.
        progress: Called with (done, total) during long steps.

    Raises:
        ParityFailed: The graph's outputs differ from PyTorch's.
        QualityGateFailed: No quantization is good enough; nothing is written.
        ValueError: INT8 without images, or images of other classes or that are preprocessed otherwise than the
            checkpoint's.
    """
    preprocessor = checkpoint.preprocessor
    if images is not None and any(
        part.preprocessor != preprocessor for part in (images.calibration, images.gate)
    ):
        raise ValueError("the images are preprocessed otherwise than the checkpoint's")
    classes = checkpoint.classes
    if images is not None and images.classes != classes:
        raise ValueError("the images are of other classes than the checkpoint's")
    graph, reference, parity = _exported(checkpoint, step)
    if precision == "fp16":
        shipped = _in_half_precision(checkpoint, graph, parity)
    elif precision == "int8":
        if images is None:
            raise ValueError("int8 needs images for activation ranges and gate")
        shipped = _quantized(
            checkpoint,
            graph,
            parity,
            images,
            target=target,
            quick=quick,
            cache=cache,
            step=step,
            details=details,
            progress=progress,
        )
    else:
        shipped = _Shipped(graph=graph, parity=parity)
    step("drawing golden images for the self-test")
    golden = make_golden(
        reference,
        open_graph(shipped.graph),
        preprocessor,
        precision=precision,
        labels=classes.names,
    )
    step("fitting when it abstains")
    abstention = fit_abstention(
        shipped.graph, images, out_of_fold, classes=classes, progress=progress
    )
    if abstention.warning:
        step(abstention.warning)
    body: dict[str, Any] = {
        "model": checkpoint.name,
        "precision": precision,
        "quantization": shipped.quantization,
        "gate": shipped.gate,
        "parity": shipped.parity,
        "metrics": metrics,
        "calibration": abstention.calibration,
        "trust": abstention.trust,
        "series": _series_rule(volumes, abstention.calibration["temperature"], classes),
        "golden": golden.entries,
        "self_test": golden.self_test,
        "provenance": provenance(checkpoint, command),
        "intended_use": intended_use(classes),
    }
    files = {
        "model.onnx": with_metadata(shipped.graph, checkpoint, precision),
        "config.json": canonical_json({**checkpoint.config, "torch_dtype": "float32"}),
        GOLDEN_FILE: golden.sheet,
        "preprocessor_config.json": preprocessor.to_json().encode(),
        "README.md": model_card(body, classes).encode(),
    }
    if abstention.scope is not None:
        files[SCOPE_FILE] = abstention.scope
    step(f"writing {folder}")
    bundle = write_bundle(folder, files, body)
    return Report(bundle=_with_drift(bundle, images, step, progress), tried=shipped.tried)


def _with_drift(
    bundle: Bundle, images: ExportImages | None, step: Callable[[str], None], progress: Progress
) -> Bundle:
    """Ask the bundle about the validation images, and add what its answers look like."""
    trust = None if images is None or images.synthetic else images.trust
    if images is None or trust is None or not trust.gate_sources:
        return bundle
    step("asking the bundle for the baseline of brain-drift")
    drift = drift_of(
        bundle,
        trust.gate_sources,
        groups=trust.gate_groups,
        source=f"validation part of {images.source}, one of each copy",
        progress=progress,
    )
    if drift is None:
        step(
            f"no baseline: {len(trust.gate_sources)} validation images, one of each copy, are too few"
        )
        return bundle
    return with_drift(bundle, bundle.path, drift)


def _series_rule(
    volumes: VolumeAnswers | None, temperature: float, classes: Classes
) -> dict[str, Any] | None:
    if volumes is None:
        return None
    return fit_series_rule(
        volumes.volumes, temperature=temperature, source=volumes.source, classes=classes
    )


def float_graph(model: nn.Module, *, height: int, width: int) -> onnx.ModelProto:
    """Return a model's float32 graph: the one made for onnxruntime where there is one, otherwise the traced one.

    Args:
        model: In evaluation mode.
        height: Rows of pixel_values.
        width: Columns of pixel_values.
    """
    if can_build(model):
        return build_graph(model, FloatLayers(), height=height, width=width)
    return export_graph(model, height=height, width=width)


def _exported(
    checkpoint: Checkpoint, step: Callable[[str], None]
) -> tuple[onnx.ModelProto, Session, dict[str, Any]]:
    """Export to float32 and compare with PyTorch; return the graph, its session and the comparison."""
    height, width = checkpoint.preprocessor.height, checkpoint.preprocessor.width
    step(f"exporting {checkpoint.name} to ONNX at {height} x {width}")
    graph = float_graph(checkpoint.model, height=height, width=width)
    session = open_graph(graph)
    parity = check_parity(checkpoint.model, session, height=height, width=width)
    largest = max(parity["max_abs_difference"].values())
    step(f"parity with PyTorch: largest difference {largest:.1e}")
    return graph, session, parity


def _in_half_precision(
    checkpoint: Checkpoint, graph: onnx.ModelProto, parity: dict[str, Any]
) -> _Shipped:
    half = convert_float_to_float16(graph, keep_io_types=True)
    # The converter appends its casts at the end, but in a valid graph each node comes after those it reads.
    OnnxModel.graph_topological_sort(half.graph, is_deterministic=True)
    half_parity = check_parity(
        checkpoint.model,
        open_graph(half),
        height=checkpoint.preprocessor.height,
        width=checkpoint.preprocessor.width,
        atol=FP16_ATOL,
        share=FP16_SHARE,
    )
    return _Shipped(graph=half, parity={**parity, "fp16": half_parity})


def _quantized(
    checkpoint: Checkpoint,
    graph: onnx.ModelProto,
    parity: dict[str, Any],
    images: ExportImages,
    *,
    target: str,
    quick: bool,
    cache: Path | None,
    step: Callable[[str], None],
    details: Callable[[str], None],
    progress: Progress,
) -> _Shipped:
    """Try the ways to quantize and take the best that passes the gate; arguments are ``export_bundle``'s."""
    variants = quantized_variants(
        checkpoint.model,
        graph,
        images.calibration,
        PROCESSORS[target],
        progress,
        quick=quick,
    )
    chosen = choose(
        variants,
        graph,
        images,
        quick=quick,
        cache=cache,
        step=step,
        details=details,
        progress=progress,
    )
    step(chosen.best.text())
    step(chosen.summary())
    return _Shipped(
        graph=chosen.best.variant.graph,
        parity=parity,
        quantization=_description(chosen, images),
        gate={"source": images.source, "synthetic": images.synthetic, **chosen.best.table()},
        tried=chosen.tried,
    )


def _description(chosen: Chosen, images: ExportImages) -> dict[str, Any]:
    """Return ``quantization`` of the manifest."""
    variant = chosen.best.variant
    return {
        "name": variant.name,
        **variant.description,
        "largest_weight": largest_weight(variant.graph),
        "calibration": {"n": len(images.calibration), "source": images.source, "part": "train"},
        "tried": {entry.variant.name: entry.table() for entry in chosen.tried},
        "fp32_p50_ms": round(chosen.fp32_p50_ms, 2),
    }
