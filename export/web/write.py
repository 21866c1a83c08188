"""Write the folder: the page, its engine, onnxruntime-web, the graph and what decides; all or nothing."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.atomic import refuse_other_content, replace_folder_atomically
from edge_infer.bundle import Bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import RESEARCH_USE_ONLY
from export.web.decision import decision_of, probe_files
from export.web.graph import web_graph
from export.web.page import engine_files, static_page
from export.web.readme import readme_of
from export.web.runtime_files import RuntimeFiles, read_runtime_files

__all__ = ["WebFolder", "refuse_other_folder", "write_web"]

_MANIFEST_SCHEMA_VERSION = 1
_MANIFEST = "manifest.json"
_FOLDERS = ("engine", "model", "onnxruntime")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFolder:
    """What was written.

    Attributes:
        path: The folder.
        size_bytes: Of all files.
        gzip_bytes: Of all files, each compressed as web servers do.
        max_probability_difference: Of the graph from the bundle, both in Python.
    """

    path: Path
    size_bytes: int
    gzip_bytes: int
    max_probability_difference: float


def refuse_other_folder(target: Path) -> None:
    """Refuse a target that holds anything but such a folder, before minutes of work.

    Raises:
        CannotWrite: It does.
    """
    names = {path.partition("/")[0] for path in (*static_page(), *engine_files())}
    known = {*names, *_FOLDERS, _MANIFEST, "README.md"}
    refuse_other_content(target, known, what="a page without a server")


def write_web(bundle: Bundle, target: Path, onnxruntime_web: Path) -> WebFolder:
    """Write the page for a bundle.

    Args:
        bundle: As loaded.
        target: The folder; what is there is replaced as a whole.
        onnxruntime_web: See ``read_runtime_files``.

    Raises:
        MissingDependency: The package of onnxruntime-web is not there.
        BundleIncompatible: Operators that are not ONNX's own, a filter other than bilinear, or no known answers.
        ParityFailed: The graph does not answer as the bundle does; nothing is written.
        CannotWrite: The target cannot be written; what was there before is unharmed.
    """
    refuse_other_folder(target)
    runtime = read_runtime_files(onnxruntime_web)
    classifier = Classifier(bundle, num_threads=1)
    graph, difference = web_graph(classifier)
    files = _files(classifier, graph, runtime)
    with replace_folder_atomically(target) as folder:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return WebFolder(
        path=target,
        size_bytes=sum(map(len, files.values())),
        gzip_bytes=sum(len(gzip.compress(content, 6)) for content in files.values()),
        max_probability_difference=difference,
    )


def _files(classifier: Classifier, graph: bytes, runtime: RuntimeFiles) -> dict[str, bytes]:
    bundle = classifier.bundle
    decision = decision_of(classifier, runtime_version=runtime.version)
    model = {
        "model.onnx": graph,
        "decision.json": _json(decision),
        "golden.png": bundle.golden_png or b"",
        **probe_files(),
    }
    if bundle.scope_bin is not None:
        model["scope.bin"] = bundle.scope_bin
    files = {
        **static_page(),
        **engine_files(),
        **{f"model/{name}": content for name, content in model.items()},
        **{f"onnxruntime/{name}": content for name, content in runtime.files.items()},
        "README.md": readme_of(decision).encode(),
    }
    manifest = {
        "schema_version": _MANIFEST_SCHEMA_VERSION,
        "bundle_manifest_sha256": classifier.model.manifest_sha256,
        "files": {name: _described(content) for name, content in sorted(files.items())},
        "research_use_only": RESEARCH_USE_ONLY,
    }
    return {**files, _MANIFEST: _json(manifest)}


def _described(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}


def _json(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
