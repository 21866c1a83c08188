"""The requests that a worker carries out: load an engine, time it, return its answers."""

import importlib
import importlib.metadata
import json
import time
from collections.abc import Callable
from typing import Any

from benchmarks.worker.memory import peak_memory_bytes

__all__ = ["Commands"]


class Commands:
    """Carries out requests on one engine.

    Args:
        config: ``adapter`` names the module in ``benchmarks.adapters``; the rest is for the adapter.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._adapter: Any = None

    @property
    def adapter(self) -> Any:
        """The loaded engine."""
        if self._adapter is None:
            raise RuntimeError("the engine is not loaded")
        return self._adapter

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request: ``do`` names it, the other fields are its arguments."""
        arguments = {key: value for key, value in request.items() if key != "do"}
        known: dict[str, Callable[..., dict[str, Any]]] = {
            "load": self._load,
            "query": self._query,
            "answer": self._answer,
            "batch": self._batch,
            "preprocess": self._preprocess,
            "logits": self._logits,
            "labels_of_files": self._labels_of_files,
            "call": self._call,
        }
        return known[request["do"]](**arguments)

    def _load(self) -> dict[str, Any]:
        module = importlib.import_module(f"benchmarks.adapters.{self._config['adapter']}")
        adapter = module.Adapter(self._config)
        started = time.perf_counter()
        adapter.import_libraries()
        imported = time.perf_counter()
        adapter.load()
        self._adapter = adapter
        return {
            "import_seconds": imported - started,
            "load_seconds": time.perf_counter() - imported,
            "versions": {name: _version(name) for name in adapter.distributions},
        }

    def _query(self, n: int, untimed: int) -> dict[str, Any]:
        """Time the model alone, one image at a time."""
        pixel_values = self.adapter.example(1)
        return {"ms": _timed(lambda _: self.adapter.run(pixel_values), n, untimed)}

    def _answer(self, scans: list[str], n: int, untimed: int) -> dict[str, Any]:
        """Time file to JSON, over the files in turn."""
        given: list[str] = []
        ms = _timed(
            lambda turn: given.append(self.adapter.answer(scans[turn % len(scans)])), n, untimed
        )
        return {"ms": ms, "last": json.loads(given[-1]), "peak_memory_bytes": peak_memory_bytes()}

    def _batch(self, size: int, n: int) -> dict[str, Any]:
        pixel_values = self.adapter.example(size)
        return {"ms": _timed(lambda _: self.adapter.run(pixel_values), n, 1)}

    def _preprocess(self, scans: list[str], n: int) -> dict[str, Any]:
        return {
            "ms": _timed(lambda turn: self.adapter.prepare(scans[turn % len(scans)]), n, len(scans))
        }

    def _logits(self, grey: str, rows: int, start: int, count: int) -> dict[str, Any]:
        """Return logits of some rows of a .npy of grey images, one by one, as in use."""
        pixels = self.adapter.grey_images(grey)
        last = min(start + count, rows)
        return {
            "logits": [
                self.adapter.run(self.adapter.pixel_values(pixels[row : row + 1]))[0].tolist()
                for row in range(start, last)
            ]
        }

    def _labels_of_files(self, scans: list[str]) -> dict[str, Any]:
        """Return the answers of an engine that has its own preprocessing."""
        return {"answers": [json.loads(self.adapter.answer(scan)) for scan in scans]}

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method that only this adapter has, such as quantizing in its own environment."""
        return {"result": getattr(self.adapter, method)(**arguments)}


def _timed(call: Callable[[int], object], n: int, untimed: int) -> list[float]:
    for turn in range(untimed):
        call(turn)
    found = []
    for turn in range(n):
        started = time.perf_counter_ns()
        call(turn)
        found.append((time.perf_counter_ns() - started) / 1e6)
    return found


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
