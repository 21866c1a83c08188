"""Where a graph's time goes, measured on a graph whose operators are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from benchmarks.cli import main
from benchmarks.operator_profile import (
    Operator,
    Profile,
    _operators,
    profile_graphs,
    profile_table,
)
from edge_infer import saturation
from edge_infer.bundle import shipped_bundle_path
from edge_infer.errors import BundleIncompatible
from edge_infer.saturation import PRECISION_OPTION

SIDE = 64


def write_graph(path: Path, convolutions: int) -> Path:
    """Write a chain of convolutions that ends in one softmax."""
    weight = np.full((3, 3, 7, 7), 0.01, np.float32)
    nodes = [
        helper.make_node("Conv", [f"x{number}", "weight"], [f"x{number + 1}"], pads=[3, 3, 3, 3])
        for number in range(convolutions)
    ]
    nodes[0].input[0] = "pixel_values"
    nodes.append(helper.make_node("Softmax", [f"x{convolutions}"], ["logits"], axis=1))
    shape = ("batch", 3, SIDE, SIDE)
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weight, "weight")],
    )
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    return path


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("graphs")
    return [write_graph(folder / f"{count}.onnx", count) for count in (1, 5)]


def test_each_node_is_counted_once_under_its_operator(graphs: list[Path]) -> None:
    told: list[tuple[int, int]] = []
    one, five = profile_graphs(
        [("one", graphs[0]), ("five", graphs[1])],
        runs=7,
        threads=1,
        run_done=lambda done, of: told.append((done, of)),
    )
    for profile, convolutions in ((one, 1), (five, 5)):
        nodes = {operator.name: operator.nodes for operator in profile.operators}
        assert nodes["Conv"] == convolutions
        assert nodes["Softmax"] == 1
        times = [operator.ms for operator in profile.operators]
        assert times == sorted(times, reverse=True)  # the costliest first
        assert times[-1] > 0
        assert profile.ms == pytest.approx(sum(times))
    assert told[-1] == (10, 10)  # three to warm up


def test_an_operator_takes_the_medians_of_its_nodes_once_warm() -> None:
    def events(operator: str, node: str, *microseconds: int) -> list[dict[str, Any]]:
        name = f"{node}_kernel_time"
        return [
            {"cat": "Node", "name": name, "args": {"op_name": operator}, "dur": dur}
            for dur in microseconds
        ]

    found = _operators(
        [
            *events("Add", "sum", 9000, 9000, 9000, 40, 10, 20),
            *events("Gemm", "wide", 9000, 9000, 9000, 300, 100, 9000),
            *events("Gemm", "narrow", 9000, 9000, 9000, 50, 70, 60),
            {"cat": "Session", "name": "model_run", "dur": 9000},
        ]
    )
    assert found == (
        Operator(name="Gemm", nodes=2, ms=pytest.approx(0.36)),
        Operator(name="Add", nodes=1, ms=pytest.approx(0.02)),
    )


def test_the_table_has_a_row_for_every_operator_of_any_graph() -> None:
    def profile(title: str, *operators: tuple[str, int, float]) -> Profile:
        found = tuple(Operator(name=name, nodes=nodes, ms=ms) for name, nodes, ms in operators)
        return Profile(title=title, runs=1, threads=1, operators=found)

    before = profile("before", ("MatMul", 4, 6.0), ("Add", 2, 2.0))
    after = profile("after", ("QGemm", 4, 3.0), ("Add", 1, 1.0))
    assert profile_table([before, after]) == [
        ("operator", "nodes 1", "ms", "share", "nodes 2", "ms", "share"),
        ("MatMul", "4", "6.00", "75.0 %", "", "", ""),
        ("QGemm", "", "", "", "4", "3.00", "75.0 %"),
        ("Add", "2", "2.00", "25.0 %", "1", "1.00", "25.0 %"),
        ("all", "6", "8.00", "100.0 %", "5", "4.00", "100.0 %"),
    ]
    assert Profile.from_json(json.loads(json.dumps(before.as_json()))) == before


def test_the_command_takes_files_and_bundles(graphs: list[Path], tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "edge_infer" / "shipped"
    written = tmp_path / "found.json"
    result = CliRunner().invoke(
        main, ["profile", str(graphs[0]), str(shipped), "--runs", "2", "--json", str(written)]
    )
    assert result.exit_code == 0, result.output
    assert f"1: {graphs[0]}" in result.output
    facts = json.loads(written.read_text())
    assert [it["title"] for it in facts["profiles"]] == [str(graphs[0]), str(shipped)]
    assert facts["environment"]["cpu"]
    assert "Softmax" in result.output
    assert facts["research_use_only"] in result.output


def test_a_bundle_is_guarded_as_the_runtime_does_and_a_file_alone_is_not(
    graphs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saturation, "products_saturate", lambda: True)
    opened: list[Any] = []
    original = onnxruntime.InferenceSession

    def noted(*arguments: Any, **named: Any) -> Any:
        opened.append(original(*arguments, **named))
        return opened[-1]

    monkeypatch.setattr(onnxruntime, "InferenceSession", noted)
    bundle = shipped_bundle_path() / "model.onnx"
    profile_graphs([("bundle", bundle), ("file", graphs[0])], runs=1, threads=1)
    of_bundle, of_file = (session.get_session_options() for session in opened)
    assert of_bundle.get_session_config_entry(PRECISION_OPTION) == "1"
    with pytest.raises(RuntimeError, match="x64quantprecision"):
        of_file.get_session_config_entry(PRECISION_OPTION)


def test_what_is_no_such_graph_is_refused_with_advice(tmp_path: Path) -> None:
    text, other = tmp_path / "text.onnx", write_graph(tmp_path / "other.onnx", 1)
    text.write_text("hello")
    model = onnx.load(other)
    model.graph.node[0].input[0] = model.graph.input[0].name = "image"
    onnx.save(model, other)
    for path, message in ((text, "is not an ONNX file"), (other, "takes image, not pixel_values")):
        result = CliRunner().invoke(main, ["profile", str(path)])
        assert result.exit_code == BundleIncompatible.exit_code
        assert message in result.output
        assert "hint:" in result.output
