"""The check for machines with a GPU, tested as far as possible without one (docs/devices.md)."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tiny_bundle import bundle_files, manifest_body

from edge_infer import write_bundle

LABELS = ("first", "second", "third", "fourth")
ROOT = Path(__file__).parents[2]


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


gpu_check, timings = (_loaded(name) for name in ("check", "timings"))
SHIPPED_RECIPE = ROOT / "train" / "recipes" / "cvt-slim-cpu.toml"


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(gpu_check, "TOO_LITTLE_S", 0.2)
    for name in ("output", "work"):
        (tmp_path / name).mkdir()
    return gpu_check.Check(
        output=tmp_path / "output", work=tmp_path / "work", device="cpu", seconds=60
    )


@pytest.fixture
def bundle_path(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", bundle_files(), manifest_body())
    return tmp_path / "bundle"


def written(check: Any) -> Any:
    return json.loads((check.output / "result.json").read_text())


def test_what_takes_too_long_is_ended_with_what_it_started_and_the_next_goes_on(check: Any) -> None:
    sleeper = "import subprocess, sys; print(1, flush=True); subprocess.run([sys.executable, '-c', "
    sleeper += "'import os, time; print(os.getpid(), flush=True); time.sleep(60)'])"
    began = time.monotonic()
    assert check.run("slow", [sys.executable, "-c", sleeper], limit_s=3) is None
    assert time.monotonic() - began < 20
    with pytest.raises(ProcessLookupError):
        gone(int(check.printed("slow").split()[1]))
    assert written(check)["steps"][0]["outcome"] == "timed out"
    assert check.run("next", [sys.executable, "-c", "print(2)"], limit_s=30) == "2\n"
    assert [step["outcome"] for step in written(check)["steps"]] == ["timed out", "ok"]


def gone(pid: int) -> None:
    """Wait until a killed process has been cleared away; it is not our child."""
    for _ in range(100):
        os.kill(pid, 0)
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            raise ProcessLookupError
        time.sleep(0.05)


def test_a_failure_is_noted_with_its_last_words_and_without_folders_of_this_machine(
    check: Any,
) -> None:
    fails = f"import sys; sys.exit('lost in {check.work}')"
    assert check.run("fails", [sys.executable, "-c", fails], limit_s=30) is None
    (step,) = written(check)["steps"]
    assert (step["outcome"], step["exit_status"]) == ("failed", 1)
    assert "lost in WORK" in step["said"]
    assert str(check.work) not in json.dumps(step)
    assert step["command"].startswith("python -c")


def test_another_exit_status_than_the_expected_one_is_a_failure(check: Any) -> None:
    assert check.run("right", [sys.executable, "-c", "exit(81)"], limit_s=30, expected=81) == ""
    assert check.run("wrong", [sys.executable, "-c", "exit(0)"], limit_s=30, expected=81) is None


def test_when_the_time_is_over_steps_are_left_out_and_said_to_be(check: Any) -> None:
    check.seconds = 0.0
    assert check.run("late", [sys.executable, "-c", "print(1)"], limit_s=30) is None
    (step,) = written(check)["steps"]
    assert (step["outcome"], step["said"]) == ("skipped", "no time left")


def test_a_folder_of_carried_packages_is_found_from_where_the_steps_run(
    check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "carried.py").write_text("print('carried')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "site")
    assert check.run("carried", [sys.executable, "-m", "carried"], limit_s=30) == "carried\n"


def line(digest: str, logits: list[float], provider: str = "CPUExecutionProvider") -> str:
    exponentials = np.exp(logits)
    fields = {
        "status": "ok",
        "source_sha256": digest,
        "label": LABELS[int(np.argmax(logits))],
        "logits": dict(zip(LABELS, logits, strict=True)),
        "probabilities": dict(zip(LABELS, exponentials / exponentials.sum(), strict=True)),
        "runtime": {"provider": provider},
    }
    return json.dumps(fields) + "\n"


def test_differences_are_found_in_what_brain_infer_prints() -> None:
    cpu = line("a", [1.0, 0.0, 0.0, 0.0]) + line("b", [0.0, 2.0, 1.75, 0.0])
    moved = line("a", [1.0, 0.0, 0.125, 0.0], "CUDA") + line("b", [0.0, 2.0, 2.25, 0.0], "CUDA")
    found = gpu_check.compared(cpu, moved)
    assert (found["n"], found["labels_differ"]) == (2, 1)
    assert found["largest_logit_difference"] == 0.5  # exact in binary
    assert found["least_lead"] == 0.25
    assert found["providers"] == ["CPUExecutionProvider", "CUDA"]


@pytest.mark.parametrize("other", ["", line("b", [1.0, 0.0, 0.0, 0.0])])
def test_answers_about_other_images_are_not_compared(other: str) -> None:
    with pytest.raises(ValueError, match="not about the same images"):
        gpu_check.compared(line("a", [1.0, 0.0, 0.0, 0.0]), other)


def test_the_recipe_for_phantoms_is_the_shipped_one_except_for_the_masks() -> None:
    shipped = SHIPPED_RECIPE.read_text(encoding="utf-8")
    expected = tomllib.loads(shipped)
    expected["mask"]["weight"] = 0
    assert tomllib.loads(gpu_check.recipe_without_masks(shipped)) == expected


def test_of_timings_that_were_cut_off_the_whole_lines_count() -> None:
    printed = '{"batch": 1, "rounds": 2, "engines": {}}\n{"batch": 8, "rou'
    assert gpu_check.timings_of(printed) == {"1": {"rounds": 2, "engines": {}}}


def test_engines_are_timed_in_turn_and_one_that_fails_is_left_out() -> None:
    asked: list[str] = []

    def broken(_: Any) -> None:
        raise RuntimeError("no kernel")

    engines = {"torch fp32": lambda _: asked.append("a"), "b": lambda _: asked.append("b")}
    times, failures = timings.driven(
        {**engines, "broken": broken}, None, rounds=2, queries=2, ends=time.monotonic() + 60
    )
    assert "".join(asked) == "a" * 5 + "b" * 5 + "b" * 3 + "a" * 3  # warm-ups, then the queries
    assert failures == {"broken": "RuntimeError: no kernel"}
    found = timings.figures(times, failures)
    assert (found["b"]["n"], found["b"]["times_torch"]["rounds"]) == (4, 2)
    assert found["broken"] == {"failure": "RuntimeError: no kernel"}


def test_no_round_begins_when_the_time_is_over() -> None:
    times, _ = timings.driven({"a": lambda _: None}, None, rounds=9, queries=1, ends=0.0)
    assert len(times["a"]) == 1


def test_the_page_says_what_was_never_run_and_names_the_steps() -> None:
    page = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
    assert "has never been run on a GPU" in page
    for step in ("facts", "refused", "refused-int8", "as-installed", "answers-fp32", "timings"):
        assert f"`{step}`" in page


def test_engines_of_bundles_are_loaded_for_their_device(bundle_path: Path) -> None:
    words = [f"fp32={bundle_path}", f"again@cpu={bundle_path}", f"none@tpu={bundle_path}"]
    given = argparse.Namespace(checkpoint=bundle_path, device="cpu", bundle=words)
    engines, failures = timings._loaded(given)
    assert set(engines) == {"fp32", "again@cpu"}
    assert "device is 'tpu'" in failures["none@tpu"]
    assert set(failures) == {"torch fp32", "torch bf16", "none@tpu"}  # a bundle is no checkpoint


def test_int8_on_a_gpu_is_timed_by_the_providers_own_names(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_infer import bundle_session

    asked: dict[str, Any] = {}

    def opened(_bundle: Any, **options: Any) -> Any:
        asked.update(options)
        return argparse.Namespace(run=None)

    monkeypatch.setattr(bundle_session, "open_bundle_session", opened)
    monkeypatch.setattr(bundle_session, "is_for_cuda", lambda _bundle: False)
    timings._bundle_engine(bundle_path, "cuda")
    assert asked == {"providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


@pytest.mark.slow
def test_the_shipped_bundle_is_refused_for_a_gpu_and_auto_takes_the_cpu(tmp_path: Path) -> None:
    steps = ["refused-int8", "auto-int8"]
    command = [sys.executable, "tests/gpu/check.py", "--device", "cpu", "--images", "4"]
    command += ["--output", str(tmp_path), *(word for step in steps for word in ("--only", step))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert [step["name"] for step in result["steps"]] == steps
    assert result["steps"][0]["exit_status"] == 81
    assert result["auto"] == {"int8": "CPUExecutionProvider"}
    assert "not as expected: nothing" in done.stdout
