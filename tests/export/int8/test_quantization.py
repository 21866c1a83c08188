from collections.abc import Callable

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from edge_infer.session import Session, open_session
from export.int8.calibration import ExportImages, PixelReader
from export.int8.quantization import CANDIDATES
from export.model_inputs import ModelInputs

CONFIG = PreprocessorConfig(height=64, width=64)
STATIC, DYNAMIC = CANDIDATES


@pytest.fixture(scope="module")
def static(prepared: onnx.ModelProto, images: ExportImages) -> onnx.ModelProto:
    return STATIC.quantize(prepared, images.calibration)


@pytest.fixture(scope="module")
def dynamic(prepared: onnx.ModelProto, images: ExportImages) -> onnx.ModelProto:
    return DYNAMIC.quantize(prepared, images.calibration)


def logits(model: onnx.ModelProto | Session, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = model if isinstance(model, Session) else open_session(model.SerializeToString())
    return np.concatenate(
        [session.run(to_pixel_values(grey[row : row + 1], CONFIG))[0] for row in range(len(grey))]
    )


def producers(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {output: node for node in model.graph.node for output in node.output}


def made_by(model: onnx.ModelProto, node: onnx.NodeProto, which: int) -> str:
    source = producers(model).get(node.input[which])
    return source.op_type if source is not None else "constant"


def test_static_comes_before_dynamic() -> None:
    assert [candidate.name for candidate in CANDIDATES] == ["static", "dynamic"]


def test_static_weights_are_int8_symmetric_with_one_scale_per_channel(
    static: onnx.ModelProto,
) -> None:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in static.graph.initializer}
    weights = [
        node
        for node in static.graph.node
        if node.op_type == "DequantizeLinear"
        and node.input[0] in constants
        and constants[node.input[0]].dtype == np.int8
        and constants[node.input[0]].ndim > 1
    ]
    assert len(weights) > 20
    for node in weights:
        scale, zero = constants[node.input[1]], constants[node.input[2]]
        axis = next((entry.i for entry in node.attribute if entry.name == "axis"), 1)
        assert scale.shape == (constants[node.input[0]].shape[axis],)
        assert not zero.any()


def test_static_activations_are_uint8(static: onnx.ModelProto) -> None:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in static.graph.initializer}
    quantizers = [node for node in static.graph.node if node.op_type == "QuantizeLinear"]
    assert len(quantizers) > 20
    assert {constants[node.input[2]].dtype.name for node in quantizers} == {"uint8"}


def test_stem_classifier_attention_and_the_sensitive_operators_stay_in_float(
    static: onnx.ModelProto, dynamic: onnx.ModelProto, prepared: onnx.ModelProto
) -> None:
    convolutions = [node for node in static.graph.node if node.op_type == "Conv"]
    assert made_by(static, convolutions[0], 1) == "constant"
    assert {made_by(static, node, 1) for node in convolutions[1:]} == {"DequantizeLinear"}
    for model in (static, dynamic):
        left = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm")]
        of_constants = [node for node in left if made_by(model, node, 1) == "constant"]
        assert len(of_constants) == 1, "the classifier alone"
        shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
        assert shapes[of_constants[0].input[1]] in ([64, 4], [4, 64])
        products = [
            node
            for node in model.graph.node
            if node.op_type == "Einsum"
            or (node in left and made_by(model, node, 1) not in ("constant", "DequantizeLinear"))
        ]
        blocks = 1 + 2 + 3
        assert len(products) == 2 * blocks, "queries by keys, weights by values"
        for node in products:
            assert "DequantizeLinear" not in (made_by(model, node, 0), made_by(model, node, 1))
        for operator in ("LayerNormalization", "Softmax"):
            before, after = (
                [node.name for node in graph.graph.node if node.op_type == operator]
                for graph in (prepared, model)
            )
            assert len(after) == len(before) > 0
            assert all(
                made_by(model, node, 0) != "DequantizeLinear"
                for node in model.graph.node
                if node.op_type == operator
            )


def test_dynamic_leaves_convolutions_alone(dynamic: onnx.ModelProto) -> None:
    operators = {node.op_type for node in dynamic.graph.node}
    assert "Conv" in operators
    assert "ConvInteger" not in operators
    assert operators & {"MatMulInteger", "DynamicQuantizeMatMul"}


@pytest.mark.parametrize("name", ["static", "dynamic"])
def test_a_quantized_model_is_smaller_and_answers_alike(
    request: pytest.FixtureRequest,
    name: str,
    graph_bytes: bytes,
    reference: Session,
    images: ExportImages,
) -> None:
    model: onnx.ModelProto = request.getfixturevalue(name)
    assert len(model.SerializeToString()) < len(graph_bytes)
    expected, given = logits(reference, images.gate.grey), logits(model, images.gate.grey)
    assert (given.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99
    assert 0 < float(np.abs(given - expected).max()) < 2.0  # of a margin of about ten


def test_calibration_decides_the_static_model_and_is_nothing_to_the_dynamic_one(
    prepared: onnx.ModelProto,
    static: onnx.ModelProto,
    dynamic: onnx.ModelProto,
    images: ExportImages,
    reference: Session,
) -> None:
    blank = ModelInputs(np.zeros_like(images.calibration.grey), CONFIG)
    expected = logits(reference, images.gate.grey).argmax(axis=1)
    misled = logits(STATIC.quantize(prepared, blank), images.gate.grey)
    assert (misled.argmax(axis=1) == expected).mean() < 0.9
    again = DYNAMIC.quantize(prepared, blank)
    np.testing.assert_array_equal(
        logits(again, images.gate.grey[:2]), logits(dynamic, images.gate.grey[:2])
    )
    assert static is not again


def test_the_same_calibration_gives_the_same_file(
    prepared: onnx.ModelProto, static: onnx.ModelProto, images: ExportImages
) -> None:
    again = STATIC.quantize(prepared, images.calibration)
    assert again.SerializeToString() == static.SerializeToString()


def test_quantizing_does_not_touch_the_prepared_graph(
    prepared: onnx.ModelProto,
    graph_bytes: bytes,
    static: onnx.ModelProto,
    reference: Session,
    images: ExportImages,
) -> None:
    assert static.graph.node
    assert graph_bytes
    operators = {node.op_type for node in prepared.graph.node}
    assert not operators & {"QuantizeLinear", "DequantizeLinear", "MatMulInteger"}
    np.testing.assert_allclose(
        logits(prepared, images.gate.grey[:3]),
        logits(reference, images.gate.grey[:3]),
        rtol=0,
        atol=1e-3,
    )


def test_the_reader_gives_every_image_once_as_pixel_values(
    textures: Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64]]],
) -> None:
    grey, _ = textures(37, 5)
    reader = PixelReader(ModelInputs(grey, CONFIG))
    batches = list(iter(lambda: reader.get_next(), None))
    given = np.concatenate([batch["pixel_values"] for batch in batches if batch is not None])
    np.testing.assert_array_equal(given, to_pixel_values(grey, CONFIG))
    assert reader.get_next() is None
