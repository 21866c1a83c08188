"""Results say which onnxruntime and which other packages they were computed with."""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from edge_infer.runtime import versions


def test_versions_are_those_pip_knows() -> None:
    names = ("onnxruntime", "numpy", "pillow")
    assert versions() == {name: version(name) for name in names}


def test_a_runtime_of_another_name_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime_directml-1.24.0", "onnxruntime_extensions-0.14.0", "numpy-2.4.6"):
        (tmp_path / f"{name}.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = {name: number for name, number in versions().items() if "onnx" in name}
    assert found == {"onnxruntime-directml": "1.24.0"}
