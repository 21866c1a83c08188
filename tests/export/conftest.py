"""A small CvT whose head tells four patterns apart with real margins, and its graph, made once."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from own_classes import CONFIG, SIZE, Images, draw_textures, save_texture_checkpoint

from edge_infer.bundle import Bundle
from edge_infer.session import Session, open_session
from export.bundling import export_bundle
from export.int8.calibration import ExportImages
from export.int8.quantization import prepare
from export.model_inputs import ModelInputs
from export.to_onnx import export_graph
from export.trust.images import TrustImages
from train.checkpoint import Checkpoint, load_checkpoint


@pytest.fixture(scope="session")
def textures() -> Callable[[int, int], Images]:
    return draw_textures


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_texture_checkpoint(tmp_path_factory.mktemp("run") / "checkpoint")


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
