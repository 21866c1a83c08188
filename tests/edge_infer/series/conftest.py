"""A tiny bundle with a rule for series, and its classifier."""

from pathlib import Path

import pytest
from tiny_bundle import files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle
from edge_infer.classifier import Classifier


@pytest.fixture(scope="session")
def ruled_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with scope check, prediction sets and a rule: two slices or more that reach 6 mm."""
    path = tmp_path_factory.mktemp("bundles") / "ruled-fp32"
    body = manifest_body(trust=tiny_trust(), series=tiny_series())
    write_bundle(path, files_with_scope(), body)
    return path


@pytest.fixture(scope="session")
def classifier(ruled_path: Path) -> Classifier:
    return Classifier.load(ruled_path, num_threads=1)
