"""The page of the shipped bundle, written once, and what the tests of it need."""

import shutil
import sys
from pathlib import Path
from typing import Any

import chromium
import pytest

from edge_infer.bundle import load_bundle, shipped_bundle_path
from export.web.write import write_web

sys.path.append(str(Path(__file__).parents[2] / "campaigns"))  # doubtful.py makes scans doubtful

PACKAGE = Path(__file__).parents[3] / "examples" / "browser" / "node_modules" / "onnxruntime-web"

in_node = [
    pytest.mark.node,
    pytest.mark.skipif(shutil.which("node") is None, reason="no node on the PATH"),
]
in_chromium = [
    pytest.mark.chromium,
    pytest.mark.node,
    pytest.mark.skipif(chromium.installed() is None, reason="no chromium on the PATH"),
    pytest.mark.skipif(not PACKAGE.is_dir(), reason="no node_modules: npm ci in examples/browser"),
]


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of ``brain-export --web``."""
    folder = tmp_path_factory.mktemp("web") / "page"
    write_web(load_bundle(shipped_bundle_path()), folder, PACKAGE)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each file by the program that it needs."""
    marks: dict[str, list[Any]] = {"in_chromium": in_chromium, "in_node": in_node}
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for mark in marks.get(item.path.stem.partition("_")[2], []):
                item.add_marker(mark)
