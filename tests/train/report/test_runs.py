import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from edge_infer.contract import LABELS
from edge_infer.errors import BundleIncompatible, DataRefused
from train.data.samples import Sample
from train.report import bundles_of_runs, data_facts, read_runs, write_report
from train.report.first_reports import first_report_figures
from train.report.summary import summarize

ROOT = Path(__file__).parents[3]


def test_figures_of_the_curves_come_from_the_probabilities(runs: list[Path]) -> None:
    (run, _) = read_runs(runs)
    assert run.test is not None
    for index, name in enumerate(LABELS):
        expected = average_precision_score(
            run.test.labels == index, run.test.probabilities[:, index]
        )
        figure = run.test.average_precision()[name]
        assert figure["value"] == pytest.approx(expected)
        assert figure["low"] <= figure["value"] <= figure["high"]
    confidence = run.test.probabilities.max(axis=1)
    # Eight images in ten bins: one a bin, so the error is the mean gap.
    gap = np.abs(confidence - (run.test.predicted == run.test.labels)).mean()
    assert run.test.calibration_error()["value"] == pytest.approx(gap)


def test_an_evaluation_that_does_not_fit_is_refused(
    runs: list[Path], phantom_samples: list[Sample], cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs[0], tmp_path / "run")
    predictions = tmp_path / "run" / "evaluation" / "test" / "predictions.csv"
    lines = predictions.read_text().splitlines(keepends=True)
    predictions.write_text("".join(lines[:-1]))
    with pytest.raises(DataRefused, match=r"was not counted from this predictions\.csv"):
        read_runs([tmp_path / "run"])
    predictions.write_text("name,group\n")
    with pytest.raises(DataRefused, match="run/evaluation/test"):
        read_runs([tmp_path / "run"])
    predictions.write_text("".join(lines))
    # Another checkpoint than the one that was evaluated.
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    shutil.copytree(runs[1] / "checkpoint", tmp_path / "run" / "checkpoint")
    facts = read_runs([tmp_path / "run"])
    data = data_facts("phantoms", phantom_samples, cache)
    with pytest.raises(DataRefused, match=r"does not give the answers of predictions\.csv"):
        write_report(tmp_path / "out", facts, {}, data, command="c", made_on="2026-01-02")
    assert not (tmp_path / "out").exists()


def test_a_bundle_finds_its_run_and_no_other(runs: list[Path], tmp_path: Path) -> None:
    """The shipped bundle was made from the checkpoint that ships beside it."""
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "checkpoint").symlink_to(
        ROOT / "export" / "checkpoints" / "efficientnet-lite"
    )
    bundle = ROOT / "edge_infer" / "shipped"
    facts = read_runs([tmp_path / "shipped", runs[0]])
    assert 3_000_000 < facts[0].parameters < 4_000_000
    found = bundles_of_runs([bundle], facts)
    assert found[2] == {}
    int8 = found[1]["int8"]
    assert int8.size_bytes == (bundle / "model.onnx").stat().st_size
    gate = json.loads((bundle / "manifest.json").read_text())["gate"]
    assert int8.agreement == gate["agreement"]
    assert not int8.gate_synthetic
    with pytest.raises(BundleIncompatible, match="a second int8 bundle"):
        bundles_of_runs([bundle, bundle], facts)
    with pytest.raises(BundleIncompatible, match="none of the given runs"):
        bundles_of_runs([bundle], facts[1:])
    known, recipe = facts[0].known, facts[0].recipe
    others = [
        {**known, "best_val_accuracy": 0.5},
        {**known, "data_sha256": "0" * 64},
        {**known, "recipe": {**recipe, "seed": recipe["seed"] + 1}},
        {**known, "recipe": {**recipe, "name": "another"}},
    ]
    for other in others:
        with pytest.raises(BundleIncompatible, match="none of the given runs"):
            bundles_of_runs([bundle], [replace(facts[0], known=other)])
    summary = summarize(facts, found, None, command="c", made_on="2026-01-02")
    assert summary["runs"][0]["bundles"]["int8"]["size_bytes"] == int8.size_bytes


def test_figures_of_the_first_reports_are_stated_or_said_not_to_be() -> None:
    entries = {(entry["report"], entry["here"]): entry for entry in first_report_figures()}
    cvt = entries["second report", "cvt13"]
    assert f"{100 * cvt['accuracy']['value']:.2f}" == "54.06"
    assert f"{100 * entries['second report', 'vit-base']['accuracy']['value']:.2f}" == "45.69"
    assert cvt["accuracy"]["n"] == 394
    assert cvt["accuracy"]["low"] < 0.5406 < cvt["accuracy"]["high"]
    assert "leaking" in cvt["split"]
    for here in ("vit", "vit-base", "sae"):
        assert entries["first report", here]["accuracy"] is None
