"""bfloat16 is used if the processor has it and memory is not damaged, else float32."""

import ctypes.util
import dataclasses
import json
import logging
import sys
from pathlib import Path

import pytest
import torch

from train.checkpoint import load_checkpoint
from train.data.samples import Sample
from train.loop import bfloat16, bfloat16_probe
from train.loop.bfloat16 import as_fast_here, as_safe_here
from train.loop.training import train_model
from train.recipe import Recipe, read_recipe

SAE = read_recipe("sae-cpu")
TINY = Recipe(
    name="tiny",
    epochs=1,
    batch_size=15,
    learning_rate=1e-3,
    weight_decay=0.0,
    image_size=32,
    bf16=True,
)
DIES = "import os, signal; os.kill(os.getpid(), signal.SIG{})"


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def give_flags(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    facts = {"cpu": "Xeon of the test", "cpu_flags": list(flags)}
    monkeypatch.setattr(bfloat16, "machine_facts", lambda: facts)


def pretend_trial(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(bfloat16, "_PROBE", ("-c", code))


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16", "bf16"])
def test_it_is_taken_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    give_flags(monkeypatch, "avx2", flag)
    recipe = read_recipe("sae-cpu")
    assert recipe.bf16
    assert as_fast_here(recipe) == recipe


def test_elsewhere_float32_is_taken_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    give_flags(monkeypatch, "avx2", "avx512_vnni")
    with caplog.at_level(logging.WARNING):
        assert not as_fast_here(read_recipe("sae-cpu")).bf16
    assert "float32" in caplog.text


def test_nothing_is_said_to_a_recipe_in_float32(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    give_flags(monkeypatch)
    recipe = as_fast_here(read_recipe("sae-cpu"))
    caplog.clear()
    assert as_fast_here(recipe) is recipe
    assert not caplog.text


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (DIES.format("SEGV"), "was killed by SIGSEGV"),
        (DIES.format("ABRT"), "was killed by SIGABRT"),
        ("raise SystemExit('the gradient is not finite')", "failed with exit code 1"),
        ("import time; time.sleep(60)", "did not end within"),
    ],
)
def test_where_the_trial_fails_float32_is_taken_and_said_once_with_the_reason(
    code: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    give_flags(monkeypatch, "avx512_bf16")
    pretend_trial(monkeypatch, code)
    monkeypatch.setattr(bfloat16, "_PROBE_TIMEOUT_S", 60.0 if "time" not in code else 0.5)
    with caplog.at_level(logging.WARNING):
        assert as_safe_here(SAE, "sae", tmp_path) == dataclasses.replace(SAE, bf16=False)
    (line,) = (record.getMessage() for record in caplog.records)
    for part in (said, torch.__version__, "Xeon of the test", "sae", "float32"):
        assert part in line


def test_what_was_found_is_kept_for_this_model_torch_and_processor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give_flags(monkeypatch, "avx512_bf16")
    pretend_trial(monkeypatch, "pass")
    assert as_safe_here(SAE, "sae", tmp_path).bf16
    (kept,) = tmp_path.iterdir()
    pretend_trial(monkeypatch, DIES.format("SEGV"))
    assert as_safe_here(SAE, "sae", tmp_path).bf16, "not tried again"
    assert not as_safe_here(SAE, "resnet18", tmp_path).bf16
    assert not as_safe_here(dataclasses.replace(SAE, image_size=96), "sae", tmp_path).bf16
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    assert not as_safe_here(SAE, "sae", tmp_path).bf16
    monkeypatch.undo()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    give_flags(monkeypatch, "avx512_bf16", "amx_bf16")
    pretend_trial(monkeypatch, DIES.format("SEGV"))
    assert not as_safe_here(SAE, "sae", tmp_path).bf16
    pretend_trial(monkeypatch, "pass")
    assert not as_safe_here(SAE, "sae", tmp_path).bf16, "failures are kept too"
    assert json.loads(kept.read_text())["failure"] is None


@pytest.mark.parametrize("found", ["", "[]", '{"facts": 1}', "{"])
def test_a_damaged_note_means_another_trial(
    found: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give_flags(monkeypatch, "avx512_bf16")
    pretend_trial(monkeypatch, DIES.format("SEGV"))
    assert not as_safe_here(SAE, "sae", tmp_path).bf16
    (kept,) = tmp_path.iterdir()
    kept.write_text(found)
    pretend_trial(monkeypatch, "pass")
    assert as_safe_here(SAE, "sae", tmp_path).bf16


def test_a_trial_that_took_too_long_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give_flags(monkeypatch, "avx512_bf16")
    pretend_trial(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(bfloat16, "_PROBE_TIMEOUT_S", 0.2)
    assert not as_safe_here(SAE, "sae", tmp_path).bf16
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("gpu", [True, False])
def test_without_bfloat16_on_this_processor_nothing_is_tried(
    gpu: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend_trial(monkeypatch, DIES.format("SEGV"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    recipe = dataclasses.replace(SAE, bf16=gpu)
    assert as_safe_here(recipe, "sae", tmp_path) is recipe


def test_a_run_goes_on_in_float32_where_the_trial_dies(
    phantom_samples: list[Sample], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    give_flags(monkeypatch, "avx512_bf16")
    pretend_trial(monkeypatch, DIES.format("SEGV"))
    checkpoint = train_model(
        *("cvt_test", phantom_samples, TINY, tmp_path / "run"),
        cache_folder=tmp_path / "cache",
        report_to="none",
    )
    assert load_checkpoint(checkpoint).training["autocast"] is None
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]["bf16"], "as asked for"


def trial(code: str) -> str | None:
    return bfloat16._failure([sys.executable, "-c", code])


@pytest.mark.skipif(
    ctypes.util.find_library("c_malloc_debug") is None, reason="no checks of the heap to load"
)
def test_a_trial_that_writes_past_its_memory_is_noticed() -> None:
    overrun = "import ctypes; ctypes.memset(ctypes.create_string_buffer(1000), 0, {})"
    assert trial(overrun.format(1000)) is None
    assert trial(overrun.format(1001)) == "was killed by SIGABRT"


def test_a_trial_goes_on_where_there_are_no_checks_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bfloat16, "_CHECKS_LIBRARY", "libno_such_thing.so.0")
    assert trial("pass") is None
    assert trial(DIES.format("SEGV")) == "was killed by SIGSEGV"


def test_the_trial_looks_for_its_module_in_this_very_project_first() -> None:
    module = Path(*bfloat16_probe.__name__.split(".")).with_suffix(".py")
    looked = "import os, pathlib; first = os.environ['PYTHONPATH'].split(os.pathsep)[0]; "
    assert trial(f"{looked}assert pathlib.Path(first, {str(module)!r}).is_file()") is None
    assert trial(f"{looked}assert pathlib.Path(first, 'no_such.py').is_file()") is not None


@pytest.mark.slow
def test_narrow_layers_and_a_narrow_model_pass_the_real_trial(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In folders with something else named train, as data sets have."""
    (tmp_path / "train.py").write_text("raise SystemExit('the wrong train')")
    monkeypatch.chdir(tmp_path)
    sizes = {"widths": [8, 8, 16, 24], "blocks": [1, 1, 1], "depth": 1, "num_heads": 2}
    recipe = dataclasses.replace(
        TINY, model=sizes, image_size=48, image_sizes=((32, 0.5), (48, 0.5))
    )
    assert bfloat16._failure(bfloat16._command(bfloat16._facts(recipe, "cvt-slim"))) is None


def test_the_trial_itself_learns_in_bfloat16_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, ...]] = []
    learned = bfloat16_probe._losses

    def losses(model: object, pixel_values: torch.Tensor) -> object:
        sizes.append(tuple(pixel_values.shape[1:]))
        return learned(model, pixel_values)

    monkeypatch.setattr(bfloat16_probe, "_losses", losses)
    monkeypatch.setattr(bfloat16_probe, "narrow_layers", lambda: iter(()))
    bfloat16_probe.main('{"model": "cvt_test", "sizes": {}, "image_sizes": [32, 48]}')
    assert sizes == [(3, 32, 32), (3, 48, 48)]


def test_a_trial_whose_gradients_are_not_finite_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        bfloat16_probe.F, "cross_entropy", lambda logits, _: logits.sum() * float("nan")
    )
    monkeypatch.setattr(bfloat16_probe, "narrow_layers", lambda: iter(()))
    with pytest.raises(SystemExit, match="gradient is not finite"):
        bfloat16_probe.main('{"model": "cvt_test", "sizes": {}, "image_sizes": [32]}')
