"""This runtime as shipped: a bundle in ``edge_infer.Classifier``."""

from typing import Any

from benchmarks.adapters.base import ModelAdapter

__all__ = ["Adapter"]


class Adapter(ModelAdapter):
    """Needs ``bundle``. End to end is what ``brain-infer --json`` does for each file."""

    distributions = ("onnxruntime", "numpy", "pillow")

    def import_libraries(self) -> None:
        """Import the package and onnxruntime, which it would import when a bundle is loaded."""
        from edge_infer.runtime import import_onnxruntime

        import_onnxruntime()

    def load(self) -> None:
        """Load the bundle with the shipped session options."""
        from edge_infer.classifier import Classifier
        from edge_infer.report import context_of

        self._classifier = Classifier.load(self.config["bundle"], num_threads=self.threads)
        self._context = context_of(self._classifier)
        self._preprocessor = self._classifier.bundle.preprocessor

    def run(self, pixel_values: Any) -> Any:
        """Return logits."""
        return self._classifier.session.run(pixel_values)[0]

    def answer(self, scan: str) -> str:
        """Return the line of JSON that brain-infer prints."""
        from edge_infer.classifier import Outcome
        from edge_infer.report import json_line

        prediction = self._classifier.predict(scan)
        return json_line(Outcome(source=scan, prediction=prediction), self._context)
