"""brain-doctor says whether a bundle can be trusted here, and ends accordingly."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tiny_bundle import as_schema_1, bundle_files, tiny_model, tiny_weight

from edge_infer import doctor
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.doctor_cli import main

MakeBundle = Callable[..., Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def altered(make_bundle: MakeBundle, weight: np.ndarray) -> Path:
    return make_bundle(files=bundle_files(model=tiny_model(weight=weight).SerializeToString()))


def test_a_good_bundle_is_well(bundle_path: Path) -> None:
    result = run("--bundle", bundle_path, "--threads", 1)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert "FAILED" not in result.stdout
    assert "16 of 16 golden images answered as known, largest drift" in result.stdout
    assert "95 % interval" in result.stdout
    assert result.stdout.endswith(f"All is well.\n{RESEARCH_USE_ONLY}\n")


def test_json_says_the_same_for_machines(bundle_path: Path) -> None:
    report = json.loads(run("--bundle", bundle_path, "--json").stdout)
    assert report["status"] == "ok"
    assert report["research_use_only"] == RESEARCH_USE_ONLY
    checks = {check["name"]: check for check in report["checks"]}
    assert list(checks) == [
        "onnxruntime",
        "telemetry",
        "devices",
        "saturation",
        "bundle",
        "session",
        "self_test",
        "latency",
        "memory",
    ]
    assert all(check["ok"] for check in checks.values())
    assert "CPUExecutionProvider" in checks["onnxruntime"]["providers"]
    assert checks["telemetry"]["ORT_DISABLE_TELEMETRY"] == "1"
    assert 0 <= checks["self_test"]["largest_drift_logits"] <= 1e-3
    assert checks["self_test"]["tolerance_logits"] == 1e-3
    latency = checks["latency"]
    assert latency["low_ms"] <= latency["p50_ms"] <= latency["high_ms"]
    assert latency["n"] == 30
    assert report["machine"]["versions"]["onnxruntime"]
    assert report["machine"]["usable_cores"] >= 1


def test_an_altered_bundle_fails_and_is_not_timed(make_bundle: MakeBundle) -> None:
    path = altered(make_bundle, tiny_weight()[::-1].copy())
    result = run("--bundle", path)
    assert result.exit_code == 84
    assert "self_test    FAILED" in result.stdout
    assert "golden image 1" in result.stdout
    assert "latency" not in result.stdout
    assert "must not be used" in result.stdout
    assert "error: " in result.stderr
    assert "hint: " in result.stderr


def test_nan_is_told_in_valid_json(make_bundle: MakeBundle) -> None:
    path = altered(make_bundle, np.full_like(tiny_weight(), np.nan))
    result = run("--bundle", path, "--json")
    report = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(name))
    assert result.exit_code == 84
    assert report["status"] == "failed"
    assert report["checks"][-1]["largest_drift_logits"] is None
    assert report["checks"][-1]["error"]["exit_code"] == 84
    assert len(report["checks"][-1]["failures"]) == 16


def test_a_damaged_and_a_missing_bundle_have_their_own_status(own_bundle: Path) -> None:
    assert run("--bundle", own_bundle.parent / "none").exit_code == 30
    (own_bundle / "golden.png").write_bytes(b"other")
    result = run("--bundle", own_bundle)
    assert result.exit_code == 31
    assert "bundle       FAILED  golden.png" in result.stdout
    assert "onnxruntime  ok" in result.stdout


def test_a_bundle_without_golden_images_is_not_called_well(own_bundle: Path) -> None:
    as_schema_1(own_bundle)
    result = run("--bundle", own_bundle)
    assert result.exit_code == 0
    assert "self_test    -" in result.stdout
    assert "All is well" not in result.stdout
    assert "could not be checked" in result.stdout


@pytest.mark.parametrize(("saturates", "says"), [(True, "is set"), (False, "no precaution")])
def test_the_precaution_against_saturation_is_named(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch, saturates: bool, says: str
) -> None:
    monkeypatch.setattr(doctor, "products_saturate", lambda: saturates)
    line = next(
        line
        for line in run("--bundle", bundle_path).stdout.splitlines()
        if line.startswith("saturation")
    )
    assert says in line


def test_without_onnxruntime_it_says_which_extra(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = run("--bundle", bundle_path)
    assert result.exit_code == 87
    assert "onnxruntime  FAILED" in result.stdout
    assert "brain-edge[cpu]" in result.stderr


def test_it_needs_neither_torch_nor_anything_else_heavy(bundle_path: Path) -> None:
    code = (
        "import sys\n"
        "from edge_infer.doctor_cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'torch', 'onnx', 'transformers', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    command = [sys.executable, "-c", code, "--bundle", str(bundle_path)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
