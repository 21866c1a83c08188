"""The precaution against saturating 8-bit products: taken where a product is wrong, and only there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from tiny_bundle import tiny_model

from edge_infer import Classifier, saturation
from edge_infer.errors import BundleIncompatible
from edge_infer.saturation import PRECISION_OPTION, products_saturate
from edge_infer.session import Session, open_session

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


def precaution_taken(session: Session) -> bool:
    options = session._inference_session.get_session_options()
    try:
        return bool(options.get_session_config_entry(PRECISION_OPTION) == "1")
    except RuntimeError:  # not set at all
        return False


@pytest.mark.parametrize("saturates", [True, False])
def test_the_option_is_set_where_products_saturate_and_only_there(
    monkeypatch: pytest.MonkeyPatch, saturates: bool
) -> None:
    monkeypatch.setattr(saturation, "products_saturate", lambda: saturates)
    opened = open_session(tiny_model().SerializeToString(), num_threads=1)
    assert precaution_taken(opened) is saturates


@pytest.mark.parametrize(("largest", "taken"), [(0, False), (63, False), (64, False), (65, True)])
def test_weights_whose_sums_fit_16_bits_need_no_option(
    monkeypatch: pytest.MonkeyPatch, largest: int, taken: bool
) -> None:
    assert (2 * 255 * largest >= 2**15) is taken
    monkeypatch.setattr(saturation, "products_saturate", lambda: True)
    opened = open_session(tiny_model().SerializeToString(), num_threads=1, largest_weight=largest)
    assert precaution_taken(opened) is taken


@pytest.mark.parametrize(
    ("precision", "quantization", "taken"),
    [
        ("fp32", {}, False),
        ("int8", {}, True),  # bundles made before the manifest said how large
        ("int8", {"largest_weight": 127}, True),
        ("int8", {"largest_weight": 63}, False),
    ],
)
def test_a_classifier_goes_by_what_its_bundle_says(
    make_bundle: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    quantization: dict[str, int],
    taken: bool,
) -> None:
    monkeypatch.setattr(saturation, "products_saturate", lambda: True)
    bundle = make_bundle(precision=precision, quantization=quantization)
    assert precaution_taken(Classifier.load(bundle).session) is taken


@pytest.mark.parametrize("largest", [-1, 129, "63", True, 6.5])
def test_a_bundle_with_a_weight_that_cannot_be_is_refused(
    make_bundle: Callable[..., Path], largest: object
) -> None:
    with pytest.raises(BundleIncompatible, match="largest_weight"):
        make_bundle(quantization={"largest_weight": largest})


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
