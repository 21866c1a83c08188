"""Results say which onnxruntime and which other packages they were computed with."""

import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_infer.errors import InferenceFailed
from edge_infer.runtime import import_onnxruntime, versions


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


def test_flavours_of_any_name_are_seen_and_additions_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    (tmp_path / "onnxruntime_genai_cuda-0.8.0.dist-info").mkdir()
    (tmp_path / "onnxruntime_qnn-1.28.0.dist-info").mkdir()
    assert {name for name in versions() if "onnx" in name} == {"onnxruntime-qnn"}
    (tmp_path / "onnxruntime-1.28.0.dist-info").mkdir()
    with pytest.raises(InferenceFailed, match="onnxruntime and onnxruntime-qnn are both"):
        import_onnxruntime()


def test_runtimes_in_two_folders_overwrite_nothing_and_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, base = tmp_path / "own", tmp_path / "base"
    (own / "onnxruntime_openvino-1.24.0.dist-info").mkdir(parents=True)
    (base / "onnxruntime-1.28.0.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "none.zip"), str(own), str(base)])
    monkeypatch.chdir(tmp_path)
    found = {name: number for name, number in versions().items() if "onnx" in name}
    assert found == {"onnxruntime-openvino": "1.24.0"}
    monkeypatch.setitem(sys.modules, "onnxruntime", sys)  # whatever it is, it is not refused
    assert import_onnxruntime() is sys


def test_a_place_that_may_not_be_read_is_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["a" * 300, str(tmp_path / "none"), str(tmp_path / "file")]
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(sys, "path", [*names, *sys.path])
    assert versions()["onnxruntime"] == version("onnxruntime")


def test_a_provider_that_plugs_in_is_no_second_runtime_and_is_named_in_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, base = tmp_path / "own", tmp_path / "base"
    (own / "onnxruntime_ep_openvino-1.8.1.dist-info").mkdir(parents=True)
    (base / "onnxruntime-1.28.0.dist-info").mkdir(parents=True)
    (base / "onnxruntime_ep_openvino-1.7.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(own), str(base)])
    monkeypatch.setitem(sys.modules, "onnxruntime", sys)
    assert import_onnxruntime() is sys
    found = {name: number for name, number in versions().items() if "onnx" in name}
    assert found == {"onnxruntime": "1.28.0", "onnxruntime-ep-openvino": "1.8.1"}
    (own / "onnxruntime_gpu-1.28.0.dist-info").mkdir()
    (own / "onnxruntime-1.28.0.dist-info").mkdir()
    with pytest.raises(InferenceFailed, match="are both installed"):
        import_onnxruntime()


def test_tracing_of_windows_is_switched_off_and_a_runtime_without_the_switch_loads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    switched = SimpleNamespace(disable_telemetry_events=lambda: said.append("off"))

    for runtime in (switched, SimpleNamespace()):
        monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
        assert import_onnxruntime() is runtime

    assert said == ["off"]
