"""Workers with the tiny bundle, and things to classify."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import mr_series, write_files
from PIL import Image
from scan_slices import GLIOMA, HEALTHY, SPECK
from stdio_worker import HostedWorker
from tiny_bundle import GOLDEN, files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle
from edge_infer.classifier import Classifier


@pytest.fixture(scope="package")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "ruled-fp32"
    write_bundle(path, files_with_scope(), manifest_body(trust=tiny_trust(), series=tiny_series()))
    return path


@pytest.fixture(scope="package")
def classifier(bundle: Path) -> Classifier:
    return Classifier.load(bundle, num_threads=1)


@pytest.fixture(scope="package")
def image() -> bytes:
    packed = io.BytesIO()
    Image.fromarray(GOLDEN[0]).save(packed, "PNG")
    return packed.getvalue()


@pytest.fixture(scope="package")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a DICOM series of five slices."""
    return written_series(tmp_path_factory.mktemp("series"), repeats=1)


@pytest.fixture(scope="package")
def long_series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of 100 slices, which takes about half a second."""
    return written_series(tmp_path_factory.mktemp("long"), repeats=20)


def written_series(folder: Path, *, repeats: int) -> Path:
    stack = np.stack([SPECK, HEALTHY, GLIOMA, GLIOMA, HEALTHY] * repeats).astype(np.uint16)
    values: dict[str, Any] = {"WindowCenter": "128", "WindowWidth": "256"}
    write_files(folder, mr_series(stack, **values))
    return folder


@pytest.fixture(scope="module")
def worker(bundle: Path) -> Iterator[HostedWorker]:
    """For tests after which it still lives; its first line has been read."""
    with HostedWorker("--bundle", bundle) as started:
        assert started.event()["event"] == "ready"
        yield started
        assert started.close() == ([], 0)


@pytest.fixture
def own_worker(bundle: Path) -> Iterator[HostedWorker]:
    """For a test that ends it; its first line has been read."""
    with HostedWorker("--bundle", bundle) as started:
        assert started.event()["event"] == "ready"
        yield started
