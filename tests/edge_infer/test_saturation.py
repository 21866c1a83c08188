"""The precaution against saturating 8-bit products: taken where a product is wrong, and only there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from tiny_bundle import tiny_model

from edge_infer import saturation
from edge_infer.saturation import PRECISION_OPTION, products_saturate
from edge_infer.session import open_session

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    products_saturate.cache_clear()
    yield
    products_saturate.cache_clear()


def test_the_probe_is_the_graph_it_is_said_to_be() -> None:
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "g",
        [
            helper.make_tensor_value_info("a", TensorProto.UINT8, [4, 8]),
            helper.make_tensor_value_info("b", TensorProto.INT8, [8, 16]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [4, 16])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 10)], ir_version=10)
    assert model.SerializeToString() == saturation._PROBE


def fake_runtime(total: int) -> Any:
    """An onnxruntime whose kernels give this sum of 8 products of 255 and 127."""
    session = SimpleNamespace(run=lambda *_: [np.full((4, 16), total, dtype=np.int32)])
    return SimpleNamespace(
        SessionOptions=SimpleNamespace, InferenceSession=lambda *_, **__: session
    )


@pytest.mark.parametrize(
    ("total", "saturates"), [(8 * 255 * 127, False), (4 * 32767, True)], ids=["exact", "cut off"]
)
def test_a_wrong_sum_is_seen(monkeypatch: pytest.MonkeyPatch, total: int, saturates: bool) -> None:
    monkeypatch.setattr(saturation, "import_onnxruntime", lambda: fake_runtime(total))
    assert products_saturate() is saturates


@pytest.mark.parametrize("saturates", [True, False])
def test_the_option_is_set_where_products_saturate_and_only_there(
    monkeypatch: pytest.MonkeyPatch, saturates: bool
) -> None:
    monkeypatch.setattr(saturation, "products_saturate", lambda: saturates)
    opened = open_session(tiny_model().SerializeToString(), num_threads=1)
    options = opened._inference_session.get_session_options()
    if saturates:
        assert options.get_session_config_entry(PRECISION_OPTION) == "1"
    else:
        with pytest.raises(RuntimeError, match="x64quantprecision"):
            options.get_session_config_entry(PRECISION_OPTION)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="qemu-user is not installed")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs an x64 Python and onnxruntime")
def test_a_haswell_saturates() -> None:
    code = "from edge_infer.saturation import products_saturate; print(products_saturate())"
    python = str(Path(sys.executable).resolve())
    finished = subprocess.run(
        ["qemu-x86_64", "-cpu", "Haswell", python, "-c", code],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
    )
    assert finished.stdout.strip() == "True"
