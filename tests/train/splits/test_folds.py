import json
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import DataRefused, UnreadableInput
from train.cli import main
from train.data.manifest_csv import read_manifest
from train.data.samples import Sample
from train.evaluation.evaluate import evaluate
from train.evaluation.fold_summary import fold_summary, fold_summary_text
from train.splits.folds import folds_by_group
from train.splits.leaks import find_leaks

RNG = np.random.default_rng(0)


def samples_in_groups(count: int, size: int) -> list[Sample]:
    """``count`` groups a class, of 1 to ``size`` images."""
    return [
        Sample(
            source=Path(f"{label}-{group}-{index}.png"),
            name=f"{label}-{group}-{index}.png",
            label=label,
            group=f"{label}-{group}",
        )
        for label in range(len(LABELS))
        for group in range(count)
        for index in range(1 + group % size)
    ]


def test_every_image_is_tested_once_and_no_group_is_on_two_sides() -> None:
    samples = samples_in_groups(count=23, size=4)
    divided = folds_by_group(samples, folds=5, val=0.2, seed=1)
    tested = Counter(sample.name for fold in divided for sample in fold if sample.split == "test")
    assert tested == dict.fromkeys((sample.name for sample in samples), 1)
    for fold in divided:
        assert [sample.name for sample in fold] == [sample.name for sample in samples]
        assert {sample.split for sample in fold} == {"train", "val", "test"}
        sides: dict[str, set[str]] = {}
        for sample in fold:
            sides.setdefault(sample.group, set()).add(sample.split)
        assert {len(parts) for parts in sides.values()} == {1}
        test = Counter(sample.label for sample in fold if sample.split == "test")
        learnt = [sample for sample in fold if sample.split != "test"]
        for label in range(len(LABELS)):
            share = test[label] / sum(sample.label == label for sample in samples)
            assert 0.14 < share < 0.26, "a fifth, as far as groups can be dealt"
        share = sum(sample.split == "val" for sample in learnt) / len(learnt)
        assert 0.15 < share < 0.25


def test_the_seed_decides_and_a_former_split_does_not() -> None:
    samples = samples_in_groups(count=12, size=3)
    divided = folds_by_group(samples, folds=3, val=0.1, seed=1)
    former = [replace(sample, split="train") for sample in samples]
    assert folds_by_group(former, folds=3, val=0.1, seed=1) == divided
    assert folds_by_group(samples, folds=3, val=0.1, seed=2) != divided


def test_more_folds_than_groups_are_refused() -> None:
    samples = [s for s in samples_in_groups(count=6, size=2) if s.label or s.group < "0-3"]
    with pytest.raises(DataRefused, match="a class has 3 groups"):
        folds_by_group(samples, folds=4, val=0.1, seed=0)


def test_copies_are_found_where_groups_are_unknown(
    make_leaky: Callable[[Path], list[Sample]], tmp_path: Path
) -> None:
    samples = make_leaky(tmp_path / "set")
    for fold in folds_by_group(samples, folds=3, val=0.2, seed=0, cache=tmp_path / "cache"):
        assert not find_leaks(fold, cache=tmp_path / "cache")


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_command_writes_manifests_to_train_on(phantom_folder: Path, tmp_path: Path) -> None:
    manifest = ("--data", phantom_folder, "--manifest", phantom_folder / "manifest.csv")
    code, out, _ = run("folds", "split", *manifest, "--folds", 3, "--output", tmp_path / "folds")
    assert code == 0
    assert RESEARCH_USE_ONLY in out
    tested: list[str] = []
    for number in (1, 2, 3):
        path = tmp_path / "folds" / f"fold-{number}.csv"
        assert path.name in out
        samples = read_manifest(path)
        assert len(samples) == 40
        assert all(isinstance(s.source, Path) and s.source.is_file() for s in samples)
        tested += [sample.name for sample in samples if sample.split == "test"]
    assert len(set(tested)) == len(tested) == 40


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three folds of 12 images, each answered by an oracle that errs at random."""
    folder = tmp_path_factory.mktemp("folds")
    samples = samples_in_groups(count=3, size=3)
    samples = [replace(sample, split="test") for sample in samples]
    logits = np.eye(len(LABELS))[[sample.label for sample in samples]]
    logits += RNG.normal(scale=0.7, size=logits.shape)
    pixels = np.arange(len(samples), dtype=np.uint8)[:, None, None]

    def answer(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.asarray(logits[grey[:, 0, 0]])

    for fold in range(3):
        rows = [row for row, s in enumerate(samples) if s.group.endswith(f"-{fold}")]
        source = {"command": f"brain-train fold {fold}"}
        output = folder / str(fold)
        evaluate(answer, samples, pixels, rows, output, title=f"fold {fold}", provenance=source)
    return [folder / str(fold) for fold in range(3)]


def read(folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return metrics


def test_the_summary_gives_mean_spread_and_all_images_together(evaluations: list[Path]) -> None:
    summary = fold_summary(evaluations)
    values = [read(folder)["model"]["accuracy"]["value"] for folder in evaluations]
    assert summary["n"] == [4, 8, 12]
    assert summary["commands"] == [f"brain-train fold {fold}" for fold in range(3)]
    assert summary["over_folds"]["accuracy"] == {
        "mean": pytest.approx(statistics.fmean(values)),
        "standard_deviation": pytest.approx(np.std(values, ddof=1)),
        "values": values,
    }
    right = sum(value * n for value, n in zip(values, summary["n"], strict=True))
    pooled = summary["pooled"]
    assert pooled["accuracy"]["value"] == pytest.approx(right / 24)
    assert pooled["n"] == 24
    assert pooled["groups"] == 12
    answers = [
        line.split(",")
        for folder in evaluations
        for line in (folder / "predictions.csv").read_text().splitlines()[1:]
    ]
    assert pooled["accuracy"]["value"] == pytest.approx(
        accuracy_score([row[2] for row in answers], [row[3] for row in answers])
    )
    text = fold_summary_text(summary)
    assert "3 folds, n 4 + 8 + 12 = 24, 12 groups" in text
    assert f"{100 * pooled['macro_f1']['value']:.2f} %" in text
    by_group = pooled["accuracy_by_group"]
    assert f"({100 * by_group['low']:.1f}..{100 * by_group['high']:.1f})" in text


def test_images_or_patients_in_two_folds_are_refused(
    evaluations: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(DataRefused, match="4 images"):
        fold_summary([evaluations[0], evaluations[0]])
    (tmp_path / "metrics.json").write_bytes((evaluations[1] / "metrics.json").read_bytes())
    text = (evaluations[1] / "predictions.csv").read_text()
    (tmp_path / "predictions.csv").write_text(text.replace(",0-1,", ",0-0,"))
    with pytest.raises(DataRefused, match="1 patient groups"):
        fold_summary([evaluations[0], tmp_path])
    with pytest.raises(DataRefused, match="two or more"):
        fold_summary(evaluations[:1])


def test_what_is_not_an_evaluation_is_refused_by_name(
    evaluations: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(UnreadableInput, match="not an evaluation"):
        fold_summary([evaluations[0], tmp_path])
    (tmp_path / "metrics.json").write_bytes((evaluations[1] / "metrics.json").read_bytes())
    (tmp_path / "predictions.csv").write_bytes((evaluations[2] / "predictions.csv").read_bytes())
    with pytest.raises(UnreadableInput, match="do not belong together"):
        fold_summary([evaluations[0], tmp_path])


def test_the_summary_command_prints_and_writes_it(evaluations: list[Path], tmp_path: Path) -> None:
    code, out, _ = run("folds", "summary", *evaluations, "--json", tmp_path / "folds.json")
    assert code == 0
    assert fold_summary_text(fold_summary(evaluations)) in out
    assert RESEARCH_USE_ONLY in out
    assert json.loads((tmp_path / "folds.json").read_text()) == fold_summary(evaluations)
