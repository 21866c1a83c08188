"""A tiny real bundle: a real ONNX graph for onnxruntime, with answers that can be computed by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edge_infer.contract import GOLDEN_FILE, INPUT_NAME, LABELS, METADATA_KEY, OUTPUT_NAMES
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


def golden_answers() -> list[dict[str, Any]]:
    """The tiny model's answers to the golden images, computed without onnxruntime."""
    cells = GOLDEN.reshape(-1, SIZE // 8, 8, SIZE // 8, 8) / 255  # image, row, y, column, x
    logits = np.einsum("nrysx,kcyx->nkrs", cells, tiny_weight()).mean(axis=(2, 3))
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


def as_schema_1(folder: Path) -> None:
    """Turn a bundle into one of schema version 1, from before golden images."""
    (folder / GOLDEN_FILE).unlink()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["self_test"], manifest["files"][GOLDEN_FILE]
    older = {**manifest, "schema_version": 1, "golden": []}
    (folder / "manifest.json").write_bytes(render_manifest(older))


def scan(seed: int = 0, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A grey image (width, height) that holds 0 and 255, so that deep twins scale to the same."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    pixels[0, :2] = 0, 255
    return Image.fromarray(pixels)
