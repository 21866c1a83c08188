"""onnxruntime reads what was verified, whatever becomes of the file; no copy is held."""

import errno
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_infer import Classifier
from edge_infer import sealed_copy as sealed_copy_module
from edge_infer.bundle import load_bundle
from edge_infer.errors import BundleIncompatible, BundleIntegrity
from edge_infer.session import open_session

MakeBundle = Callable[..., Path]


def altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_loaded_classifier_holds_no_copy_of_the_file(make_bundle: MakeBundle) -> None:
    path = make_bundle()
    size = (path / "model.onnx").stat().st_size
    classifier = Classifier.load(path)
    gc.collect()
    inner = vars(classifier.session._inference_session)
    for holder in (vars(classifier.bundle.model), inner):
        held = [value for value in holder.values() if isinstance(value, bytes)]
        assert not [value for value in held if len(value) == size]


def test_the_bytes_come_back_as_they_were(bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    assert bundle.model_bytes == (bundle_path / "model.onnx").read_bytes()
    open_session(bundle.model_bytes)


@pytest.mark.parametrize("change", [altered, Path.unlink])
def test_a_file_that_changed_since_is_refused(
    make_bundle: MakeBundle, change: Callable[[Path], None]
) -> None:
    path = make_bundle()
    bundle = load_bundle(path)
    change(path / "model.onnx")
    with pytest.raises(BundleIntegrity, match="has changed since") as error:
        _ = bundle.model_bytes
    assert "load the classifier again" in error.value.hint
    with pytest.raises(BundleIntegrity, match="has changed since"):
        Classifier(bundle)


def test_a_file_that_changes_while_it_is_opened_changes_nothing(make_bundle: MakeBundle) -> None:
    path = make_bundle() / "model.onnx"
    good = path.read_bytes()
    bundle = load_bundle(path.parent)

    def given(model: Path | bytes) -> bytes:
        altered(path)
        return model if isinstance(model, bytes) else model.read_bytes()

    assert bundle.model.open(given) == good


@pytest.mark.skipif(sys.platform != "linux", reason="other systems get the bytes")
def test_nobody_can_change_what_is_handed_over(make_bundle: MakeBundle) -> None:
    def altering(model: Path | bytes) -> None:
        assert isinstance(model, Path)
        with pytest.raises(PermissionError):
            altered(model)
        descriptor = os.open(model, os.O_RDWR)
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"x", 0)
        os.close(descriptor)

    load_bundle(make_bundle()).model.open(altering)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems get the bytes")
@pytest.mark.parametrize("lacks", ["memfd_create", "write", "open"])
def test_where_there_is_no_sealed_copy_the_bytes_do(
    make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOMEM, "no memory")

    path = make_bundle()
    bundle = load_bundle(path)
    before = set(Path("/proc/self/fd").iterdir())
    monkeypatch.setattr(sealed_copy_module.os, lacks, refuse)
    assert bundle.model.open(lambda model: model) == (path / "model.onnx").read_bytes()
    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have names in Unicode only")
def test_a_folder_whose_name_is_no_text_is_read_too(
    make_bundle: MakeBundle, tmp_path: Path
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    make_bundle().rename(odd)
    assert Classifier.load(odd).session.provider == "CPUExecutionProvider"


def test_what_onnxruntime_says_of_a_file_names_no_folder(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleIncompatible, match=r"cannot load model\.onnx") as error:
        open_session(tmp_path / "model.onnx")
    assert tmp_path.name not in str(error.value)
