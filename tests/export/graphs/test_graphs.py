from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from edge_infer import saturation
from edge_infer.contract import LABELS, OUTPUT_NAMES
from edge_infer.preprocessing import PreprocessorConfig
from edge_infer.session import open_session
from export.graphs import build_graph, can_build, float_layers
from export.graphs.float_layers import FloatLayers
from export.int8.equalization import equalized
from export.int8.layers import Format, Int8Layers, Ranges
from export.int8.processors import PROCESSORS
from export.int8.ranges import METHODS, _least_error, activation_ranges
from export.int8.sensitivity import errors_by_group, group_of, mixed_formats, worst_groups
from export.model_inputs import ModelInputs
from export.parity import check_parity
from export.sessions import largest_weight
from train.models import create_model

SIZE = 64
CONFIG = PreprocessorConfig(height=SIZE, width=SIZE)
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "cvt": ("cvt_test", {}),
    "cvt-slim": (
        "cvt-slim",
        {"widths": [8, 8, 16, 24], "blocks": [2, 1, 1], "depth": 2, "num_heads": 2},
    ),
    "vit": ("vit", {"patch_size": 16, "dim": 24, "depth": 2, "num_heads": 2}),
    "vit-base": (
        "vit-base",
        {
            "hidden_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "intermediate_size": 48,
        },
    ),
}


def disturbed(name: str, **more: Any) -> nn.Module:
    """A model none of whose numbers is at its comfortable first value, with batch norms that have seen images."""
    kind, sizes = MODELS[name]
    torch.manual_seed(3)
    model = create_model(kind, len(LABELS), image_size=SIZE, sizes={**sizes, **more})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        model.train()
        for _ in range(5):
            model(torch.rand(8, 3, SIZE, SIZE))
    return model.eval()


@pytest.fixture(scope="module", params=list(MODELS))
def model(request: pytest.FixtureRequest) -> nn.Module:
    return disturbed(request.param)


@pytest.fixture(scope="module")
def inputs() -> ModelInputs:
    grey = np.random.default_rng(0).integers(0, 256, (16, SIZE, SIZE), dtype=np.uint8)
    return ModelInputs(grey, CONFIG)


@pytest.fixture(scope="module")
def float_graph(model: nn.Module) -> onnx.ModelProto:
    return build_graph(model, FloatLayers(), height=SIZE, width=SIZE)


@pytest.fixture(scope="module")
def ranges(float_graph: onnx.ModelProto, inputs: ModelInputs) -> Ranges:
    return activation_ranges(float_graph, inputs)


def int8(model: nn.Module, ranges: Ranges, form: Format, limit: int = 127) -> onnx.ModelProto:
    layers = Int8Layers(ranges, lambda _: form, weight_limit=limit)
    return build_graph(model, layers, height=SIZE, width=SIZE)


def logits(graph: onnx.ModelProto, inputs: ModelInputs) -> NDArray[np.float32]:
    opened = open_session(graph.SerializeToString())
    return np.concatenate([opened.run(image)[0] for image in inputs.batches(1)])


def optimized(graph: onnx.ModelProto, folder: Path) -> Counter[str]:
    """Return what onnxruntime makes of a graph, operators counted."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    loaded = onnx.load(folder / "optimized.onnx")
    return Counter(node.op_type for node in loaded.graph.node)


def test_the_graph_gives_what_pytorch_gives(model: nn.Module, float_graph: onnx.ModelProto) -> None:
    parity = check_parity(
        model, open_session(float_graph.SerializeToString()), height=SIZE, width=SIZE
    )
    assert max(parity["max_abs_difference"].values()) < 1e-4


@pytest.mark.parametrize("name", ["cvt", "cvt-slim", "vit"])
def test_the_head_of_two_questions_gives_what_pytorch_gives(name: str, inputs: ModelInputs) -> None:
    model = disturbed(name, head="two-questions")
    with torch.no_grad():  # logits away from 0, which the error of 8 bits is a share of
        model.classifier.offset.fill_(2.0)  # type: ignore[operator, union-attr]
    graph = build_graph(model, FloatLayers(), height=SIZE, width=SIZE)
    session = open_session(graph.SerializeToString())
    check_parity(model, session, height=SIZE, width=SIZE)
    found = activation_ranges(graph, inputs)
    for form in ("static", "dynamic"):
        quantized = int8(model, found, form)
        assert {node.domain for node in quantized.graph.node} == {""}
        given, _, evidence = open_session(quantized.SerializeToString()).run(
            inputs[:1].pixel_values()
        )
        np.testing.assert_allclose(evidence.mean(axis=(2, 3)), given, rtol=0, atol=1e-4)
        assert not given[:, LABELS.index("no_tumor")].any()
        reference = logits(graph, inputs[:1])
        assert np.abs(given - reference).max() < 0.15 * np.abs(reference).max()


@pytest.mark.parametrize(("classes", "negative_id"), [(2, 0), (2, 1), (3, 0), (10, 9), (100, 42)])
def test_two_questions_are_asked_of_any_classes_with_a_negative_one(
    classes: int, negative_id: int
) -> None:
    kind, sizes = MODELS["vit"]
    torch.manual_seed(3)
    model = create_model(
        kind,
        classes,
        image_size=SIZE,
        sizes={**sizes, "head": "two-questions"},
        negative_id=negative_id,
    ).eval()
    with torch.no_grad():
        model.classifier.offset.fill_(2.0)  # type: ignore[operator, union-attr]
    graph = build_graph(model, FloatLayers(), height=SIZE, width=SIZE)
    session = open_session(graph.SerializeToString())
    check_parity(model, session, height=SIZE, width=SIZE)
    given, _, evidence = session.run(np.full((1, 3, SIZE, SIZE), 0.5, np.float32))
    assert not given[:, negative_id].any()
    assert not evidence[:, negative_id].any()
    assert np.delete(given, negative_id, axis=1).all()


def test_a_changed_weight_is_a_changed_answer(
    float_graph: onnx.ModelProto, inputs: ModelInputs
) -> None:
    before = logits(float_graph, inputs[:1])
    for tensor in float_graph.graph.initializer:
        if not tensor.name.endswith(".weight"):
            continue
        spoilt = onnx.load_from_string(float_graph.SerializeToString())
        target = next(entry for entry in spoilt.graph.initializer if entry.name == tensor.name)
        values = numpy_helper.to_array(target)
        target.CopyFrom(numpy_helper.from_array(values[..., ::-1].copy() * 1.5, target.name))
        assert np.abs(logits(spoilt, inputs[:1]) - before).max() > 1e-5, tensor.name


@pytest.mark.parametrize("form", ["float", "static", "dynamic"])
def test_only_standard_operators_are_written(
    model: nn.Module, ranges: Ranges, form: Format
) -> None:
    graph = int8(model, ranges, form)
    assert [entry.domain for entry in graph.opset_import] == [""]
    assert {node.domain for node in graph.graph.node} == {""}


@pytest.mark.parametrize("form", ["static", "dynamic"])
def test_int8_stays_near_the_float_graph(
    model: nn.Module,
    float_graph: onnx.ModelProto,
    ranges: Ranges,
    inputs: ModelInputs,
    form: Format,
) -> None:
    reference = logits(float_graph, inputs)
    given = logits(int8(model, ranges, form), inputs)
    assert np.abs(given - reference).max() < 0.15 * np.abs(reference).max()
    assert np.abs(given - reference).max() > 0  # it is quantized


def test_onnxruntime_makes_integer_kernels_of_every_static_product(
    model: nn.Module, ranges: Ranges, tmp_path: Path
) -> None:
    operators = optimized(int8(model, ranges, "static"), tmp_path)
    written = Counter(node.op_type for node in int8(model, ranges, "static").graph.node)
    assert operators["QGemm"] == written["Gemm"] - 1  # the classifier stays in float
    assert operators["Gemm"] == 1
    assert operators["QLinearConv"] == written["Conv"] - 1  # and so does the stem
    assert operators["Gelu"] == written["Erf"]
    assert operators["BiasGelu"] == 0


def test_onnxruntime_fuses_every_dynamic_product(
    model: nn.Module, ranges: Ranges, tmp_path: Path
) -> None:
    operators = optimized(int8(model, ranges, "dynamic"), tmp_path)
    written = Counter(node.op_type for node in int8(model, ranges, "dynamic").graph.node)
    # Where query, key and value share one quantized input, onnxruntime quantizes it once.
    fused = operators["DynamicQuantizeMatMul"] + operators["MatMulIntegerToFloat"]
    assert fused == written["MatMulInteger"] > 0
    assert operators["MatMulInteger"] == 0


@pytest.mark.parametrize("form", ["static", "dynamic"])
def test_onnxruntime_loads_it_where_8_bit_products_saturate(
    model: nn.Module,
    ranges: Ranges,
    inputs: ModelInputs,
    form: Format,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There each weight is written anew by name; on processors with VNNI too, once the option is set."""
    graph = int8(model, ranges, form)
    given = logits(graph, inputs)
    monkeypatch.setattr(saturation, "products_saturate", lambda: True)
    np.testing.assert_allclose(logits(graph, inputs), given, rtol=0, atol=0.02)


@pytest.mark.parametrize("name", list(PROCESSORS))
def test_weights_keep_within_what_the_target_can_sum(
    model: nn.Module, ranges: Ranges, name: str
) -> None:
    limit = PROCESSORS[name].weight_limit
    graph = int8(model, ranges, "static", limit)
    weights = [
        numpy_helper.to_array(tensor)
        for tensor in graph.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1
    ]
    assert len(weights) >= 10
    assert {int(np.abs(values.astype(int)).max()) for values in weights} == {limit}
    assert largest_weight(graph) == limit
    if name in ("x64-avx2", "portable"):
        assert 2 * 255 * limit < 2**15  # two products in one signed 16-bit sum


@pytest.mark.parametrize("method", METHODS)
def test_each_calibration_knows_every_activation_that_is_quantized(
    model: nn.Module, float_graph: onnx.ModelProto, inputs: ModelInputs, method: Any
) -> None:
    ranges = activation_ranges(float_graph, inputs, method=method)
    assert all(low <= high for low, high in ranges.values())
    given = logits(int8(model, ranges, "static"), inputs)
    assert np.isfinite(given).all()


def test_groups_are_kinds_of_layers_in_a_stage() -> None:
    assert group_of("stage3.block7.wide") == "stage3.wide"
    assert group_of("stage1.block1.attention.key.depthwise") == "stage1.attention.qkv.depthwise"
    assert group_of("block12.attention.value") == "attention.qkv"
    assert group_of("stage2.embedding") == "stage2.embedding"


def test_the_groups_that_cause_the_error_are_found_and_given_another_format() -> None:
    errors = {"wide": 0.1, "narrow": 0.9, "attention.output": 0.4}
    names = {group: f"block1.{group}" for group in errors}
    advanced: list[None] = []

    def build(format_of: Any) -> Any:
        return next(group for group, name in names.items() if format_of(name) == "static")

    found = errors_by_group(
        errors,
        build,
        lambda group: np.full((2, 4), errors[str(group)], np.float32),
        np.zeros((2, 4), np.float32),
        lambda: advanced.append(None),
    )
    assert found == pytest.approx(errors)
    assert len(advanced) == 3
    assert worst_groups(found, share=0.5) == ["narrow"]
    assert worst_groups(found, share=0.9) == ["narrow", "attention.output"]
    format_of = mixed_formats(["narrow", "stage1.attention.qkv.depthwise"])
    assert format_of("block1.narrow") == "dynamic"
    assert format_of("block1.wide") == "static"
    assert format_of("stage1.block1.attention.query.depthwise") == "float"


def test_attention_in_parts_is_the_same_attention(
    model: nn.Module, float_graph: onnx.ModelProto, inputs: ModelInputs, monkeypatch: Any
) -> None:
    monkeypatch.setattr(float_layers, "_SCORES_AT_ONCE", 1)
    in_parts = build_graph(model, FloatLayers(), height=SIZE, width=SIZE)
    softmaxes = [
        sum(node.op_type == "Softmax" for node in each.graph.node)
        for each in (float_graph, in_parts)
    ]
    assert softmaxes[1] > 4 * softmaxes[0]
    np.testing.assert_allclose(
        logits(in_parts, inputs[:3]), logits(float_graph, inputs[:3]), rtol=0, atol=1e-5
    )


def test_only_cvts_first_stage_at_224_pixels_is_split() -> None:
    assert float_layers._query_parts(3136, 784, 1) == 7
    assert float_layers._query_parts(784, 196, 3) == 1
    assert float_layers._query_parts(197, 197, 12) == 1
    assert float_layers._query_parts(7, 2**30, 1) == 7  # never less than a row


@pytest.mark.parametrize(("name", "stage"), [("cvt", 1), ("cvt-slim", 4)])
def test_an_equalized_model_computes_the_same_from_ranges_that_are_alike(
    inputs: ModelInputs, name: str, stage: int
) -> None:
    """A depthwise convolution has a scale for each channel: all factors are free."""
    model = loud_model(name, "cvt.encoder.stages.0.layers.0.layernorm_before")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    same = equalized(model, inputs)
    check_same_answers(same, model, inputs)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), f"{key} of the given model was changed"
    peaks = [channel_peaks(each, f"stage{stage}.block1.norm1", inputs) for each in (model, same)]
    assert peaks[0].max() / peaks[0].min() > 10
    assert peaks[1].max() / peaks[1].min() < 1.01


@pytest.mark.parametrize(
    ("loud", "watched"),
    [("residual.0.bn1", "residual1.conv1"), ("stem.1", "stem")],
)
def test_other_convolutions_share_the_range_of_their_channels_with_the_weights(
    inputs: ModelInputs, loud: str, watched: str
) -> None:
    model = loud_model("cvt-slim", loud)
    same = equalized(model, inputs)
    check_same_answers(same, model, inputs)
    # Against the median: behind a ReLU the least may be nothing.
    spreads = [
        float(peaks.max() / np.median(peaks))
        for peaks in (channel_peaks(each, watched, inputs) for each in (model, same))
    ]
    assert spreads[0] > 3
    assert spreads[1] < spreads[0] / 2


def loud_model(name: str, module: str) -> nn.Module:
    """A disturbed model, one of whose channels is thirty times the others where a module writes."""
    model = disturbed(name)
    writer: Any = model.get_submodule(module)
    with torch.no_grad():
        writer.weight[0] *= 30
    return model


def check_same_answers(given: nn.Module, expected: nn.Module, inputs: ModelInputs) -> None:
    pixel_values = torch.from_numpy(inputs.pixel_values())
    with torch.inference_mode():
        outputs = [each(pixel_values)[: len(OUTPUT_NAMES)] for each in (given, expected)]
        for one, other in zip(*outputs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def channel_peaks(model: nn.Module, name: str, inputs: ModelInputs) -> NDArray[np.float32]:
    """Return the largest absolute value of each channel of an activation, tokens or image."""
    graph = build_graph(model, FloatLayers(), height=SIZE, width=SIZE)
    del graph.graph.output[:]
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
    )
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    values = np.asarray(session.run([name], {"pixel_values": inputs.pixel_values()})[0])
    peaks: NDArray[np.float32] = np.abs(values).max(axis=(0, 2, 3) if values.ndim == 4 else 0)
    return peaks


def test_a_vit_is_not_equalized(inputs: ModelInputs) -> None:
    model = disturbed("vit")
    assert equalized(model, inputs) is model


def test_models_without_a_graph_of_their_own_are_known() -> None:
    assert not can_build(create_model("sae", len(LABELS), image_size=SIZE))
    assert not can_build(create_model("resnet18", len(LABELS)))


def test_the_lp_norm_leaves_out_what_is_rare_and_keeps_zero() -> None:
    edges = np.linspace(-1.0, 9.0, 1001)
    counts = np.where((edges[:-1] >= 0) & (edges[:-1] < 3), 100_000, 0)
    counts[[0, -1]] = 1  # one value of -1 and one of 9 among 30 million from 0 to 3
    low, high = _least_error(counts, edges, -1.0, 9.0)
    assert -0.7 < low < 0.0
    assert 3.0 < high < 7.0
    assert high / low == pytest.approx(-9.0)  # one share for both ends
    counts[:] = 100_000  # where all values are as common, none is left out
    assert _least_error(counts, edges, -1.0, 9.0) == (-1.0, 9.0)
    assert _least_error(counts[:1], np.array([2.0, 3.0]), 2.0, 3.0)[0] == 0.0
