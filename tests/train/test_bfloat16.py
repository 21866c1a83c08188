"""bfloat16 is taken where the processor has it, and float32 where it would only be imitated."""

import logging

import pytest
import torch

from train import bfloat16
from train.bfloat16 import as_fast_here
from train.recipe import read_recipe


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def give_flags(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    monkeypatch.setattr(bfloat16, "machine_facts", lambda: {"cpu_flags": list(flags)})


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
