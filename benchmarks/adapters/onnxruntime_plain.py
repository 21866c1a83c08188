"""ONNX Runtime with its default options on a graph of the plain export."""

import importlib
from typing import Any

from benchmarks.adapters.base import ModelAdapter

__all__ = ["Adapter"]


class Adapter(ModelAdapter):
    """Needs ``model``, an ONNX file; only the number of threads is set."""

    distributions = ("onnxruntime", "numpy", "pillow")

    def import_libraries(self) -> None:
        """Import onnxruntime."""
        self._onnxruntime = importlib.import_module("onnxruntime")

    def load(self) -> None:
        """Open a session."""
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = self._onnxruntime.InferenceSession(
            self.config["model"], options, providers=["CPUExecutionProvider"]
        )

    def run(self, pixel_values: Any) -> Any:
        """Return logits."""
        return self._session.run(["logits"], {"pixel_values": pixel_values})[0]
