"""OpenVINO by its plugin: asked for with an onnxruntime that pretends, and tried where it is installed."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pretend_runtime import PretendRuntime, ep_device, pretend
from tiny_bundle import scan, tiny_model

from edge_infer import Classifier
from edge_infer.devices.openvino import OPENVINO
from edge_infer.errors import ProviderUnavailable
from edge_infer.session import open_session

MODEL = tiny_model().SerializeToString()
PLUGIN = "onnxruntime_ep_openvino"
OFFERED = [
    ep_device(OPENVINO, ov_device="CPU"),
    ep_device(f"{OPENVINO}.AUTO", ov_device="CPU", ov_meta_device="AUTO"),
    ep_device(OPENVINO, ov_device="GPU.1"),
    ep_device(OPENVINO, ov_device="NPU"),
]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PretendRuntime:
    library = tmp_path / "plugin.so"
    module = SimpleNamespace(get_library_path=lambda: str(library))
    monkeypatch.setitem(sys.modules, PLUGIN, module)  # type: ignore[arg-type]
    return pretend(monkeypatch, on_register=OFFERED)


def settings(runtime: PretendRuntime) -> Any:
    return json.loads(runtime.plugin_devices[-1][1]["load_config"])


def test_the_whole_graph_goes_there_in_float32_with_as_many_threads_as_asked(
    installed: PretendRuntime,
) -> None:
    session = open_session(MODEL, device="openvino", num_threads=3)
    assert (session.provider, session.num_threads) == (OPENVINO, 3)
    assert installed.plugin_devices[0][0] == OFFERED[:1]
    assert settings(installed) == {
        "CPU": {
            "INFERENCE_NUM_THREADS": "3",
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": "1",
            "ENABLE_CPU_PINNING": "NO",
        }
    }
    assert installed.config["session.disable_cpu_ep_fallback"] == "1"
    assert installed.threads == [1]  # onnxruntime's own pool would lie idle


def test_other_devices_have_settings_of_their_own(installed: PretendRuntime) -> None:
    open_session(MODEL, device="openvino:GPU.1")
    assert settings(installed) == {"GPU": {"INFERENCE_PRECISION_HINT": "f32"}}
    open_session(MODEL, device="openvino:NPU")
    assert settings(installed) == {"NPU": {}}


@pytest.mark.usefixtures("installed")
def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ProviderUnavailable, match=r"OpenVINO offers CPU, GPU\.1, NPU") as caught:
        open_session(MODEL, device="openvino:GPU")
    assert caught.value.exit_code == 81


def test_the_plugin_is_registered_once_and_never_beside_another_registration(
    installed: PretendRuntime,
) -> None:
    for _ in range(2):
        open_session(MODEL, device="openvino")
    assert list(installed.registered) == ["brain-edge-openvino"]
    installed.registered.clear()
    open_session(MODEL, device="openvino")  # the program that we are part of did it
    assert installed.registered == {}


@pytest.mark.usefixtures("installed")
def test_a_processor_of_another_maker_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    with pytest.raises(ProviderUnavailable, match="Intel's processors only"):
        open_session(MODEL, device="openvino")


@pytest.mark.usefixtures("installed")
def test_a_plugin_that_does_not_load_says_why_without_its_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import onnxruntime

    def fails(_name: str, path: str) -> None:
        raise RuntimeError(f"{path}: cannot open shared object file")

    monkeypatch.setattr(onnxruntime, "register_execution_provider_library", fails)
    with pytest.raises(ProviderUnavailable, match=r"plugin\.so: cannot open") as caught:
        open_session(MODEL, device="openvino")
    assert str(tmp_path) not in caught.value.message


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    monkeypatch.setitem(sys.modules, PLUGIN, None)  # type: ignore[arg-type]
    with pytest.raises(ProviderUnavailable, match="OpenVINO is not installed") as caught:
        open_session(MODEL, device="openvino")
    assert "brain-edge[openvino]" in caught.value.hint


@pytest.mark.usefixtures("installed")
def test_of_nested_reasons_the_innermost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    def fails(*_given: Any, **_more: Any) -> None:
        raise RuntimeError(
            "EP_FAIL : Exception from core.cpp:117:\nException from a.cpp:9:\nno room\n\n"
        )

    monkeypatch.setattr(onnxruntime, "InferenceSession", fails)
    with pytest.raises(ProviderUnavailable, match=r"did not come up on this machine \(no room\)"):
        open_session(MODEL, device="openvino")


@pytest.fixture
def on_openvino(bundle_path: Path) -> Classifier:
    if importlib.util.find_spec(PLUGIN) is None:
        pytest.skip("onnxruntime-ep-openvino is not installed")
    try:
        return Classifier.load(bundle_path, device="openvino", num_threads=2, self_test="full")
    except ProviderUnavailable as error:
        pytest.skip(f"no OpenVINO here: {error.message}")


def test_it_answers_as_the_cpu_does(on_openvino: Classifier, bundle_path: Path) -> None:
    here = Classifier.load(bundle_path, num_threads=2).predict(scan())
    there = on_openvino.predict(scan())
    assert there.provider == OPENVINO
    assert there.label == here.label
    np.testing.assert_allclose(list(there.logits.values()), list(here.logits.values()), atol=1e-4)


FORKED = """
import os, sys
from pathlib import Path
from edge_infer import Classifier

scan = Path(sys.argv[2])
classifier = Classifier.load(sys.argv[1], device="openvino", num_threads=2)
before = classifier.predict(scan).logits
for answers in (True, False):
    pid = os.fork()
    if pid == 0:
        assert not answers or classifier.predict(scan).logits == before
        sys.exit(0)  # with a session of OpenVINO that is destroyed in a child, this hangs
    assert os.waitpid(pid, 0)[1] == 0
assert classifier.predict(scan).logits == before
"""


@pytest.mark.usefixtures("on_openvino")
@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_forked_children_answer_and_end(bundle_path: Path, scan_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(bundle_path), str(scan_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
