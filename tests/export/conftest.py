"""A small CvT whose head tells four patterns apart with real margins, and its graph, made once."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from edge_infer.bundle import Bundle
from edge_infer.contract import LABELS
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from edge_infer.session import Session, open_session
from export.bundling import export_bundle
from export.int8.calibration import ExportImages
from export.int8.quantization import prepare
from export.model_inputs import ModelInputs
from export.to_onnx import export_graph
from export.trust.images import TrustImages
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.models import create_model

SIZE = 64
CONFIG = PreprocessorConfig(height=SIZE, width=SIZE)

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]


def draw_textures(count: int, seed: int) -> Images:
    """Four coarse patterns, one a class, each time a little shifted, dimmed and noisy: uint8, (count, SIZE, SIZE)."""
    patterns = np.random.default_rng(123).uniform(30, 220, (len(LABELS), 8, 8))
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % len(LABELS)
    drawn = []
    for label in labels:
        grey = np.kron(patterns[label], np.ones((SIZE // 8, SIZE // 8)))
        grey = np.roll(grey, generator.integers(-2, 3, 2), axis=(0, 1)) * generator.uniform(0.7, 1)
        grey = grey + generator.normal(0, 8, (SIZE, SIZE))
        drawn.append(np.clip(grey, 0, 255).astype(np.uint8))
    return np.stack(drawn), labels


@pytest.fixture(scope="session")
def textures() -> Callable[[int, int], Images]:
    return draw_textures


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeded weights, and a classifier fitted to the embeddings of patterns."""
    torch.manual_seed(0)
    model = create_model("cvt_test", len(LABELS)).eval()
    grey, labels = draw_textures(160, seed=1)
    with torch.inference_mode():
        embeddings = model(torch.from_numpy(to_pixel_values(grey, CONFIG))).embeddings.numpy()
    inputs = np.c_[embeddings, np.ones(len(embeddings))].astype(np.float64)
    wanted = 10 * np.eye(len(LABELS))[labels]
    ridge = inputs.T @ inputs + 1e-1 * np.eye(inputs.shape[1])
    weights = np.linalg.solve(ridge, inputs.T @ wanted)
    with torch.no_grad():
        classifier = model.get_submodule("classifier")
        classifier.weight.copy_(torch.from_numpy(weights[:-1].T))  # type: ignore[union-attr, operator]
        classifier.bias.copy_(torch.from_numpy(weights[-1]))  # type: ignore[union-attr, operator]
    folder = tmp_path_factory.mktemp("run") / "checkpoint"
    save_checkpoint(
        folder,
        name="cvt_test",
        model=model,
        preprocessor=CONFIG,
        training={
            "recipe": {"name": "tiny", "seed": 11},
            "data": "textures",
            "data_sha256": "ab" * 32,
            "n_train": 80,
            "best_val_accuracy": 1.0,
        },
    )
    return folder


@pytest.fixture(scope="session")
def checkpoint(checkpoint_folder: Path) -> Checkpoint:
    return load_checkpoint(checkpoint_folder)


@pytest.fixture(scope="session")
def graph_bytes(checkpoint: Checkpoint) -> bytes:
    return bytes(export_graph(checkpoint.model, height=SIZE, width=SIZE).SerializeToString())


@pytest.fixture(scope="session")
def reference(graph_bytes: bytes) -> Session:
    """The float32 graph in onnxruntime."""
    return open_session(graph_bytes)


@pytest.fixture(scope="session")
def prepared(graph_bytes: bytes) -> onnx.ModelProto:
    return prepare(onnx.load_from_string(graph_bytes))


@pytest.fixture(scope="session")
def images() -> ExportImages:
    calibration, _ = draw_textures(32, seed=2)
    gate, labels = draw_textures(80, seed=3)
    train, train_labels = draw_textures(96, seed=4)
    return ExportImages(
        calibration=ModelInputs(calibration, CONFIG),
        gate=ModelInputs(gate, CONFIG),
        gate_labels=labels,
        source="textures",
        synthetic=False,
        corrupted=160,
        trust=TrustImages(
            train=ModelInputs(train, CONFIG),
            train_source="train part of textures",
            train_labels=train_labels,
            gate_rows=np.arange(len(labels)),
            gate_groups=("",) * len(labels),
        ),
    )


@pytest.fixture(scope="session")
def bundles(
    checkpoint: Checkpoint,
    images: ExportImages,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Bundle]:
    """One bundle of each precision."""
    folder = tmp_path_factory.mktemp("bundles")
    return {
        precision: export_bundle(
            checkpoint,
            folder / f"cvt_test-{precision}",
            precision=precision,
            images=images,
            metrics={},
            command=f"brain-export --model cvt_test --{precision}",
        ).bundle
        for precision in ("fp32", "fp16", "int8")
    }
