"""How CUDA is asked for, and what is said where it is not: with an onnxruntime that pretends (no GPU here)."""

import ctypes
from pathlib import Path
from typing import Any

import pytest
from pretend_runtime import CPU, ep_device, pretend
from tiny_bundle import bundle_files, manifest_body, scan, tiny_model

from edge_infer import Classifier
from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.bundle_session import is_for_cuda, open_bundle_session
from edge_infer.devices.cuda import CUDA, packaged_libraries
from edge_infer.errors import ProviderUnavailable
from edge_infer.session import open_session

MODEL = tiny_model().SerializeToString()


def int8_bundle(path: Path) -> Path:
    write_bundle(path, bundle_files(), {**manifest_body(), "precision": "int8"})
    return path


def test_libraries_are_loaded_before_the_session_and_answers_stay_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = pretend(monkeypatch, available=[CUDA, CPU])
    session = open_session(MODEL, device="cuda:1")
    assert session.provider == CUDA
    assert runtime.preloaded == [{"directory": ""}]  # NVIDIA's packages, not those within torch
    (((name, options), other),) = runtime.providers
    assert (name, other) == (CUDA, CPU)
    assert options == {
        "device_id": "1",
        "use_tf32": "0",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
    }


def test_a_runtime_that_cannot_preload_is_not_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    pretend(monkeypatch, available=[CUDA, CPU])
    monkeypatch.delattr(onnxruntime, "preload_dlls")
    assert open_session(MODEL, device="cuda").provider == CUDA


def test_cuda_as_a_plugin_is_taken_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [ep_device(CUDA, cuda_device_id=number) for number in ("0", "1")]
    runtime = pretend(monkeypatch, devices=cards)
    assert open_session(MODEL, device="cuda:1").provider == CUDA
    ((devices, options),) = runtime.plugin_devices
    assert devices == cards[1:]
    assert options["use_tf32"] == "0"
    assert runtime.providers == [None]  # the options name the devices
    with pytest.raises(
        ProviderUnavailable, match="cuda:2 is not there; the CUDA plugin lists 0, 1"
    ):
        open_session(MODEL, device="cuda:2")


def test_without_cuda_the_message_says_what_there_is_and_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch)
    with pytest.raises(ProviderUnavailable, match=f"{CUDA} is not in this onnxruntime") as caught:
        open_session(MODEL, device="cuda")
    assert CPU in caught.value.message
    assert "brain-edge[gpu]" in caught.value.hint


def test_what_is_missing_is_in_the_message_and_not_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    runtime = pretend(monkeypatch, available=[CUDA, CPU])
    runtime.said = "Failed to load libcufft.so.12: no such file\nPlease follow ..."
    runtime.comes_up = False  # onnxruntime drops the provider without an error

    def no_driver(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    with pytest.raises(ProviderUnavailable, match="did not come up") as caught:
        open_session(MODEL, device="cuda")
    assert "the driver's" in caught.value.message
    assert "libcufft.so.12" in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_the_log_is_still_while_it_opens_and_as_before_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = pretend(monkeypatch, available=[CUDA, CPU])
    open_session(MODEL, device="cuda")
    assert runtime.severities == [4, 2]
    runtime.comes_up = False
    with pytest.raises(ProviderUnavailable):
        open_session(MODEL, device="cuda")
    assert runtime.severities == [4, 2, 4, 2]
    open_session(MODEL)
    assert runtime.severities == [4, 2, 4, 2]  # the CPU's failures are the model's


def test_an_int8_bundle_is_refused_and_told_which_to_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = pretend(monkeypatch, available=[CUDA, CPU])
    bundle = load_bundle(int8_bundle(tmp_path / "int8"))
    assert not is_for_cuda(bundle)
    with pytest.raises(
        ProviderUnavailable, match="cuda:1 is not for this bundle of int8"
    ) as caught:
        open_bundle_session(bundle, device="cuda:1")
    assert "--fp16 or --fp32" in caught.value.hint
    assert runtime.providers == []
    # By onnxruntime's own names everything can be tried.
    assert open_bundle_session(bundle, providers=[CUDA, CPU]).provider == CUDA


def test_a_float_bundle_answers_on_it(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, available=[CUDA, CPU])
    classifier = Classifier.load(bundle_path, device="cuda")
    assert classifier.predict(scan()).provider == CUDA
    assert classifier.device_choice == ""


def test_libraries_that_pip_installed_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cu13/lib/libcudart.so.13", "cu13/lib/libnvrtc.so.13", "cudnn/lib/libcudnn.so.9"):
        (tmp_path / "nvidia" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "nvidia" / name).touch()
    monkeypatch.setattr("sys.path", ["", str(tmp_path / "none"), str(tmp_path)])
    found: list[Any] = [path.name for path in packaged_libraries()]
    assert found == ["libcudart.so.13", "libcudnn.so.9"]
