"""EfficientNet-Lite's graph. Most tests use its first four stages, which have all kinds of layers."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from timm.layers import BatchNormAct2d
from torch import nn

from edge_infer.contract import LABELS
from edge_infer.preprocessing import PreprocessorConfig
from edge_infer.session import open_session
from export.graphs import build_graph, can_build
from export.graphs.float_layers import FloatLayers
from export.int8.equalization import equalized
from export.int8.layers import Int8Layers, Ranges
from export.int8.processors import PROCESSORS
from export.int8.ranges import activation_ranges
from export.int8.variants import quantized_variants
from export.int8.weight_rounding import JointRounding
from export.model_inputs import ModelInputs
from export.parity import check_parity
from export.sessions import largest_weight
from train.models.efficientnet_lite import EfficientNetLiteClassifier
from train.models.heads import new_head
from train.models.two_questions import TwoQuestions

SIZE = 64
HEADS = ("mean", "two-questions")
WIDTH = 48


def efficientnet(head: str, *, scale: int = 0, output_stride: int = 32) -> Any:
    torch.manual_seed(5)
    return EfficientNetLiteClassifier(
        len(LABELS), scale=scale, output_stride=output_stride, head=head
    )


def small(head: str) -> Any:
    model = efficientnet(head)
    net = model.backbone
    net.blocks = net.blocks[:4]
    net.conv_head = nn.Conv2d(80, WIDTH, 1, bias=False)
    net.bn2 = BatchNormAct2d(WIDTH, act_layer=nn.ReLU6)
    model.feature_dim = WIDTH + 80  # the last map, and the one before it
    model.classifier = new_head(head, model.feature_dim, len(LABELS))
    return model


def disturbed(model: Any, size: int = SIZE) -> Any:
    """Its batch norms have seen images, and none of their numbers is at its comfortable first value."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.add_(0.1 * torch.randn_like(module.weight))
                module.bias.add_(0.2 * torch.randn_like(module.bias))
                module.momentum = 0.5
        model.backbone.bn1.weight.mul_(3)  # so that values reach 6
        model.train()
        for _ in range(3):
            model(torch.rand(4, 3, size, size))
    return model.eval()


@pytest.fixture(scope="module", params=HEADS)
def model(request: pytest.FixtureRequest) -> Any:
    return disturbed(small(request.param))


@pytest.fixture(scope="module")
def inputs() -> ModelInputs:
    grey = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE), dtype=np.uint8)
    return ModelInputs(grey, PreprocessorConfig(height=SIZE, width=SIZE))


@pytest.fixture(scope="module")
def float_graph(model: Any) -> onnx.ModelProto:
    return build_graph(model, FloatLayers(), height=SIZE, width=SIZE)


@pytest.fixture(scope="module")
def ranges(float_graph: onnx.ModelProto, inputs: ModelInputs) -> Ranges:
    return activation_ranges(float_graph, inputs)


def static(model: Any, layers: Int8Layers) -> onnx.ModelProto:
    return build_graph(model, layers, height=SIZE, width=SIZE)


def answers(graph: onnx.ModelProto, inputs: ModelInputs) -> list[NDArray[np.float32]]:
    session = open_session(graph.SerializeToString(), num_threads=1)
    runs = [session.run(image) for image in inputs.batches(1)]
    return [np.concatenate(outputs) for outputs in zip(*runs, strict=True)]


def optimized(graph: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """Return what onnxruntime makes of a graph."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return onnx.load(folder / "optimized.onnx")


def operators(graph: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in graph.graph.node)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 90)])
def test_the_graph_gives_what_pytorch_gives(model: Any, height: int, width: int) -> None:
    """An odd number of pixels is padded otherwise than an even one."""
    graph = build_graph(model, FloatLayers(), height=height, width=width)
    session = open_session(graph.SerializeToString(), num_threads=1)
    check_parity(model, session, height=height, width=width)
    evidence = session.run(np.zeros((1, 3, height, width), np.float32))[2]
    pixels = 8 if isinstance(model.classifier, TwoQuestions) else 16  # of a side of its squares
    assert evidence.shape[2:] == tuple(16 // pixels * -(-side // 16) for side in (height, width))


@pytest.mark.parametrize(("scale", "output_stride"), [(0, 16), (1, 32), (2, 16)])
def test_every_size_of_the_family_and_both_output_strides(scale: int, output_stride: int) -> None:
    model = disturbed(efficientnet("two-questions", scale=scale, output_stride=output_stride))
    assert can_build(model)
    graph = build_graph(model, FloatLayers(), height=SIZE, width=SIZE)
    session = open_session(graph.SerializeToString(), num_threads=1)
    check_parity(model, session, height=SIZE, width=SIZE)
    places = SIZE // 8  # whatever the stride
    assert session.run(np.zeros((1, 3, SIZE, SIZE), np.float32))[2].shape[2:] == (places, places)


def test_padding_is_part_of_the_convolutions_and_images_stay_images(
    float_graph: onnx.ModelProto, tmp_path: Path
) -> None:
    written = operators(float_graph)
    assert written["Pad"] == written["Transpose"] == 0
    pads = [
        list(entry.ints)
        for node in float_graph.graph.node
        for entry in node.attribute
        if entry.name == "pads"
    ]
    assert [0, 0, 1, 1] in pads  # TensorFlow's: the odd pixel at the end
    made = operators(optimized(float_graph, tmp_path))
    assert made["Clip"] == 0  # each is part of its convolution
    assert made["ReorderInput"] <= 1
    assert made["ReorderOutput"] <= 4  # two maps of features, and what is judged of each


def test_the_mean_of_the_evidence_is_the_logits(
    model: Any, float_graph: onnx.ModelProto, ranges: Ranges, inputs: ModelInputs
) -> None:
    for graph in (float_graph, static(model, Int8Layers(ranges, lambda _: "static"))):
        logits, _, evidence = answers(graph, inputs)
        np.testing.assert_allclose(evidence.mean(axis=(2, 3)), logits, rtol=0, atol=1e-5)


def test_nothing_between_the_first_and_the_last_convolution_is_in_float(
    model: Any, ranges: Ranges, tmp_path: Path
) -> None:
    graph = static(model, Int8Layers(ranges, lambda _: "static"))
    made = optimized(graph, tmp_path)
    written, kept = operators(graph), operators(made)
    assert {node.domain for node in graph.graph.node} == {""}
    assert written["Clip"] == 2  # of the stem and the first stage
    assert kept["QLinearConv"] == written["Conv"] - 5  # these, three, and the two of the classifier
    assert kept["QLinearAdd"] == sum(name.endswith("sum.exact") for name in names(graph)) > 0
    assert kept["QuantizeLinear"] == 1
    # From the one that quantizes to those that make floats again:
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in made.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    waiting = [node for node in made.graph.node if node.op_type == "QuantizeLinear"]
    between: Counter[str] = Counter()
    seen: set[str] = set()
    while waiting:
        for node in readers.get(waiting.pop().output[0], []):
            if node.output[0] in seen or node.op_type == "DequantizeLinear":
                continue
            seen.add(node.output[0])
            between[node.op_type] += 1
            waiting.append(node)
    assert set(between) == {"QLinearConv", "QLinearAdd", "Transpose"}
    assert between["Transpose"] <= 3  # channels last, and back, for two maps


def names(graph: onnx.ModelProto) -> Iterator[str]:
    return (node.name for node in graph.graph.node)


def test_rounding_to_8_bits_cuts_off_what_relu6_does(
    model: Any, ranges: Ranges, inputs: ModelInputs
) -> None:
    class WithClip(Int8Layers):
        """As the float graph has it."""

        def _rounded(self, x: str, name: str) -> str:
            if not name.endswith(("project", "sum")):
                x = self._activated(x, "relu6", f"{name}.clipped")
            return super()._rounded(x, name)

    assert any(high == 6 for _, high in ranges.values())
    with_clip, without = (
        static(model, kind(ranges, lambda _: "static")) for kind in (WithClip, Int8Layers)
    )
    assert operators(with_clip)["Clip"] > 10 > operators(without)["Clip"]
    for first, second in zip(answers(with_clip, inputs), answers(without, inputs), strict=True):
        assert np.array_equal(first, second)


def test_a_channel_that_is_all_bias_keeps_it(inputs: ModelInputs) -> None:
    """Pretrained weights have such channels; in steps of its weights the bias would not fit into 32 bits."""
    model = disturbed(small("mean"))
    norm = model.backbone.blocks[1][0].bn3
    with torch.no_grad():
        norm.weight[0] = 1e-9
        norm.bias[0] = 3.0
    graph = build_graph(model, FloatLayers(), height=SIZE, width=SIZE)
    found = activation_ranges(graph, inputs)
    quantized = static(model, Int8Layers(found, lambda _: "static"))
    biases = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantized.graph.initializer}
    bias = int(biases["stage2.block1.project.bias"][0])
    scale = float(biases["stage2.block1.project.bias.scales"][0])
    assert bias * scale == pytest.approx(3.0, rel=1e-3)


@pytest.mark.parametrize("name", ["x64-vnni", "x64-avx2"])
def test_all_variants_are_static_with_8_bit_weights(inputs: ModelInputs, name: str) -> None:
    """Nothing but convolutions: none could take each image's own range, and mixed forms would be as slow as FP32."""
    model = disturbed(small("two-questions"))
    graph = build_graph(model, FloatLayers(), height=SIZE, width=SIZE)
    reference = answers(graph, inputs)[0]
    made = list(
        quantized_variants(model, graph, inputs, PROCESSORS[name], lambda _done, _total: None)
    )
    methods = Counter(variant.description["method"] for variant in made)
    assert methods == {"static": 5}
    for variant in made:
        assert 0 < largest_weight(variant.graph) <= PROCESSORS[name].weight_limit
        difference = np.abs(answers(variant.graph, inputs)[0] - reference).max()
        assert 0 < difference < 0.15 * np.abs(reference).max(), variant.name
        assert variant.description["kept_in_float"] == ["stem", "stage1", "classifier"]


def test_an_equalized_model_computes_the_same_and_its_sums_are_alike(inputs: ModelInputs) -> None:
    model = disturbed(small("two-questions"))
    with torch.no_grad():
        for block in model.backbone.blocks[2]:
            block.bn3.weight[0] *= 30
            block.bn3.bias[0] *= 30
    same = equalized(model, inputs)
    pixel_values = torch.from_numpy(inputs.pixel_values())
    with torch.inference_mode():
        for given, expected in zip(same(pixel_values), model(pixel_values), strict=True):
            torch.testing.assert_close(given, expected, rtol=1e-3, atol=1e-3)
        spreads = []
        for each in (model, same):
            kept: list[torch.Tensor] = []
            each.backbone.blocks[2].register_forward_hook(
                lambda _m, _i, out, to=kept: to.append(out)
            )
            each(pixel_values)
            peaks = kept[0].abs().amax(dim=(0, 2, 3))
            spreads.append(float(peaks.max() / peaks.median()))
    assert spreads[1] < spreads[0] / 2


def test_weights_rounded_together_are_nearer_than_weights_rounded_alone(
    model: Any, float_graph: onnx.ModelProto, ranges: Ranges, inputs: ModelInputs
) -> None:
    rounding = JointRounding(model, inputs)
    expected = answers(float_graph, inputs)[1]
    errors = [
        float(np.square(answers(static(model, layers), inputs)[1] - expected).mean())
        for layers in (
            Int8Layers(ranges, lambda _: "static", weight_limit=15),
            Int8Layers(ranges, lambda _: "static", weight_limit=15, rounding=rounding),
        )
    ]
    assert errors[1] < 0.7 * errors[0]
