"""The preprocessing as standard ONNX operators: uint8 image in, ``pixel_values`` out, the same bits as Pillow.

ONNX's own antialiased Resize differs from Pillow's: in onnxruntime 1.31, with its best settings (uint8,
``exclude_outside``), up to 0.7 % of the pixels are off by one grey level. So the resize is written out as Pillow does
it: two passes of triangle weights in 22-bit fixed point, each rounded to 8 bits. Here they are two matrix products.
Doubles hold these sums exactly.
Source: Pillow 13.0.0, src/libImaging/Resample.c (weights, rounding, order of the passes) and Convert.c (luma).
"""

import onnx
from PIL import Image

from edge_infer.contract import INPUT_NAME
from edge_infer.errors import BundleIncompatible
from edge_infer.preprocessing import PreprocessorConfig

__all__ = ["IMAGE_NAME", "preprocessing_graph"]

#: The input: uint8, (height, width, 3) RGB or (height, width) or (height, width, 1) grey.
IMAGE_NAME = "image"

# Weights of the channels, (C,), chosen by C: 65536 for grey, Pillow's 16-bit BT.601 weights for RGB. For two or four
# channels the slice has another length, so the product fails. All sums stay below 2**24: exact in float32.
_GREY = """
  two = Constant <value_ints = [2]> ()
  one = Constant <value_ints = [1]> ()
  rest = Constant <value_ints = [-1]> ()
  leading = Shape <start = 0, end = 2> (image)
  sides = Reshape (leading, two)
  layers_shape = Concat <axis = 0> (sides, rest)
  layers = Reshape (image, layers_shape)
  channels = Shape <start = 2> (layers)
  luma_table = Constant <value = float[4, 1] {65536, 19595, 38470, 7471}> ()
  three = Constant <value_ints = [3]> ()
  luma_start = Div (channels, two)
  luma_length = Mul (luma_start, three)
  luma_end = Add (luma_length, one)
  luma = Slice (luma_table, luma_start, luma_end)
  layers_float = Cast <to = 1> (layers)
  luma_layer = MatMul (layers_float, luma)
  luma_sum = Reshape (luma_layer, sides)
  luma_half = Constant <value = float {32768}> ()
  luma_unit = Constant <value = float {65536}> ()
  luma_raised = Add (luma_sum, luma_half)
  luma_scaled = Div (luma_raised, luma_unit)
  grey = Floor (luma_scaled)
"""

# Weights, (OUT, n), of each of n pixels in a row for each of OUT results: Pillow's precompute_coeffs and
# normalize_coeffs_8bpc.
_WEIGHTS = """
  @_n = Cast <to = 11> (@_side)
  @_out = Constant <value = double {OUT}> ()
  @_scale = Div (@_n, @_out)
  @_support = Max (@_scale, d_one)
  @_inverse = Div (d_one, @_support)
  @_pixels = Range (d_zero, @_n, d_one)
  @_pixel_centers = Add (@_pixels, d_half)
  @_places = Range (d_zero, @_out, d_one)
  @_place_middles = Add (@_places, d_half)
  @_place_centers = Mul (@_place_middles, @_scale)
  @_place_column = Unsqueeze (@_place_centers, one)
  @_offsets = Sub (@_pixel_centers, @_place_column)
  @_arguments = Mul (@_offsets, @_inverse)
  @_distances = Abs (@_arguments)
  @_slopes = Sub (d_one, @_distances)
  @_triangles = Max (@_slopes, d_zero)
  @_totals = ReduceSum <keepdims = 1> (@_triangles, one)
  @_units = Div (@_totals, d_fixed)
  @_exact = Div (@_triangles, @_units)
  @_raised = Add (@_exact, d_half)
  @_fixed = Floor (@_raised)
  @_weights = Div (@_fixed, d_fixed)
"""

# Pillow 13 shrinks much taller images vertically first (python-pillow/Pillow#9549), and the order changes the rounding.
# The graph has no control flow, so both orders are computed; the order that is not wanted gets a single pixel.
_ORDER = """
  zero = Constant <value_ints = [0]> ()
  from_corner = Constant <value_ints = [0, 0]> ()
  single = Constant <value_ints = [1, 1]> ()
  i_two = Constant <value_int = 2> ()
  i_zero = Constant <value_int = 0> ()
  i_height = Constant <value_int = HEIGHT> ()
  i_width = Constant <value_int = WIDTH> ()
  y_shrinks_by = Sub (y_side, i_height)
  x_shrinks_by = Sub (x_side, i_width)
  x_twice = Mul (x_shrinks_by, i_two)
  is_lower = Greater (y_shrinks_by, i_zero)
  is_much_lower = Greater (y_shrinks_by, x_twice)
  is_down_first = And (is_lower, is_much_lower)
  across_end = Where (is_down_first, single, sides)
  down_end = Where (is_down_first, sides, single)
"""

_BRANCH = """
  @_rows, @_columns = Split <axis = 0, num_outputs = 2> (@_end)
  @_grey_float = Slice (grey, from_corner, @_end)
  @_grey = Cast <to = 11> (@_grey_float)
  @_x = Slice (x_weights, zero, @_columns, one)
  @_y = Slice (y_weights, zero, @_rows, one)
"""

_PASSES = """
  across_sum = Gemm <transB = 1> (across_grey, across_x, round_up)
  across_8bit = Floor (across_sum)
  across_then_down = Gemm (across_y, across_8bit, round_up)
  down_sum = Gemm (down_y, down_grey, round_up)
  down_8bit = Floor (down_sum)
  down_then_across = Gemm <transB = 1> (down_8bit, down_x, round_up)
  chosen = Where (is_down_first, down_then_across, across_then_down)
  resized_double = Floor (chosen)
"""

_SCALED = """
  resized = Cast <to = 1> (resized_double)
  rescale_factor = Constant <value = float {FACTOR}> ()
  mean = Constant <value = float[1, 3, 1, 1] {MEAN}> ()
  std = Constant <value = float[1, 3, 1, 1] {STD}> ()
  rescaled = Mul (resized, rescale_factor)
  centered = Sub (rescaled, mean)
  pixel_values = Div (centered, std)
"""


def preprocessing_graph(config: PreprocessorConfig, *, opset: int) -> onnx.ModelProto:
    """Build the preprocessing of a bundle as a graph.

    Args:
        config: Its filter must be bilinear.
        opset: Of the default domain, at least 18.

    Returns:
        From ``image``, uint8 (height, width, channels), to ``pixel_values``, float32 (1, 3, H, W).

    Raises:
        BundleIncompatible: The filter is another one.
    """
    if config.resample != Image.Resampling.BILINEAR:
        raise BundleIncompatible(
            f"preprocessor_config.json: resample is {config.resample}; "
            "the one-file model knows 2 (bilinear) only"
        )
    text = f"""<ir_version: 10, opset_import: ["" : {opset}]>
image (uint8[height, width, channels] {IMAGE_NAME})
  => (float[1, 3, {config.height}, {config.width}] {INPUT_NAME}) {{
  {_GREY}
  d_zero = Constant <value = double {{0.0}}> ()
  d_half = Constant <value = double {{0.5}}> ()
  d_one = Constant <value = double {{1.0}}> ()
  d_fixed = Constant <value = double {{{2**22}.0}}> ()
  round_up = Constant <value = double[1] {{0.5}}> ()
  first = Constant <value_int = 0> ()
  second = Constant <value_int = 1> ()
  y_side = Gather (sides, first)
  x_side = Gather (sides, second)
  {_filled(_WEIGHTS, "y", OUT=f"{config.height}.0")}
  {_filled(_WEIGHTS, "x", OUT=f"{config.width}.0")}
  {_filled(_ORDER, HEIGHT=config.height, WIDTH=config.width)}
  {_filled(_BRANCH, "across")}
  {_filled(_BRANCH, "down")}
  {_PASSES}
  {_filled(_SCALED, FACTOR=config.rescale_factor, MEAN=_row(config.image_mean), STD=_row(config.image_std))}
}}"""
    return onnx.parser.parse_model(text)


def _filled(text: str, prefix: str = "", **values: str | float) -> str:
    """Replace @ by a prefix and the words in capitals by numbers."""
    for word, value in values.items():
        text = text.replace(word, str(value))
    return text.replace("@", prefix)


def _row(values: tuple[float, ...]) -> str:
    return ", ".join(map(repr, values))
