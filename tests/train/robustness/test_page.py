"""docs/robustness.md is what the published results give."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from train.corruption.corruptions import corruptions
from train.corruption.neutralised import NEUTRALISED
from train.metrics.figures import GroupBootstrap
from train.robustness.cells import all_cells
from train.robustness.figures import cell_figures, mean_figures

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def make_robustness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_r", ROOT / "docs/make_robustness.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table() -> dict[str, Any]:
    labels = np.arange(8) % 4
    answers = labels.copy()
    answers[0] = 2
    bootstrap = GroupBootstrap(8)
    figures = cell_figures(labels, answers, bootstrap, answers == labels)
    return {
        "kind": "robustness",
        "title": "model on phantoms",
        "provenance": {"command": "brain-train robustness MODEL"},
        "n": 8,
        "groups": 8,
        "complete": True,
        "cells": [
            {**cell._asdict(), "figures": {"model": figures, "nearest_neighbour": figures}}
            for cell in all_cells()
        ],
        "corrupted": mean_figures(labels, [answers], bootstrap),
        "baselines": {"image_size": figures},
    }


def test_the_published_page_is_what_the_published_results_give(make_robustness: ModuleType) -> None:
    page = ROOT / "docs/robustness.md"
    assert page.read_text(encoding="utf-8") == make_robustness.render(), "run make docs"


def test_the_page_says_so_while_nothing_is_published(
    make_robustness: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_robustness, "FOLDER", tmp_path)
    assert "No result has been published yet" in make_robustness.render()


def test_the_page_holds_every_kind_and_cue_with_its_interval(
    make_robustness: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(table()))
    monkeypatch.setattr(make_robustness, "FOLDER", tmp_path)
    page = make_robustness.render()
    assert "No result" not in page
    for kind in corruptions():
        assert page.count(f"| {kind.replace('_', ' ')} |") == 3  # a grid a figure
    for cue in NEUTRALISED:
        assert f"| model | {cue} |" in page
        assert f"| nearest neighbour | {cue} |" in page
    assert "87.5 (53..98)" in page, "7 of 8, Wilson"
    assert "`brain-train robustness MODEL`" in page


def test_an_unfinished_table_is_not_published(
    make_robustness: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**table(), "complete": False}))
    monkeypatch.setattr(make_robustness, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="not complete"):
        make_robustness.render()


def test_same_volumes_and_folds_have_a_section_each_with_their_commands(
    make_robustness: ModuleType,
) -> None:
    page, found = make_robustness.render(), make_robustness.results()
    volumes = [it for it in found.values() if it["kind"] == "volumes"]
    assert volumes
    for result in volumes:
        section = page.partition(f"## Same volumes: {result['title']}\n")[2].partition("\n## ")[0]
        assert result["provenance"]["command"] in section
        for name, figures in result["sources"].items():
            assert f"### {name}: {figures['tumours']} slices with tumour" in section
            if "model" in figures:
                assert f"| model | {figures['model']['roc_auc']['value']:.3f} (" in section
    for summary in (it for it in found.values() if it["kind"] == "folds"):
        model = summary["titles"][0].split()[0]
        assert f"## {len(summary['n'])} folds by patient group: {model}\n" in page
