"""Correct the bias of each 8-bit layer for the shift that rounding causes.

Rounding errors do not cancel out over an image: they move the mean of a layer's channels, so all later layers get other
values than they were trained with. So the shift over calibration images is measured, layer by layer, and subtracted
from the bias. That costs nothing at run time: the bias is there anyway, in 32 bits.

Empirical bias correction, Nagel et al. 2019, arXiv 1906.04721, section 4.2. Measured on the trained cvt-slim, all
ranges static: mean difference of the probabilities on 589 validation images 0.0011 instead of 0.0012.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_infer.contract import INPUT_NAME
from export.model_inputs import ModelInputs
from export.sessions import open_other_graph

__all__ = ["with_biases_of", "with_corrected_biases"]

#: How ``Int8Layers`` names the bias of a layer, its scales, and its value in float.
_BIAS, _SCALES, _AS_FLOAT = ".bias", ".bias.scales", ".bias.float"


def with_corrected_biases(
    graph: onnx.ModelProto,
    float_graph: onnx.ModelProto,
    calibration: ModelInputs,
    advance: Callable[[int, int], None] = lambda _done, _total: None,
) -> onnx.ModelProto:
    """Return a copy whose layers have the channel means of the float graph.

    Args:
        graph: Made with ``Int8Layers``; layers without a 32-bit bias (float and dynamic ones) stay as they are.
        float_graph: Made with ``FloatLayers`` from the same model.
        calibration: Training images.
        advance: Called after each layer with (done, total).
    """
    result = _copy(graph)
    constants = {tensor.name: tensor for tensor in result.graph.initializer}
    layers = list(_layers(result))
    if not layers:
        return result
    pixel_values = list(calibration.batches(1))
    outputs = [_output(float_graph, layer) for layer in layers]
    expected = _channel_means(float_graph, outputs, pixel_values)
    # In the order of the graph, because the later layers get the corrected values.
    for done, (layer, mean) in enumerate(zip(layers, expected, strict=True), start=1):
        (found,) = _channel_means(result, [_output(result, layer)], pixel_values)
        scales = numpy_helper.to_array(constants[layer + _SCALES])
        bias = constants[layer + _BIAS]
        values = numpy_helper.to_array(bias) + np.rint((mean - found) / scales).astype(np.int32)
        bias.CopyFrom(numpy_helper.from_array(values, bias.name))
        advance(done, len(layers))
    return result


def with_biases_of(corrected: onnx.ModelProto, graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a graph with the biases of another graph, for the 8-bit layers that both have."""
    result = _copy(graph)
    known = {tensor.name: tensor for tensor in corrected.graph.initializer}
    wanted = {layer + _BIAS for layer in _layers(result)}
    for tensor in result.graph.initializer:
        if tensor.name in wanted:
            tensor.CopyFrom(known[tensor.name])
    return result


def _copy(graph: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(graph)
    return result


def _layers(graph: onnx.ModelProto) -> Iterator[str]:
    """Yield the names of the layers with a 32-bit bias, in the order of the graph."""
    for node in graph.graph.node:
        if node.op_type == "DequantizeLinear" and node.output[0].endswith(_AS_FLOAT):
            yield node.output[0].removesuffix(_AS_FLOAT)


def _output(graph: onnx.ModelProto, layer: str) -> str:
    """Return the name of a layer's product or convolution in this graph."""
    written = {name for node in graph.graph.node for name in node.output}
    return f"{layer}.conv" if f"{layer}.conv" in written else layer


def _channel_means(
    graph: onnx.ModelProto, outputs: Sequence[str], pixel_values: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.float64]]:
    """Run images one by one and return the mean of each channel of some values inside the graph."""
    exposed = _copy(graph)
    del exposed.graph.output[:]
    exposed.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs
    )
    session = open_other_graph(exposed.SerializeToString())
    runs = [
        [_over_places(value) for value in session.run(outputs, {INPUT_NAME: image})]
        for image in pixel_values
    ]
    return [np.mean(means, axis=0) for means in zip(*runs, strict=True)]


def _over_places(value: NDArray[np.float32]) -> NDArray[np.float64]:
    """Average an image, (B, C, H, W), or tokens, (..., C), over all but the channels."""
    channels = 1 if value.ndim == 4 else value.ndim - 1
    others = tuple(axis for axis in range(value.ndim) if axis != channels)
    return np.asarray(value.mean(axis=others, dtype=np.float64))
