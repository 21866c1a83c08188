"""What brain-doctor says about devices: there, by which library, or what to install."""

import ctypes
import json
import sys
from pathlib import Path

import onnxruntime
import pytest
from click.testing import CliRunner
from pretend_runtime import CPU, ep_device, pretend

from edge_infer.devices import survey
from edge_infer.devices.cuda import CUDA
from edge_infer.devices.directml import DIRECTML
from edge_infer.devices.openvino import OPENVINO
from edge_infer.doctor_cli import main


def surveyed() -> dict[str, survey.DeviceFacts]:
    return {facts.device: facts for facts in survey.survey_devices(onnxruntime)}


def test_what_is_not_there_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    monkeypatch.setitem(sys.modules, "onnxruntime_ep_openvino", None)  # type: ignore[arg-type]
    found = surveyed()
    assert [name for name, facts in found.items() if facts.is_there] == ["cpu"]
    assert "onnxruntime/capi/" in found["cpu"].finding
    assert "brain-edge[gpu]" in found["cuda"].lacks
    assert "brain-edge[openvino]" in found["openvino"].lacks
    assert "onnxruntime-windowsml" in found["directml"].lacks
    assert not any(str(Path.home()) in facts.finding for facts in found.values())


def test_what_is_there_is_named_with_its_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(
        monkeypatch,
        available=[CUDA, DIRECTML, CPU],
        devices=[ep_device(OPENVINO, ov_device=name) for name in ("CPU", "GPU")],
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda name: name)
    found = surveyed()
    assert all(facts.is_there for facts in found.values())
    assert found["openvino"].names == ("CPU", "GPU")
    assert "devices CPU, GPU" in found["openvino"].finding


def test_cuda_without_a_driver_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, available=[CUDA, CPU])

    def no_driver(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    facts = surveyed()["cuda"]
    assert not facts.is_there
    assert "install NVIDIA's driver" in facts.lacks


def test_the_doctor_reports_them(bundle_path: Path) -> None:
    text = CliRunner().invoke(main, ["--bundle", str(bundle_path)])
    assert text.exit_code == 0, text.output
    assert "\ndevices      ok      cpu" in text.stdout
    assert "cuda: " in text.stdout
    report = json.loads(CliRunner().invoke(main, ["--bundle", str(bundle_path), "--json"]).stdout)
    (check,) = (check for check in report["checks"] if check["name"] == "devices")
    assert [facts["device"] for facts in check["devices"]] == [
        "cpu",
        "cuda",
        "openvino",
        "directml",
    ]
