"""The command: a bundle, a data set, other images; a page, a table, a JSON file."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from report_page import Page
from tiny_bundle import GOLDEN, bundle_files, manifest_body, tiny_trust

from edge_infer.bundle import write_bundle
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible, CannotWrite, UnreadableInput
from edge_infer.figures import intervals
from train.cli import main
from train.trust import conformal, text
from train.trust.text import trust_text

Cells = Callable[[], tuple[tuple[str, int], ...]]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_RESAMPLES", 20)
    monkeypatch.setattr(conformal, "RESPLITS", 20)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of other sources, and folders of photographs, noise and a blank image."""
    folder = tmp_path_factory.mktemp("others")
    generator = np.random.default_rng(0)
    lines = ["source,path,label,patient_id,modality,licence"]
    for number in range(8):
        label = ("glioma", "other_tumor", "out_of_scope", "no_tumor")[number % 4]
        noise = generator.integers(0, 256, (40, 40), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
        lines.append(f"elsewhere,{number}.png,{label},p{number // 2},T1c,CC0 1.0")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "far" / "noise").mkdir(parents=True)
    (folder / "far" / "blank").mkdir()
    Image.fromarray(noise).save(folder / "far" / "noise" / "a.png")
    Image.new("L", (40, 40)).save(folder / "far" / "blank" / "a.png")
    return folder


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["trust", *(str(argument) for argument in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def options(phantoms: Path, folder: Path) -> tuple[object, ...]:
    return (
        *("--data", phantoms, "--manifest", phantoms / "manifest.csv", "--split", "train"),
        *("--cache", folder / "cache", "--output", folder / "out"),
    )


def test_the_command_writes_a_page_a_table_and_every_answer(
    bundle: Path, phantom_folder: Path, others: Path, tmp_path: Path
) -> None:
    code, out, err = run(
        *(bundle, *options(phantom_folder, tmp_path)),
        *("--external", others, "--far", f"odd={others / 'far'}"),
    )
    assert code == 0, err
    result: dict[str, Any] = json.loads((tmp_path / "out" / "trust.json").read_text())
    assert (result["kind"], result["research_use_only"]) == ("trust", RESEARCH_USE_ONLY)
    assert (result["part"]["n"], result["corrupted"]) == (28, None)
    assert "arrays" not in result["trust"]["scope"]
    sets = {its["name"]: its for its in result["sets"]["each"]}
    assert {name: (its["kind"], its["n"], its["refused"]) for name, its in sets.items()} == {
        "elsewhere tumours T1": ("elsewhere", 2, 0),
        "elsewhere no_tumor": ("elsewhere", 2, 0),
        "elsewhere other_tumor": ("near", 2, 0),
        "elsewhere": ("far", 2, 0),
        "odd blank": ("far", 1, 1),
        "odd noise": ("far", 1, 0),
    }
    assert sets["odd blank"]["roc_auc"] is None
    assert sets["odd blank"]["accepted"]["value"] == 0
    assert set(result["cost"]) == {"whole", "image_checks", "scope_score"}
    assert result["cost"]["whole"]["of_whole"] == 1
    assert str(tmp_path) not in json.dumps(result["provenance"]), "results travel"
    assert out == f"{trust_text(result)}\n{RESEARCH_USE_ONLY}\n"
    page = (tmp_path / "out" / "trust.html").read_text(encoding="utf-8")
    assert page.count(RESEARCH_USE_ONLY) == 2
    assert str(tmp_path) not in page


def test_the_figures_recompute_from_the_answers(
    bundle: Path, phantom_folder: Path, others: Path, tmp_path: Path
) -> None:
    run(bundle, *options(phantom_folder, tmp_path), "--external", others)
    result = json.loads((tmp_path / "out" / "trust.json").read_text())
    with (tmp_path / "out" / "answers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    part = [row for row in rows if row["set"] == "part"]
    covered = [row["label"] in row["prediction_set"].split() for row in part]
    figures = result["part"]
    assert figures["coverage"]["all"]["coverage"]["value"] == pytest.approx(np.mean(covered))
    sizes = [len(row["prediction_set"].split()) for row in part]
    assert figures["set_size"]["mean"]["value"] == pytest.approx(np.mean(sizes))
    right = [row["label"] == row["predicted"] for row in part]
    assert figures["decisions"]["accuracy"]["value"] == pytest.approx(np.mean(right))
    thresholds = tiny_trust()["set_thresholds"]
    for row in rows:
        scores = {name: 1 - float(row[f"p_{name}"]) for name in LABELS}
        expected = [name for name in LABELS if scores[name] <= thresholds[name]]
        assert row["prediction_set"].split() == expected
        assert (row["decision"] == "accept") == (not row["reasons"])
        if float(row["scope_score"]) > tiny_trust()["scope"]["threshold"]:
            assert "out_of_scope" in row["reasons"].split()
    accepted = [row["decision"] == "accept" for row in part]
    assert figures["decisions"]["accepted"]["value"] == pytest.approx(np.mean(accepted))


def test_corruptions_go_on_where_they_were_stopped(
    bundle: Path, phantom_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [("blur", 1), ("blur", 2), ("horizontal_flip", 1)]
    monkeypatch.setattr("train.trust.corrupted.corruption_cells", lambda: cells[:2])
    arguments = (bundle, *options(phantom_folder, tmp_path), "--corruptions")
    more = ("--corrupted-images", 8)
    assert run(*arguments, *more)[0] == 0
    kept = json.loads((tmp_path / "out" / "corrupted.json").read_text())
    kept["cells"][1]["kept"]["accepted"] = [1] * 8
    kept["cells"][1]["kept"]["reasons"] = {"marked": 8}
    (tmp_path / "out" / "corrupted.json").write_text(json.dumps(kept))

    monkeypatch.setattr("train.trust.corrupted.corruption_cells", lambda: cells)
    code, out, _ = run(*arguments, *more)
    assert code == 0
    result = json.loads((tmp_path / "out" / "trust.json").read_text())["corrupted"]
    assert result["n"] == 8
    assert [(cell["kind"], cell["severity"]) for cell in result["cells"]] == [("clean", 0), *cells]
    assert result["cells"][1]["reasons"] == {"marked": 8}, "not asked again"
    assert result["cells"][1]["figures"]["accepted"]["value"] == 1
    assert "horizontal flip" in out
    assert "Corrupted images: wrong and accepted" in out

    code, _, err = run(*arguments, *more, "--seed", 1)
    assert code == CannotWrite.exit_code
    assert "of another seed" in err


def test_noise_is_accepted_less_than_what_the_bundle_knows(bundle: Path, tmp_path: Path) -> None:
    """The tiny bundle knows its golden images: as the part they are accepted, as noise hardly one is."""
    for number, grey in enumerate(GOLDEN):
        for name, pixels in (
            (f"data/test/{LABELS[number % 4]}/{number}.png", grey),
            (f"far/{number}.png", np.random.default_rng(number).permuted(grey)),
        ):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name)
    code, _, err = run(
        *(bundle, "--data", tmp_path / "data", "--far", f"noise={tmp_path / 'far'}"),
        *("--output", tmp_path / "out", "--cache", tmp_path / "cache"),
    )
    assert code == 0, err
    result = json.loads((tmp_path / "out" / "trust.json").read_text())
    assert result["part"]["coverage"]["all"]["coverage"]["value"] == 1
    assert result["part"]["shuffled_labels"]["all"]["coverage"]["value"] < 0.8
    (far,) = result["sets"]["each"]
    assert far["roc_auc"]["value"] == 1
    assert far["accepted_at_95"]["value"] == 0
    assert far["accepted"]["value"] == 0
    assert far["reasons"]["out_of_scope"] == 16


def test_what_cannot_be_measured_is_refused(
    bundle: Path, phantom_folder: Path, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    write_bundle(older, bundle_files(), manifest_body())
    code, _, err = run(older, *options(phantom_folder, tmp_path))
    assert code == BundleIncompatible.exit_code
    assert "export it again" in err
    code, _, err = run(
        bundle, *options(phantom_folder, tmp_path), "--external", tmp_path / "missing"
    )
    assert code == UnreadableInput.exit_code
    for wrong in ("a=missing", "missing", f"={phantom_folder}"):
        code, _, err = run(bundle, *options(phantom_folder, tmp_path), "--far", wrong)
        assert code == 2
        assert "NAME=FOLDER" in err
    code, _, err = run(bundle, *options(phantom_folder, tmp_path), "--other-dataset", "sartaj")
    assert code == 2
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_no_refused_image(
    bundle: Path, phantom_folder: Path, others: Path, tmp_path: Path
) -> None:
    shutil.copytree(others, tmp_path / "others")
    (tmp_path / "others" / "3.png").unlink()
    code, _, err = run(
        bundle, *options(phantom_folder, tmp_path), "--external", tmp_path / "others"
    )
    assert code == UnreadableInput.exit_code
    assert "3.png" in err


def test_tables_of_the_page_hold_what_the_terminal_shows(
    bundle: Path, phantom_folder: Path, others: Path, tmp_path: Path
) -> None:
    run(bundle, *options(phantom_folder, tmp_path), "--external", others)
    result = json.loads((tmp_path / "out" / "trust.json").read_text())
    page = Page((tmp_path / "out" / "trust.html").read_text(encoding="utf-8"))
    part = result["part"]
    for rows in (
        text.decision_rows(part),
        text.coverage_rows(result),
        text.selective_rows(part),
        text.set_rows(result),
        text.elsewhere_rows(result),
        text.cost_rows(result),
    ):
        for row in rows:
            assert [" ".join(cell.split()) for cell in row] in page.rows
    assert len(page.all("table")) == len(page.all("caption"))
    assert {cell["scope"] for cell in page.all("th")} == {"col", "row"}
    assert all(image["alt"] for image in page.all("img"))
    assert all(drawing["aria-label"] for drawing in page.all("svg"))
    assert page.all("script") == page.all("link") == []
