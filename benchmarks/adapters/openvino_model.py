"""OpenVINO on the plain export, and NNCF's post-training quantization of it."""

import importlib
import sys
from typing import Any

from benchmarks.adapters.base import ModelAdapter

__all__ = ["Adapter"]


class Adapter(ModelAdapter):
    """Needs ``model``, an ONNX file or OpenVINO's XML, and ``precision``: ``f32`` or ``bf16``."""

    distributions = ("openvino", "nncf", "numpy", "pillow")

    def import_libraries(self) -> None:
        """Import OpenVINO without its telemetry, which would use the network."""
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # makes its import fail, as documented
        self._openvino = importlib.import_module("openvino")

    def load(self) -> None:
        """Compile for latency with the given threads and precision."""
        if "model" not in self.config:
            return  # only here to quantize
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.threads,
            "INFERENCE_PRECISION_HINT": self.config["precision"],
            "ENABLE_CPU_PINNING": False,  # the process is pinned already
        }
        compiled = self._openvino.Core().compile_model(self.config["model"], "CPU", options)
        self._request = compiled.create_infer_request()

    def run(self, pixel_values: Any) -> Any:
        """Return logits."""
        return self._request.infer({"pixel_values": pixel_values}, share_inputs=True)["logits"]

    def quantize(self, source: str, grey: str, target: str) -> str:
        """Write NNCF's INT8 of an ONNX file, calibrated on a .npy of grey images."""
        nncf = importlib.import_module("nncf")
        pixels = self.grey_images(grey)
        model = self._openvino.Core().read_model(source)
        dataset = nncf.Dataset(
            range(len(pixels)), lambda row: self.pixel_values(pixels[row : row + 1])
        )
        quantized = nncf.quantize(
            model,
            dataset,
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(pixels),
        )
        self._openvino.save_model(quantized, target, compress_to_fp16=False)
        return target
