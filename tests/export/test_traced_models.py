"""Traced by torch and quantized by onnxruntime, the ViTs and the stacked autoencoder answer as PyTorch does."""

from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from edge_infer.preprocessing import PreprocessorConfig
from edge_infer.session import open_session
from export.answers import answers_one_by_one
from export.int8.quantization import CANDIDATES, prepare
from export.model_inputs import ModelInputs
from export.parity import check_parity
from export.to_onnx import export_graph
from train.models import create_model

CONFIG = PreprocessorConfig(height=32, width=32)
SIZES: dict[str, dict[str, Any]] = {
    "vit": {"patch_size": 8, "dim": 48, "depth": 2},
    "vit-base": {
        "patch_size": 8,
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 96,
    },
    "sae": {"widths": [96, 48], "evidence_grid": 4},
}


class Exported(NamedTuple):
    name: str
    model: nn.Module
    graph: onnx.ModelProto


@pytest.fixture(scope="module", params=list(SIZES))
def exported(request: pytest.FixtureRequest) -> Exported:
    torch.manual_seed(6)
    model = create_model(request.param, 4, image_size=32, sizes=SIZES[request.param]).eval()
    # The exporter merges biases that are all zero, which trained biases are not.
    for parameter in model.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, mean=float(parameter.detach().mean()), std=0.1)
    return Exported(request.param, model, export_graph(model, height=32, width=32))


@pytest.fixture(scope="module")
def inputs() -> ModelInputs:
    """Smooth blobs: in noise a calibration would find no structure."""
    generator = np.random.default_rng(7)
    coarse = generator.uniform(0, 255, (48, 8, 8))
    return ModelInputs(np.kron(coarse, np.ones((1, 4, 4))).astype(np.uint8), CONFIG)


def run(graph: onnx.ModelProto, inputs: ModelInputs) -> tuple[NDArray[np.float32], ...]:
    answers = answers_one_by_one(open_session(graph.SerializeToString()), inputs)
    return tuple(np.concatenate(parts) for parts in zip(*answers, strict=True))


def test_the_graph_gives_what_pytorch_gives(exported: Exported) -> None:
    session = open_session(exported.graph.SerializeToString())
    parity = check_parity(exported.model, session, height=32, width=32)
    assert max(parity["max_abs_difference"].values()) < 1e-4


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
def test_int8_answers_nearly_alike_and_its_evidence_still_adds_up(
    exported: Exported, inputs: ModelInputs, candidate: Any
) -> None:
    expected, *_ = run(exported.graph, inputs)
    quantized = candidate.quantize(prepare(exported.graph), inputs[:32])
    logits, _, evidence = run(quantized, inputs)
    error = np.abs(logits - expected).max()
    assert 0 < error < 0.15 * np.ptp(expected), "0 would mean that nothing was quantized"
    np.testing.assert_allclose(evidence.mean(axis=(2, 3)), logits, atol=1e-4)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
def test_int8_stores_each_weight_once(
    exported: Exported, inputs: ModelInputs, candidate: Any
) -> None:
    quantized = candidate.quantize(prepare(exported.graph), inputs[:32])
    large = [numpy_helper.to_array(tensor) for tensor in quantized.graph.initializer]
    in_float = [
        list(array.shape) for array in large if array.dtype == np.float32 and array.ndim > 1
    ]
    classifier = 48 * 4
    kept = sum(int(np.prod(shape)) for shape in in_float if 4 in shape and 48 in shape)
    assert kept == (2 * classifier if exported.name == "sae" else classifier), (
        "its evidence begins with it"
    )
    weights = sum(
        parameter.numel()
        for name, parameter in exported.model.named_parameters()
        if parameter.ndim == 2 and not name.startswith("decoders")
    )
    as_int8 = sum(array.size for array in large if array.dtype == np.int8 and array.ndim > 1)
    assert as_int8 >= 0.9 * (weights - classifier)
    assert as_int8 <= 1.2 * weights


def test_the_autoencoder_s_decoders_are_not_exported() -> None:
    model = create_model("sae", 4, image_size=32, sizes=SIZES["sae"])
    graph = export_graph(model, height=32, width=32)
    assert not [tensor.name for tensor in graph.graph.initializer if "decoder" in tensor.name]
