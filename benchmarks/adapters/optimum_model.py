"""Optimum: ``ORTModelForImageClassification`` on a folder with an ONNX file, and its dynamic quantization."""

import importlib
from pathlib import Path
from typing import Any

from benchmarks.adapters.base import ModelAdapter

__all__ = ["Adapter"]


class Adapter(ModelAdapter):
    """Needs ``folder`` and ``file_name``."""

    distributions = ("optimum", "optimum-onnx", "transformers", "onnxruntime", "torch", "numpy")

    def import_libraries(self) -> None:
        """Import torch and Optimum's class."""
        torch = importlib.import_module("torch")
        torch.set_num_threads(self.threads)
        self._torch = torch
        self._optimum = importlib.import_module("optimum.onnxruntime")
        self._class = self._optimum.ORTModelForImageClassification  # imported when first asked for

    def load(self) -> None:
        """Load the folder as its users do."""
        if "folder" not in self.config:
            return  # only here to quantize
        onnxruntime = importlib.import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._model = self._class.from_pretrained(
            self.config["folder"],
            file_name=self.config["file_name"],
            session_options=options,
            provider="CPUExecutionProvider",
            local_files_only=True,
        )

    def run(self, pixel_values: Any) -> Any:
        """Return logits."""
        output = self._model(pixel_values=self._torch.from_numpy(pixel_values))
        return output.logits.numpy()

    def quantize(self, source: str, target: str) -> str:
        """Write Optimum's dynamic INT8 of an ONNX file: ``optimum-cli onnxruntime quantize --avx512_vnni``."""
        configuration = importlib.import_module("optimum.onnxruntime.configuration")
        config = configuration.AutoQuantizationConfig.avx512_vnni(
            is_static=False, per_channel=False
        )
        path = Path(source)
        quantizer = self._optimum.ORTQuantizer.from_pretrained(path.parent, file_name=path.name)
        quantizer.quantize(quantization_config=config, save_dir=target, file_suffix="int8")
        return str(Path(target) / f"{path.stem}_int8.onnx")
