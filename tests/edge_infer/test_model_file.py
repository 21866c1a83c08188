"""The graph's bytes are let go once a session is open, and come back only as they were."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_infer import Classifier
from edge_infer.bundle import load_bundle
from edge_infer.errors import BundleIntegrity
from edge_infer.session import open_session

MakeBundle = Callable[..., Path]


def test_a_loaded_classifier_holds_no_copy_of_the_file(make_bundle: MakeBundle) -> None:
    path = make_bundle()
    size = (path / "model.onnx").stat().st_size
    classifier = Classifier.load(path)
    gc.collect()
    held = [each for each in gc.get_referents(classifier.bundle.model) if isinstance(each, bytes)]
    assert held == []
    inner = vars(classifier.session._inference_session)
    assert not [
        value for value in inner.values() if isinstance(value, bytes) and len(value) == size
    ]


def test_the_bytes_come_back_as_they_were(bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    before = bundle.model_bytes
    bundle.model.release()
    assert bundle.model_bytes == before
    open_session(bundle.model_bytes)


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_another_file_does_not_come_back(make_bundle: MakeBundle, change: str) -> None:
    path = make_bundle()
    bundle = load_bundle(path)
    bundle.model.release()
    if change == "replaced":
        content = bytearray((path / "model.onnx").read_bytes())
        content[-1] ^= 1
        (path / "model.onnx").write_bytes(content)
    else:
        (path / "model.onnx").unlink()
    with pytest.raises(BundleIntegrity, match="has changed since") as error:
        _ = bundle.model_bytes
    assert "load the classifier again" in error.value.hint
