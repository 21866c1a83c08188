"""One-file models for programs in other languages, written without the comparison that an export makes."""

from pathlib import Path

import onnx

from edge_infer.bundle import Bundle
from export.end_to_end.write import end_to_end_graph

__all__ = ["write_one_file"]


def write_one_file(path: Path, bundle: Bundle, labels: tuple[str, ...] = ()) -> None:
    """Write a bundle as one file; other labels may take the place of its own."""
    graph = end_to_end_graph(
        onnx.load_from_string(bundle.model_bytes),
        bundle.preprocessor,
        temperature=bundle.temperature,
        labels=labels or bundle.labels,
    )
    path.write_bytes(graph.SerializeToString())
