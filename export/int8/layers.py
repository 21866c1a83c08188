"""The same layers with INT8 products and convolutions, around float32 LayerNormalization, softmax, GELU and sums.

Written in standard operators, in the patterns that onnxruntime recognizes: it makes one QGemm or QLinearConv of each
group, and changes the layouts of convolutions itself. Writing its own operators by hand is no faster
(docs/decisions/0010).

Attention stays in float: CvT-13 gains nothing from 8-bit scores and mixtures, since packing the second factor and
writing float scores takes the time that the product saves (measured: 10.6 against 10.1 ms).

Weights are signed and symmetric with one scale per output channel; activations unsigned and asymmetric with one scale,
known from calibration ("static") or taken from each image ("dynamic"). Quantizing the float parts too is what spoils
transformers (huggingface/optimum#151, FQ-ViT's table).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from export.graphs.float_layers import Activation, FloatLayers
from export.graphs.weights import (
    Grid,
    Weights,
    as_array,
    bias_of,
    folded_batch_norm,
    grid_after,
    window,
)
from export.int8.weight_rounding import JointRounding

__all__ = ["Format", "Int8Layers", "Quantized", "Ranges"]

Format = Literal["float", "static", "dynamic"]

#: Half of what fits into 32 bits: products are added to it.
_LARGEST_BIAS = 2**30

#: Smallest and largest value of each activation, by the activation's name in the float graph.
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """An activation in 8 bits.

    Attributes:
        name: Of the 8-bit value.
        scale: Name of the constant.
        zero_point: Name of the constant.
        step: The scale's value.
    """

    name: str
    scale: str
    zero_point: str
    step: float


class Int8Layers(FloatLayers):
    """Layers in standard operators: QuantizeLinear and DequantizeLinear around each product (QDQ).

    Args:
        ranges: From calibration.
        format_of: Returns the number format of a product or convolution, given its name.
        weight_limit: Largest absolute weight: 127, or 63 where 16-bit sums of two products would saturate (x64 without
            VNNI).
        rounding: Rounds the convolutions that it knows; all other weights are rounded to the nearest value.
    """

    def __init__(
        self,
        ranges: Ranges,
        format_of: Callable[[str], Format],
        *,
        weight_limit: int = 127,
        rounding: JointRounding | None = None,
    ) -> None:
        super().__init__()
        self.ranges = ranges
        self.format_of = format_of
        self.weight_limit = weight_limit
        self.rounding = rounding
        self._quantized: dict[str, Quantized] = {}

    # --- what is overridden -------------------------------------------------------------------------------------

    def linear(self, x: str, weight: Weights, bias: Weights | None, name: str) -> str:
        """See ``FloatLayers.linear``."""
        form = self.format_of(name)
        if form == "float":
            return super().linear(x, weight, bias, name)
        if form == "dynamic":
            return self._dynamic_product(x, *self._int8(weight.T, axis=1), bias, name)
        return self._static_product(self._in_8_bits(x), weight, bias, name)

    def depthwise(
        self, x: str, grid: Grid, conv: nn.Conv2d, weight: Weights, bias: Weights, name: str
    ) -> tuple[str, Grid]:
        """See ``FloatLayers.depthwise``."""
        if self.format_of(name) != "static":
            return super().depthwise(x, grid, conv, weight, bias, name)
        return self._static_convolution(x, grid, conv, weight, bias, name), grid_after(grid, conv)

    def patch_embedding(self, x: str, grid: Grid, conv: nn.Conv2d, name: str) -> tuple[str, Grid]:
        """See ``FloatLayers.patch_embedding``."""
        if self.format_of(name) != "static":
            return super().patch_embedding(x, grid, conv, name)
        weight, bias = as_array(conv.weight), bias_of(conv)
        return self._static_convolution(x, grid, conv, weight, bias, name), grid_after(grid, conv)

    def image_embedding(
        self, image: str, grid: Grid, conv: nn.Conv2d, name: str
    ) -> tuple[str, Grid]:
        """See ``FloatLayers.image_embedding``."""
        if self.format_of(name) != "static":
            return super().image_embedding(image, grid, conv, name)
        source = self._in_8_bits(image)
        turned = self.builder.transpose(source.name, (0, 2, 3, 1), f"{name}.rows")
        flat = self.builder.reshape(turned, (-1, conv.in_channels), f"{name}.tokens")
        # As a matrix product it gives floats, so nothing is rounded to 8 bits before the layer norm that follows.
        weight = as_array(conv.weight).reshape(conv.out_channels, conv.in_channels)
        rows = replace(source, name=flat)
        return self._static_product(rows, weight, bias_of(conv), name), grid

    def convolution(
        self,
        image: str,
        grid: Grid,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d,
        name: str,
        *,
        activation: Activation,
    ) -> tuple[str, Grid]:
        """See ``FloatLayers.convolution``."""
        if self.format_of(name) != "static":
            return super().convolution(image, grid, conv, norm, name, activation=activation)
        source = self._in_8_bits(image)
        weight, bias = folded_batch_norm(conv, norm)
        convolved = self._convolved(source, source.name, grid, conv, weight, bias, name)
        # The range ends where the activation does: rounding to 8 bits cuts off the same. onnxruntime drops a ReLU by
        # itself; a Clip is left out here, because not every version does.
        if activation == "relu":
            convolved = self.relu(convolved, f"{name}.relu")
        return self._rounded(convolved, name), grid_after(grid, conv)

    def image_sum(self, x: str, y: str, name: str) -> str:
        """See ``FloatLayers.image_sum``."""
        if self.format_of(name) != "static":
            return super().image_sum(x, y, name)
        factors = self._float(self._in_8_bits(x)), self._float(self._in_8_bits(y))
        return self._rounded(self.add(*factors, f"{name}.exact"), name)

    # --- activations --------------------------------------------------------------------------------------------

    def _in_8_bits(self, x: str, *, range_of: str | None = None) -> Quantized:
        """Quantize an activation, once for all its readers; ``range_of`` is its name in ``ranges`` where it differs."""
        if x not in self._quantized:
            result = self._parameters(range_of or x, f"{x}.int8")
            self.builder.node(
                "QuantizeLinear", x, result.scale, result.zero_point, name=result.name
            )
            self._quantized[x] = result
        return self._quantized[x]

    def _rounded(self, x: str, name: str) -> str:
        """Round a value to 8 bits under a name, for readers in 8 bits and in float."""
        result = self._parameters(name, f"{name}.int8")
        self.builder.node("QuantizeLinear", x, result.scale, result.zero_point, name=result.name)
        self._quantized[name] = result
        return self.builder.node(
            "DequantizeLinear", result.name, result.scale, result.zero_point, name=name
        )

    def _parameters(self, range_of: str, name: str) -> Quantized:
        low, high = self.ranges[range_of]
        low, high = min(low, 0.0), max(high, 0.0)
        step = max(high - low, 1e-8) / 255
        zero = np.uint8(round(-low / step))
        return Quantized(
            name=name,
            scale=self.builder.constant(np.array(step, np.float32), f"{name}.scale"),
            zero_point=self.builder.constant(np.array(zero), f"{name}.zero_point"),
            step=step,
        )

    def _static_product(
        self, x: Quantized, weight: Weights, bias: Weights | None, name: str
    ) -> str:
        values, scales = self._int8(weight.T, axis=1, least=_least_scales(bias, x))
        factors = self._float(x), self._float_weight(values, scales, 1, name)
        offset = [] if bias is None else [self._float_bias(bias, scales * x.step, name)]
        return self.builder.node("Gemm", *factors, *offset, name=name)

    def _dynamic_product(
        self, x: str, weight: NDArray[np.int8], scales: Weights, bias: Weights | None, name: str
    ) -> str:
        values, step, zero = self.builder.nodes(
            "DynamicQuantizeLinear", x, names=(f"{name}.int8", f"{name}.step", f"{name}.zero_point")
        )
        sums = self.builder.node(
            "MatMulInteger",
            values,
            self.builder.constant(weight, f"{name}.weight"),
            zero,
            name=f"{name}.sums",
        )
        as_float = self.builder.node("Cast", sums, name=f"{name}.float", to=1)
        factors = self.builder.node(
            "Mul", step, self.builder.constant(scales, f"{name}.scales"), name=f"{name}.factors"
        )
        product = self.builder.node(
            "Mul", as_float, factors, name=name if bias is None else f"{name}.product"
        )
        if bias is None:
            return product
        return self.builder.node(
            "Add", product, self.builder.constant(bias, f"{name}.bias"), name=name
        )

    def _static_convolution(
        self, x: str, grid: Grid, conv: nn.Conv2d, weight: Weights, bias: Weights, name: str
    ) -> str:
        """Convolve 8-bit tokens; the result exists in 8 bits and, where a reader needs it, in float."""
        source = self._in_8_bits(x, range_of=f"{x}.image")
        image = f"{source.name}.image"
        if not self.builder.has(image):
            rows = self.builder.reshape(
                source.name, (-1, *grid, conv.in_channels), f"{source.name}.rows"
            )
            self.builder.transpose(rows, (0, 3, 1, 2), image)
        return self._tokens_of_convolution(source, image, grid, conv, weight, bias, name)

    def _tokens_of_convolution(
        self,
        source: Quantized,
        image: str,
        grid: Grid,
        conv: nn.Conv2d,
        weight: Weights,
        bias: Weights,
        name: str,
    ) -> str:
        convolved = self._convolved(source, image, grid, conv, weight, bias, name)
        result = self._parameters(convolved, f"{name}.int8.image")
        self.builder.node(
            "QuantizeLinear", convolved, result.scale, result.zero_point, name=result.name
        )
        turned = self.builder.transpose(result.name, (0, 2, 3, 1), f"{name}.int8.rows")
        flat = self.builder.reshape(turned, (-1, conv.out_channels), f"{name}.int8")
        self._quantized[name] = Quantized(
            name=flat, scale=result.scale, zero_point=result.zero_point, step=result.step
        )
        return self.builder.node(
            "DequantizeLinear", flat, result.scale, result.zero_point, name=name
        )

    def _convolved(
        self,
        source: Quantized,
        image: str,
        grid: Grid,
        conv: nn.Conv2d,
        weight: Weights,
        bias: Weights,
        name: str,
    ) -> str:
        """Convolve ``image``: 8-bit, (B, C, H, W), with the values of ``source``."""
        values, scales = self._int8(weight, axis=0, least=_least_scales(bias, source))
        if self.rounding is not None and conv in self.rounding:
            values = self.rounding.values(conv, weight, scales, self.weight_limit)
        return self.builder.node(
            "Conv",
            self._float(source, image),
            self._float_weight(values, scales, 0, name),
            self._float_bias(bias, scales * source.step, name),
            name=f"{name}.conv",
            **window(conv, grid),
        )

    # --- helpers ------------------------------------------------------------------------------------------------

    def _int8(
        self, weight: Weights, *, axis: int, least: Weights | None = None
    ) -> tuple[NDArray[np.int8], Weights]:
        """Round weights to 8 bits with one scale per index of ``axis``, none smaller than ``least``."""
        others = tuple(number for number in range(weight.ndim) if number != axis)
        largest = np.maximum(np.abs(weight).max(axis=others), 1e-8)
        scales = (largest / self.weight_limit).astype(np.float32)
        if least is not None:
            scales = np.maximum(scales, least)
        values = np.rint(weight / np.expand_dims(scales, others)).astype(np.int8)
        return values, scales

    def _float(self, value: Quantized, name: str | None = None) -> str:
        name = name or value.name
        if not self.builder.has(f"{name}.float"):
            self.builder.node(
                "DequantizeLinear", name, value.scale, value.zero_point, name=f"{name}.float"
            )
        return f"{name}.float"

    def _float_weight(self, values: NDArray[np.int8], scales: Weights, axis: int, name: str) -> str:
        constant = self.builder.constant
        return self.builder.node(
            "DequantizeLinear",
            constant(values, f"{name}.weight"),
            constant(scales, f"{name}.scales"),
            # Zero points of its own: where 8-bit products saturate, onnxruntime writes each weight and its zero points
            # again, by name, and refuses a graph in which two weights share them. Without any it makes no QGemm.
            constant(np.zeros(len(scales), np.int8), f"{name}.weight.zero_points"),
            name=f"{name}.weight.float",
            axis=axis,
        )

    def _float_bias(self, bias: Weights, scales: Weights, name: str) -> str:
        values = np.rint(bias / scales).astype(np.int32)
        constant = self.builder.constant
        return self.builder.node(
            "DequantizeLinear",
            constant(values, f"{name}.bias"),
            constant(scales.astype(np.float32), f"{name}.bias.scales"),
            # One constant for all layers of this width: one for each layer took 1 % of CvT-13's file.
            constant(np.zeros(len(scales), np.int32), f"int32_zeros_{len(scales)}"),
            name=f"{name}.bias.float",
            axis=0,
        )


def _least_scales(bias: Weights | None, x: Quantized) -> Weights | None:
    """Return for each channel the least scale of weights with which the bias fits into 32 bits.

    Pretrained networks have channels whose weights are next to nothing and whose bias is all they say.
    """
    if bias is None:
        return None
    return np.asarray(np.abs(bias) / (_LARGEST_BIAS * x.step), dtype=np.float32)
