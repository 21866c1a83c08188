"""The peer ``detect-tumor``: another project's VGG16, with its own preprocessing and answers."""

import importlib
import json
from typing import Any

__all__ = ["Adapter"]

#: Its class names that differ from ours.
_NAMES = {"notumor": "no_tumor"}


class Adapter:
    """Used as its README shows. Threads are onnxruntime's default: the cores this process may use."""

    distributions = ("detect-tumor", "onnxruntime", "numpy", "pillow", "pydantic")

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def import_libraries(self) -> None:
        """Import it, and onnxruntime, which it would import with its first answer."""
        self._package = importlib.import_module("detect_tumor")
        importlib.import_module("onnxruntime")

    def load(self) -> None:
        """Make a detector and open its session, which it would open with its first answer."""
        self._detector = self._package.TumorDetector()
        self._session, self._input, _ = self._detector._ensure_session()  # noqa: SLF001 -- to time the model alone

    def run(self, pixels: Any) -> Any:
        """Return its probabilities of pixels, float32 (N, 240, 240, 3)."""
        return self._session.run(None, {self._input: pixels})[0]

    def answer(self, scan: str) -> str:
        """Return its answer as JSON, with our class names."""
        result = self._detector.predict(scan)
        percents = {_NAMES.get(name, name): value for name, value in result.probabilities.items()}
        label = _NAMES.get(result.predicted_class, result.predicted_class)
        return json.dumps({**result.model_dump(), "label": label, "percents": percents})

    def prepare(self, scan: str) -> Any:
        """Turn a file into its input."""
        return importlib.import_module("detect_tumor.preprocess").preprocess(scan)

    def example(self, batch: int) -> Any:
        """Return noise of its input's shape."""
        numpy = importlib.import_module("numpy")
        return numpy.random.default_rng(0).random((batch, 240, 240, 3), dtype=numpy.float32)
