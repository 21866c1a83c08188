"""Fixtures around the tiny bundle of tiny_bundle.py."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edge_infer.bundle import write_bundle

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from tiny_bundle import (
    GOLDEN,
    bundle_files,
    files_with_scope,
    manifest_body,
    scan,
    tiny_trust,
)


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "tiny-fp32"
    write_bundle(path, bundle_files(), manifest_body())
    return path


@pytest.fixture(scope="session")
def trusting_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with prediction sets and a scope check: golden images are in its scope, noise is not."""
    path = tmp_path_factory.mktemp("bundles") / "trusting-fp32"
    write_bundle(path, files_with_scope(), manifest_body(trust=tiny_trust()))
    return path


@pytest.fixture
def golden_path(tmp_path: Path) -> Path:
    """An image in the scope of ``trusting_path``."""
    path = tmp_path / "golden.png"
    Image.fromarray(GOLDEN[0]).save(path)
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
