"""The machine's peak speed: one large matrix product in onnxruntime, in FP32 or INT8 (U8S8)."""

import importlib
from typing import Any

__all__ = ["OPERATIONS", "Adapter"]

# Tokens, width and hidden width of CvT-13's last stage at 224 px: the products that take most of its time.
_M, _K, _N = 197, 384, 1536
#: Multiplications and additions of one call.
OPERATIONS = 2 * _M * _K * _N


class Adapter:
    """Needs ``precision``: ``fp32`` or ``int8``."""

    distributions = ("onnxruntime",)

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def import_libraries(self) -> None:
        """Import onnxruntime."""
        self._onnxruntime = importlib.import_module("onnxruntime")

    def load(self) -> None:
        """Build the graph of one node and open it."""
        import numpy as np
        from onnx import TensorProto, helper, numpy_helper

        generator = np.random.default_rng(0)
        if self.config["precision"] == "int8":
            operator, dtype, result = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
            weights: Any = generator.integers(-127, 128, (_K, _N), dtype=np.int8)
            self._left: Any = generator.integers(0, 256, (_M, _K), dtype=np.uint8)
        else:
            operator, dtype, result = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
            weights = generator.standard_normal((_K, _N), dtype=np.float32)
            self._left = generator.standard_normal((_M, _K), dtype=np.float32)
        graph = helper.make_graph(
            [helper.make_node(operator, ["left", "weights"], ["product"])],
            "peak",
            [helper.make_tensor_value_info("left", dtype, [_M, _K])],
            [helper.make_tensor_value_info("product", result, [_M, _N])],
            [numpy_helper.from_array(weights, "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(self.config["threads"])
        options.inter_op_num_threads = 1
        self._session = self._onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def example(self, _batch: int) -> Any:
        """Return the left factor."""
        return self._left

    def run(self, left: Any) -> Any:
        """Return the product."""
        return self._session.run(None, {"left": left})[0]
