from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from edge_infer.contract import LABELS
from edge_infer.preprocessing import PreprocessorConfig
from edge_infer.session import open_session
from export.graphs import build_graph
from export.graphs.float_layers import FloatLayers
from export.int8.bias_correction import (
    _channel_means,
    _layers,
    _output,
    with_biases_of,
    with_corrected_biases,
)
from export.int8.layers import Format, Int8Layers, Ranges
from export.int8.ranges import activation_ranges
from export.model_inputs import ModelInputs
from train.models import create_model

SIZE = 64
CONFIG = PreprocessorConfig(height=SIZE, width=SIZE)
SIZES: dict[str, dict[str, Any]] = {
    "cvt_test": {},
    "cvt-slim": {"widths": [8, 8, 16, 24], "blocks": [2, 1, 1], "depth": 2, "num_heads": 2},
    "vit": {"patch_size": 16, "dim": 24, "depth": 2, "num_heads": 2},
}


@pytest.fixture(scope="module", params=list(SIZES))
def model(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(4)
    return create_model(
        request.param, len(LABELS), image_size=SIZE, sizes=SIZES[request.param]
    ).eval()


@pytest.fixture(scope="module")
def inputs() -> ModelInputs:
    grey = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE), dtype=np.uint8)
    return ModelInputs(grey, CONFIG)


@pytest.fixture(scope="module")
def float_graph(model: nn.Module) -> onnx.ModelProto:
    return build_graph(model, FloatLayers(), height=SIZE, width=SIZE)


@pytest.fixture(scope="module")
def coarse(float_graph: onnx.ModelProto, inputs: ModelInputs) -> Ranges:
    """Ranges with half of what occurs, so that values are cut off and means move."""
    found = activation_ranges(float_graph, inputs)
    return {name: (0.5 * low, 0.5 * high) for name, (low, high) in found.items()}


def int8(model: nn.Module, ranges: Ranges, form: Format = "static") -> onnx.ModelProto:
    return build_graph(model, Int8Layers(ranges, lambda _: form), height=SIZE, width=SIZE)


def biases(graph: onnx.ModelProto) -> dict[str, NDArray[np.int32]]:
    return {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.graph.initializer
        if tensor.name.endswith(".bias") and tensor.data_type == onnx.TensorProto.INT32
    }


def logits(graph: onnx.ModelProto, pixel_values: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    session = open_session(graph.SerializeToString())
    return np.concatenate([session.run(image)[0] for image in pixel_values])


def test_each_layer_gets_the_channel_means_of_the_float_graph(
    model: nn.Module, float_graph: onnx.ModelProto, coarse: Ranges, inputs: ModelInputs
) -> None:
    graph = int8(model, coarse)
    before = biases(graph)
    told: list[tuple[int, int]] = []
    corrected = with_corrected_biases(
        graph, float_graph, inputs, lambda done, total: told.append((done, total))
    )
    layers = list(_layers(graph))
    assert told == [(done, len(layers)) for done in range(1, len(layers) + 1)]
    assert set(biases(corrected)) == set(before)
    assert all(np.array_equal(biases(graph)[name], value) for name, value in before.items())
    pixel_values = list(inputs.batches(1))

    def distance(quantized: onnx.ModelProto) -> float:
        pairs = zip(
            _channel_means(quantized, [_output(quantized, each) for each in layers], pixel_values),
            _channel_means(
                float_graph, [_output(float_graph, each) for each in layers], pixel_values
            ),
            strict=True,
        )
        return float(np.mean([np.abs(found - expected).mean() for found, expected in pairs]))

    assert distance(corrected) < 0.1 * distance(graph)
    expected = logits(float_graph, pixel_values)
    assert (
        np.abs(logits(corrected, pixel_values) - expected).mean()
        < np.abs(logits(graph, pixel_values) - expected).mean()
    )


def test_biases_go_over_to_the_8_bit_layers_of_another_graph(
    model: nn.Module, float_graph: onnx.ModelProto, coarse: Ranges, inputs: ModelInputs
) -> None:
    corrected = with_corrected_biases(int8(model, coarse), float_graph, inputs[:1])
    first, *others = _layers(corrected)

    def format_of(name: str) -> Format:
        return "float" if name == first else "static"

    mixed = build_graph(model, Int8Layers(coarse, format_of), height=SIZE, width=SIZE)
    moved = biases(with_biases_of(corrected, mixed))
    assert set(moved) == {f"{layer}.bias" for layer in others}
    assert all(np.array_equal(moved[name], biases(corrected)[name]) for name in moved)
    assert any(not np.array_equal(moved[name], biases(mixed)[name]) for name in moved)


def test_a_graph_without_8_bit_biases_stays_as_it_is(
    model: nn.Module, float_graph: onnx.ModelProto, coarse: Ranges, inputs: ModelInputs
) -> None:
    graph = int8(model, coarse, "dynamic")
    result = with_corrected_biases(graph, float_graph, inputs[:1])
    assert result.SerializeToString() == graph.SerializeToString()
