"""A tiny real bundle: a real ONNX graph for onnxruntime, with answers that can be computed by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edge_infer.contract import (
    GOLDEN_FILE,
    INPUT_NAME,
    LABELS,
    METADATA_KEY,
    OUTPUT_NAMES,
    SCOPE_FILE,
)
from edge_infer.golden import golden_sheet
from edge_infer.manifest import render_manifest
from edge_infer.preprocessing import PreprocessorConfig

SIZE = 32


def tiny_weight(classes: int = len(LABELS)) -> np.ndarray:
    return np.random.default_rng(7).normal(0, 0.3, (classes, 3, 8, 8)).astype(np.float32)


def golden_images() -> np.ndarray:
    """Sixteen images, uint8, four of each class in turn: the pattern of its kernel, with some noise."""
    generator = np.random.default_rng(3)
    grey = tiny_weight().sum(axis=1)  # (classes, 8, 8), channels are the same
    patterns = np.where(grey > grey.mean(axis=0), 230, 20)
    images = [
        np.tile(patterns[number % len(patterns)], (SIZE // 8, SIZE // 8)) for number in range(16)
    ]
    return (np.stack(images) + generator.integers(-20, 21, (16, SIZE, SIZE))).astype(np.uint8)


GOLDEN = golden_images()


def golden_evidence() -> np.ndarray:
    """The tiny model's evidence for the golden images, computed without onnxruntime: (16, classes, 4, 4)."""
    cells = GOLDEN.reshape(-1, SIZE // 8, 8, SIZE // 8, 8) / 255  # image, row, y, column, x
    return np.einsum("nrysx,kcyx->nkrs", cells, tiny_weight())


def golden_embeddings() -> np.ndarray:
    """The tiny model's embeddings of the golden images: (16, 16)."""
    return golden_evidence().reshape(-1, len(LABELS), 2, 2, 2, 2).mean(axis=(3, 5)).reshape(16, -1)


def golden_answers() -> list[dict[str, Any]]:
    """The tiny model's answers to the golden images, computed without onnxruntime."""
    logits = golden_evidence().mean(axis=(2, 3))
    return [
        {"label": LABELS[int(row.argmax())], "logits": row.tolist(), "fp32_logits": row.tolist()}
        for row in logits
    ]


def tiny_model(
    *,
    labels: tuple[str, ...] = LABELS,
    weight: np.ndarray | None = None,
    opset: int = 18,
    metadata: dict[str, str] | None = None,
) -> onnx.ModelProto:
    """An 8 x 8 convolution is the evidence, its mean the logits, its quarters the embeddings."""
    if weight is None:
        weight = tiny_weight(len(labels))
    nodes = [
        helper.make_node("Conv", [INPUT_NAME, "w"], ["evidence"], strides=[8, 8]),
        helper.make_node("ReduceMean", ["evidence", "axes"], ["logits"], keepdims=0),
        helper.make_node(
            "AveragePool", ["evidence"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]
        ),
        helper.make_node("Flatten", ["pooled"], ["embeddings"]),
    ]
    cells = SIZE // 8
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(labels)]),
            helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", None]),
            helper.make_tensor_value_info(
                "evidence", TensorProto.FLOAT, ["batch", len(labels), cells, cells]
            ),
        ],
        [
            numpy_helper.from_array(weight, "w"),
            numpy_helper.from_array(np.array([2, 3], dtype=np.int64), "axes"),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10, producer_name="test"
    )
    if metadata is None:
        metadata = {METADATA_KEY: json.dumps({"labels": list(labels)})}
    helper.set_model_props(model, metadata)
    assert tuple(output.name for output in model.graph.output) == OUTPUT_NAMES
    return model


def bundle_files(
    *, model: bytes | None = None, labels: tuple[str, ...] = LABELS, height: int = SIZE
) -> dict[str, bytes]:
    config = {
        "architectures": ["Tiny"],
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
        "model_type": "tiny",
    }
    preprocessor = PreprocessorConfig(height=height, width=SIZE)
    return {
        "README.md": b"# A tiny model for tests\n",
        "config.json": json.dumps(config).encode(),
        GOLDEN_FILE: golden_sheet(np.resize(GOLDEN, (16, height, SIZE))),
        "model.onnx": tiny_model().SerializeToString() if model is None else model,
        "preprocessor_config.json": preprocessor.to_json().encode(),
    }


def manifest_body(**changes: Any) -> dict[str, Any]:
    body = {
        "calibration": {"temperature": 2.0},
        "gate": None,
        "golden": golden_answers(),
        "intended_use": "Tests.",
        "metrics": {},
        "model": "tiny",
        "parity": {},
        "precision": "fp32",
        "provenance": {},
        "quantization": {},
        "self_test": {"tolerance_logits": 1e-3},
    }
    return {**body, **changes}


RANK = 3


def scope_arrays() -> dict[str, np.ndarray]:
    """The scope check fitted on the golden images, as it is stored, in the order of scope.bin."""
    unit = golden_embeddings()
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    mean = unit.mean(axis=0).astype("<f4")
    basis = np.linalg.svd(unit - mean)[2][:RANK].T.astype("<f2")
    within = (unit - mean) @ basis
    whitening = np.diag(1 / within.std(axis=0)).astype("<f4")
    classes = np.arange(16) % len(LABELS)
    centres = [(within @ whitening)[classes == label].mean(axis=0) for label in range(len(LABELS))]
    return {
        "mean": mean,
        "basis": basis,
        "centres": np.stack(centres).astype("<f4"),
        "whitening": whitening,
    }


def scope_file(arrays: dict[str, np.ndarray] | None = None) -> bytes:
    """scope.bin."""
    return b"".join(array.tobytes() for array in (arrays or scope_arrays()).values())


def tiny_scope(**changes: Any) -> dict[str, Any]:
    """``trust.scope``: golden images score below 0.2, noise above 3."""
    scope = {
        "method": "mahalanobis-residual",
        "threshold": 1.0,
        "accepted": 0.95,
        "fitted_on": {
            "train": "golden images",
            "n_train": 16,
            "threshold": "golden images",
            "n_threshold": 16,
        },
        "scales": {"mahalanobis": 1.0, "residual": 0.01},
        "arrays": [
            {"name": name, "dtype": array.dtype.name, "shape": list(array.shape)}
            for name, array in scope_arrays().items()
        ],
    }
    return {**scope, **changes}


def tiny_trust(**changes: Any) -> dict[str, Any]:
    """``trust`` of a manifest; give ``scope=None`` for one without a scope check."""
    trust = {
        "alpha": 0.1,
        "set_thresholds": dict.fromkeys(LABELS, 0.7),
        "least_score": 0.3,
        "target_accuracy": 0.97,
        "fitted_on": {
            "source": "golden images",
            "n": 16,
            "groups": dict.fromkeys(LABELS, 4),
            "way": "out-of-fold",
        },
        "scope": tiny_scope(),
    }
    return {**trust, **changes}


def tiny_series(**changes: Any) -> dict[str, Any]:
    """``series`` of a manifest."""
    fields = {
        "rule": "run-mean",
        "slices": 2,
        "length_mm": 6.0,
        "temperature": 0.8,
        "positive": 0.9,
        "negative": 0.5,
        "alpha": 0.1,
        "fitted_on": {"source": "folds", "patients": 11, "volumes": 22, "planes": ["axial"]},
    }
    return {**fields, **changes}


def files_with_scope(**changes: Any) -> dict[str, bytes]:
    """The files of a bundle that has a scope check; use them with ``manifest_body(trust=tiny_trust())``."""
    return {**bundle_files(**changes), SCOPE_FILE: scope_file()}


def as_schema_2(folder: Path) -> None:
    """Turn a bundle without ``trust`` into one of schema version 2."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["trust"]
    (folder / "manifest.json").write_bytes(render_manifest({**manifest, "schema_version": 2}))


def as_schema_1(folder: Path) -> None:
    """Turn a bundle into one of schema version 1, from before golden images."""
    (folder / GOLDEN_FILE).unlink()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["self_test"], manifest["trust"], manifest["files"][GOLDEN_FILE]
    older = {**manifest, "schema_version": 1, "golden": []}
    (folder / "manifest.json").write_bytes(render_manifest(older))


def scan(seed: int = 0, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A grey image (width, height) that raises no doubt: blots on a disc that is dark at its rim.

    It holds 0 and 255, so that deep twins scale to the same.
    """
    width, height = size
    blots = np.random.default_rng(seed).integers(90, 256, (6, 8), dtype=np.uint8)
    shaded = np.asarray(Image.fromarray(blots).resize(size, Image.Resampling.BICUBIC))
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    pixels = (shaded * np.clip(1.5 - rows**2 - columns**2, 0, 1)).astype(np.uint8)
    pixels[0, :2] = 0, 255
    return Image.fromarray(pixels)


def noise(seed: int = 0, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """An image of nothing but noise."""
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    )
