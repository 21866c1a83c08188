"""``auto`` takes CUDA only where it is known to answer rightly, and says what it took and why."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pretend_runtime import CPU, pretend
from tiny_bundle import as_schema_1, bundle_files, manifest_body, scan

from edge_infer import Classifier
from edge_infer.bundle import write_bundle
from edge_infer.cli import main
from edge_infer.devices.cuda import CUDA
from edge_infer.errors import InferenceFailed, ProviderUnavailable, SelfTestFailed


def chosen(bundle: Path, **options: Any) -> tuple[str, str]:
    classifier = Classifier.load(bundle, device="auto", **options)
    return classifier.session.provider, classifier.device_choice


def sent(classifier: Classifier) -> Classifier:
    """As it arrives in a spawned process."""
    arrived: Classifier = pickle.loads(pickle.dumps(classifier))  # noqa: S301 -- our own
    return arrived


@pytest.mark.parametrize("self_test", ["quick", "off"])
def test_cuda_that_gives_the_golden_answers_is_taken(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch, self_test: str
) -> None:
    pretend(monkeypatch, available=[CUDA, CPU])
    provider, why = chosen(bundle_path, self_test=self_test)
    assert provider == CUDA
    assert why == "auto took CUDA: 2 golden images got their known answers there"


@pytest.mark.parametrize("self_test", ["quick", "off"])
def test_cuda_that_gives_other_answers_is_not_taken(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch, self_test: str
) -> None:
    runtime = pretend(monkeypatch, available=[CUDA, CPU])
    runtime.changed = lambda outputs: [outputs[0] + np.float32(0.01), *outputs[1:]]
    provider, why = chosen(bundle_path, self_test=self_test)
    assert provider == CPU
    assert why.startswith("auto took the CPU: 2 of 2 golden images failed")
    with pytest.raises(SelfTestFailed):  # who asks for CUDA gets no other
        Classifier.load(bundle_path, device="cuda")


def test_cuda_that_fails_in_its_first_run_is_not_taken(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = pretend(monkeypatch, available=[CUDA, CPU])

    def fails(_outputs: Any) -> Any:
        raise RuntimeError("CUDA failure 2: out of memory")

    runtime.changed = fails
    provider, why = chosen(bundle_path)
    assert provider == CPU
    assert "out of memory" in why
    with pytest.raises((InferenceFailed, SelfTestFailed), match="out of memory"):
        Classifier.load(bundle_path, device="cuda")


def test_cuda_that_does_not_come_up_is_not_taken(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, available=[CUDA, CPU]).comes_up = False
    provider, why = chosen(bundle_path)
    assert provider == CPU
    assert "did not come up" in why


def test_an_int8_bundle_stays_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = pretend(monkeypatch, available=[CUDA, CPU])
    write_bundle(tmp_path / "int8", bundle_files(), {**manifest_body(), "precision": "int8"})
    provider, why = chosen(tmp_path / "int8")
    assert (provider, runtime.providers) == (CPU, [[CPU]])
    assert "the bundle is int8" in why


def test_a_bundle_without_golden_images_stays_on_the_cpu(
    make_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, available=[CUDA, CPU])
    old = make_bundle()
    as_schema_1(old)
    provider, why = chosen(old)
    assert provider == CPU
    assert "no golden images" in why


def test_another_process_gets_the_device_that_was_chosen(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = pretend(monkeypatch, available=[CUDA, CPU])
    classifier = Classifier.load(bundle_path, device="auto")
    assert sent(classifier).session.provider == CUDA
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as after a fork
    assert classifier.session.provider == CUDA
    monkeypatch.undo()
    runtime = pretend(monkeypatch, available=[CUDA, CPU])
    runtime.comes_up = False
    with pytest.raises(ProviderUnavailable):  # not another device than the parent's
        sent(classifier)


def test_the_command_says_what_it_took_and_json_says_the_provider(
    bundle_path: Path, scan_path: Path
) -> None:
    arguments = ["--device", "auto", "--json", "--bundle", str(bundle_path), str(scan_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["runtime"]["provider"] == CPU
    assert "auto took the CPU: this onnxruntime has no CUDA" in result.stderr
    result = CliRunner().invoke(main, ["--device", "cpu", *arguments[2:]])
    assert "auto" not in result.stderr


def test_providers_by_name_are_asked_for_even_with_auto(bundle_path: Path) -> None:
    classifier = Classifier.load(bundle_path, device="auto", providers=[CPU])
    assert classifier.device_choice == ""
    assert classifier.predict(scan()).provider == CPU
