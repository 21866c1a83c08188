"""Multiply-accumulates, compared with PyTorch's own counter."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.macs import count_macs
from edge_infer.errors import BundleIncompatible
from export.to_onnx import export_graph
from train.models import create_model


def graph(
    node: onnx.NodeProto, inputs: dict[str, list[int | str]], output: list[int]
) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(np.zeros((4, 5), np.float32), "weights")]
    made = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(key, TensorProto.FLOAT, shape)
            for key, shape in inputs.items()
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, output)],
        weights,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)])


def test_a_product_and_an_einsum_are_counted_for_a_batch_of_one() -> None:
    product = helper.make_node("MatMul", ["pixel_values", "weights"], ["out"])
    assert count_macs(graph(product, {"pixel_values": ["batch", 3, 4]}, [1, 3, 5])) == {
        "MatMul": 3 * 4 * 5
    }
    einsum = helper.make_node(
        "Einsum", ["pixel_values", "weights"], ["out"], equation="bij,jk->bik"
    )
    assert count_macs(graph(einsum, {"pixel_values": ["batch", 3, 4]}, [1, 3, 5])) == {
        "Einsum": 3 * 4 * 5
    }


def test_an_unknown_shape_is_refused_rather_than_counted_as_nothing() -> None:
    product = helper.make_node("MatMul", ["other", "weights"], ["out"])
    with pytest.raises(BundleIncompatible, match="not known"):
        count_macs(graph(product, {"other": ["n", "m", 4]}, [1, 3, 5]))


@pytest.mark.slow
def test_a_model_takes_as_many_as_torch_counts() -> None:
    model = create_model("cvt_test", 4, image_size=64).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.rand(1, 3, 64, 64))
    counted = sum(count_macs(export_graph(model, height=64, width=64)).values())
    # Within 2 %: the exporter folds the evidence head and the normalisation a little differently.
    assert counted == pytest.approx(counter.get_total_flops() / 2, rel=0.02)
