"""Fixtures around the tiny bundle of tiny_bundle.py."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_infer.bundle import write_bundle

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from tiny_bundle import bundle_files, manifest_body, scan


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "tiny-fp32"
    write_bundle(path, bundle_files(), manifest_body())
    return path


@pytest.fixture
def own_bundle(tmp_path: Path) -> Path:
    """A bundle that the test may damage."""
    path = tmp_path / "spoiled"
    write_bundle(path, bundle_files(), manifest_body())
    return path


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    def make(*, files: dict[str, bytes] | None = None, **changes: Any) -> Path:
        path = tmp_path / "made"
        write_bundle(path, files or bundle_files(), manifest_body(**changes))
        return path

    return make


@pytest.fixture
def scan_path(tmp_path: Path) -> Path:
    path = tmp_path / "scan.png"
    scan().save(path)
    return path
