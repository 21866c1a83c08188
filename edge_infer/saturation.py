"""Whether 8-bit products are wrong on this CPU, found by multiplying once; and the option that makes them right.

x64 CPUs without VNNI multiply uint8 by int8 with ``vpmaddubsw``, which adds two products in 16 bits and cuts off sums
that do not fit; onnxruntime uses it all the same. Its option ``session.x64quantprecision`` turns int8 weights into
uint8 weights, whose kernels add in 32 bits. The option has this effect wherever there is AVX2
(``MlasPlatformU8S8Overflow`` in mlas): on CPUs with VNNI too, where the products are right and the other kernels are
much slower. So the runtime sets it only where one known product is wrong. This tests the kernels themselves, on any
system, and needs no list of CPUs.

Weights of seven bits do not need the option: 2 * 255 * 64 fits. onnxruntime would leave such weights unchanged, but
only after it has examined each of them several times, which takes 0.25 s of the start of a CvT-13 (docs/bundle.md).

Figures, and the products that the option does not reach: docs/bundle.md.
"""

import functools
import logging
from typing import Any

import numpy as np

from edge_infer.contract import LARGEST_INT8
from edge_infer.runtime import import_onnxruntime

__all__ = ["PRECISION_OPTION", "avoid_saturation", "needs_precaution", "products_saturate"]

logger = logging.getLogger(__name__)

#: The name of onnxruntime's option (onnxruntime_session_options_config_keys.h).
PRECISION_OPTION = "session.x64quantprecision"

# Two products of 255 with weights no larger than this fit 16 bits, sign included.
_LARGEST_SAFE = 64

# A graph with one MatMulInteger of a (uint8, 4 x 8) and b (int8, 8 x 16), as onnx writes it.
# tests/edge_infer/test_saturation.py writes it again and compares.
_ROWS, _INNER, _COLUMNS = 4, 8, 16
_PROBE = bytes.fromhex(
    "080a3a5c0a180a01610a0162120179220d4d61744d756c496e74656765721201675a130a0161120e0a0c080212080a020804"
    "0a0208085a130a0162120e0a0c080312080a0208080a02081062130a0179120e0a0c080612080a0208040a02081042040a00"
    "100a"
)


@functools.cache
def products_saturate() -> bool:
    """Return whether onnxruntime gets the sum of large uint8 x int8 products wrong on this CPU.

    Raises:
        MissingDependency: No onnxruntime is installed.
        InferenceFailed: The installed onnxruntime does not load, or there are two of them.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(_PROBE, options, providers=["CPUExecutionProvider"])
    a = np.full((_ROWS, _INNER), 255, dtype=np.uint8)
    b = np.full((_INNER, _COLUMNS), 127, dtype=np.int8)
    product = session.run(None, {"a": a, "b": b})[0]
    return bool((product != 255 * 127 * _INNER).any())


def needs_precaution(largest_weight: int) -> bool:
    """Return whether a model would give wrong answers on this CPU without the option.

    Args:
        largest_weight: Largest absolute 8-bit weight; 0 for a model without such weights.

    Raises:
        MissingDependency: No onnxruntime is installed.
        InferenceFailed: The installed onnxruntime does not load, or there are two of them.
    """
    return largest_weight > _LARGEST_SAFE and products_saturate()


def avoid_saturation(options: Any, *, largest_weight: int = LARGEST_INT8) -> None:
    """Set the option where 8-bit products saturate; elsewhere leave the session's options as they are.

    Args:
        options: An ``onnxruntime.SessionOptions``.
        largest_weight: As for ``needs_precaution``.
    """
    if needs_precaution(largest_weight):
        logger.info("8-bit products saturate on this CPU: %s is set", PRECISION_OPTION)
        options.add_session_config_entry(PRECISION_OPTION, "1")
