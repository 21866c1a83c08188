import logging
import tomllib
from pathlib import Path

import pytest

import edge_infer


def test_the_face_of_the_package() -> None:
    assert edge_infer.__all__ == [
        "RESEARCH_USE_ONLY",
        "AuditLog",
        "BrainError",
        "Bundle",
        "Classifier",
        "ModelIdentity",
        "Outcome",
        "Prediction",
        "PreprocessorConfig",
        "__version__",
        "draw_heatmap",
        "load_bundle",
        "preprocess",
        "read_image",
        "write_bundle",
    ]
    for name in edge_infer.__all__:
        assert getattr(edge_infer, name) is not None
        assert name in dir(edge_infer)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = edge_infer.nonsense  # type: ignore[attr-defined]


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert edge_infer.__version__ == project["version"]


def test_the_library_is_silent_unless_asked() -> None:
    handlers = logging.getLogger("edge_infer").handlers
    assert [type(handler) for handler in handlers] == [logging.NullHandler]
