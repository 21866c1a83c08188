"""What the engines for this project's models share: the one preprocessing, and an answer as JSON."""

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

__all__ = ["ModelAdapter"]


class ModelAdapter(ABC):
    """An engine that runs one of this project's models.

    Args:
        config: ``preprocessor`` (a preprocessor_config.json), ``labels``, ``temperature``, ``threads`` and what else
            the engine needs. Nothing heavy may be imported before ``import_libraries``.
    """

    #: Packages whose versions are reported.
    distributions: tuple[str, ...] = ()

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.threads = int(config.get("threads", 1))
        self._preprocessor: Any = None

    @abstractmethod
    def import_libraries(self) -> None:
        """Import what the engine needs; timed as import time."""

    @abstractmethod
    def load(self) -> None:
        """Load the model."""

    @abstractmethod
    def run(self, pixel_values: Any) -> Any:
        """Return logits (N, classes) of pixel_values, float32 (N, 3, H, W)."""

    def answer(self, scan: str) -> str:
        """Return the answer for one file as JSON."""
        from edge_infer.prediction import softmax

        logits = self.run(self.prepare(scan))[0]
        probabilities = softmax(logits, float(self.config["temperature"]))
        labels = self.config["labels"]
        return json.dumps(
            {
                "label": labels[int(probabilities.argmax())],
                "probabilities": dict(zip(labels, probabilities.tolist(), strict=True)),
                "source": scan,
            }
        )

    def prepare(self, scan: str) -> Any:
        """Turn a file into pixel_values (1, 3, H, W)."""
        from edge_infer.image_file import open_source
        from edge_infer.preprocessing import preprocess

        return preprocess(open_source(scan).image, self.preprocessor)

    def example(self, batch: int) -> Any:
        """Return pixel_values of noise, (batch, 3, H, W): the arithmetic costs the same for all values."""
        import numpy as np

        shape = (batch, self.preprocessor.height, self.preprocessor.width)
        grey = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        return self.pixel_values(grey)

    def pixel_values(self, grey: Any) -> Any:
        """Turn grey images, uint8 (N, H, W), into pixel_values."""
        from edge_infer.preprocessing import to_pixel_values

        return to_pixel_values(grey, self.preprocessor)

    def grey_images(self, path: str) -> Any:
        """Open a .npy of grey images, uint8 (N, H, W)."""
        import numpy as np

        return np.load(path, mmap_mode="r", allow_pickle=False)

    @property
    def preprocessor(self) -> Any:
        """The model's preprocessing."""
        if self._preprocessor is None:
            from edge_infer.preprocessing import PreprocessorConfig

            fields = json.loads(Path(self.config["preprocessor"]).read_text(encoding="utf-8"))
            self._preprocessor = PreprocessorConfig.from_dict(fields)
        return self._preprocessor
