"""onnxruntime under watch: whether it has been given a model."""

import os
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["SpiedRuntime"]


class SpiedRuntime:
    """Counts the models that onnxruntime was given in this process."""

    def __init__(self) -> None:
        self.count = 0
        self._opens = onnxruntime.InferenceSession
        onnxruntime.InferenceSession = self._counted

    def _counted(self, *arguments: Any, **options: Any) -> Any:
        self.count += 1
        return self._opens(*arguments, **options)
