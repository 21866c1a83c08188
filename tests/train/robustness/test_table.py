import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import CannotWrite, DataRefused
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import save_checkpoint
from train.cli import main
from train.corruption.corruptions import cells as corruption_cells
from train.corruption.corruptions import corrupt
from train.corruption.neutralised import NEUTRALISED
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample
from train.models import create_model
from train.plots.robustness import plot_neutralised, plot_robustness
from train.robustness.cells import Cell, Variants, all_cells, chosen_rows
from train.robustness.table import robustness
from train.robustness.text import robustness_grid, robustness_text

FEW = (
    Cell("clean"),
    *map(Cell, NEUTRALISED),
    Cell("blur", 1),
    Cell("blur", 2),
    Cell("horizontal_flip", 1),
)
Run = Callable[..., dict[str, Any]]


def logits_of(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A model of the means of four quarters, so that changes of an image change its answers."""
    quarters = [grey[:, :16, :16], grey[:, :16, 16:], grey[:, 16:, :16], grey[:, 16:, 16:]]
    means = np.stack([part.mean(axis=(1, 2)) for part in quarters], axis=1)
    return np.asarray(means - means.mean(axis=0))


@pytest.fixture(scope="module")
def pixels(
    phantom_samples: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> NDArray[np.uint8]:
    config = PreprocessorConfig(height=32, width=32)
    return PixelCache.build(phantom_samples, config, tmp_path_factory.mktemp("cache")).pixels


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute nine cells instead of 77."""
    monkeypatch.setattr("train.robustness.table.all_cells", lambda: FEW)


@pytest.fixture
def run_table(
    phantom_samples: list[Sample], pixels: NDArray[np.uint8], request: pytest.FixtureRequest
) -> Run:
    request.getfixturevalue("few")

    def run(folder: Path, **given: Any) -> dict[str, Any]:
        rows = [row for row, sample in enumerate(phantom_samples) if sample.split != "train"]
        arguments: dict[str, Any] = {
            "predict": logits_of,
            "rows": rows,
            "title": "model on phantoms",
            "digest": "a",
            "provenance": {"command": "brain-train robustness"},
        }
        return robustness(
            samples=phantom_samples, pixels=pixels, folder=folder, **arguments | given
        )

    return run


def test_the_table_has_every_corruption_every_cue_and_the_unchanged_images() -> None:
    assert len(corruption_cells()) == 71
    expected = [("clean", 0), *((it, 0) for it in NEUTRALISED), *corruption_cells()]
    assert list(all_cells()) == expected


def test_the_figures_recompute_from_the_answers(run_table: Run, tmp_path: Path) -> None:
    table = run_table(tmp_path)
    assert json.loads((tmp_path / "robustness.json").read_text()) == table
    assert table["complete"]
    assert table["research_use_only"] == RESEARCH_USE_ONLY
    assert [(cell["kind"], cell["severity"]) for cell in table["cells"]] == list(FEW)
    labels = [int(digit) for digit in table["labels"]]
    clean = [int(digit) for digit in table["cells"][0]["answers"]["model"]]
    for cell in table["cells"]:
        for who in ("model", "nearest_neighbour"):
            answers = [int(digit) for digit in cell["answers"][who]]
            figures = cell["figures"][who]
            accuracy = accuracy_score(labels, answers)
            assert figures["accuracy"]["value"] == pytest.approx(accuracy)
            assert figures["accuracy"]["n"] == table["n"] == 12
            assert figures["macro_f1"]["value"] == pytest.approx(
                f1_score(labels, answers, average="macro", zero_division=0)
            )
            missed = sum(a == 2 for a, b in zip(answers, labels, strict=True) if b != 2)
            assert figures["tumor_called_no_tumor"]["value"] == pytest.approx(missed / 9)
        change = cell["figures"]["model"]["change"]["value"]
        of_model = accuracy_score(labels, [int(digit) for digit in cell["answers"]["model"]])
        assert change == pytest.approx(of_model - accuracy_score(labels, clean))
    worse = [cell["figures"]["model"] for cell in table["cells"] if cell["severity"]]
    mean = np.mean([figures["accuracy"]["value"] for figures in worse])
    assert table["corrupted"]["cells"] == 3
    assert table["corrupted"]["accuracy"]["value"] == pytest.approx(mean)
    assert set(table["baselines"]) == {"image_size"}


def test_a_cell_is_asked_with_its_own_images(
    run_table: Run, phantom_samples: list[Sample], pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    table = run_table(tmp_path, seed=3)
    rows = [row for row, sample in enumerate(phantom_samples) if sample.split != "train"]
    blurred = np.stack([corrupt(pixels[row], "blur", 2, (3, row)) for row in rows])
    answers = "".join(map(str, logits_of(blurred).argmax(axis=1)))
    assert table["cells"][FEW.index(Cell("blur", 2))]["answers"]["model"] == answers


def test_what_is_random_in_an_image_does_not_depend_on_the_others(
    phantom_samples: list[Sample], pixels: NDArray[np.uint8]
) -> None:
    variants = Variants(phantom_samples, pixels, [0, 1, 2], seed=1)
    for cell in (Cell("gaussian_noise", 3), Cell("all")):
        np.testing.assert_array_equal(variants.of(cell, [4, 9, 17])[1:], variants.of(cell, [9, 17]))
    noisy = corrupt(pixels[17], "gaussian_noise", 3, (1, 17))
    np.testing.assert_array_equal(variants.of(Cell("gaussian_noise", 3), [9, 17])[1], noisy)


def test_a_run_that_was_stopped_goes_on_and_gives_the_same(run_table: Run, tmp_path: Path) -> None:
    class Stopping:
        def __init__(self, calls: int) -> None:
            self.left = calls

        def __call__(self, grey: NDArray[np.uint8]) -> NDArray[np.float64]:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            return logits_of(grey)

    whole = run_table(tmp_path / "whole")
    folder = tmp_path / "stopped"
    for calls in (3, 0, 2):  # the second one is stopped before it does anything
        with pytest.raises(KeyboardInterrupt):
            run_table(folder, predict=Stopping(calls))
        assert not json.loads((folder / "robustness.json").read_text())["complete"]
    assert len(json.loads((folder / "robustness.json").read_text())["cells"]) == 5
    steps: list[tuple[int, int]] = []
    last = Stopping(4)
    again = run_table(folder, predict=last, progress=lambda *it: steps.append(it))
    assert again == whole
    assert last.left == 0
    assert steps[-1] == (9 * 12, 9 * 12)
    assert run_table(folder, predict=Stopping(0)) == whole, "a finished one is only read"


def test_the_table_of_another_model_or_other_images_is_left_alone(
    run_table: Run, tmp_path: Path
) -> None:
    run_table(tmp_path)
    before = (tmp_path / "robustness.json").read_bytes()
    for other in ({"digest": "b"}, {"rows": [0, 1, 2, 12]}, {"seed": 1}):
        with pytest.raises(CannotWrite, match="of another"):
            run_table(tmp_path, **other)
    assert (tmp_path / "robustness.json").read_bytes() == before
    (tmp_path / "robustness.json").write_text("[]")
    with pytest.raises(CannotWrite, match="not a robustness table"):
        run_table(tmp_path)


def test_some_images_are_chosen_class_by_class(phantom_samples: list[Sample]) -> None:
    rows = list(range(40))
    chosen = chosen_rows(phantom_samples, rows, 20, seed=1)
    assert np.bincount([phantom_samples[row].label for row in chosen]).tolist() == [5, 5, 5, 5]
    assert chosen == chosen_rows(phantom_samples, rows, 20, seed=1)
    assert chosen != chosen_rows(phantom_samples, rows, 20, seed=2)
    assert chosen_rows(phantom_samples, rows, None, seed=1) == rows
    assert chosen_rows(phantom_samples, rows, 40, seed=1) == rows
    for number in (3, 41):
        with pytest.raises(DataRefused, match="cannot choose"):
            chosen_rows(phantom_samples, rows, number, seed=1)


def test_text_and_images_show_every_cell(run_table: Run, tmp_path: Path) -> None:
    table = run_table(tmp_path)
    grid = robustness_grid(table, "accuracy")
    assert [row[0] for row in grid] == ["corruption", "clean", "blur", "horizontal flip"]
    assert {len(row) for row in grid} == {3}
    text = robustness_text(table)
    for name in (*NEUTRALISED, "nearest neighbour", "table of image sizes", "n 12"):
        assert name in text
    plot_robustness(table, tmp_path / "table.png")
    plot_neutralised(table, tmp_path / "cues.png")
    for name in ("table.png", "cues.png"):
        with Image.open(tmp_path / name) as image:
            image.load()
            assert image.width > 800


@pytest.mark.usefixtures("few")
def test_the_command_measures_a_checkpoint(phantom_folder: Path, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    save_checkpoint(
        tmp_path / "checkpoint",
        name="cvt_test",
        model=create_model("cvt_test", len(LABELS)),
        preprocessor=PreprocessorConfig(height=32, width=32),
        training={},
    )
    arguments = [
        *("robustness", tmp_path / "checkpoint", "--data", phantom_folder, "--images", 4),
        *("--cache", tmp_path / "cache", "--output", tmp_path / "out"),
    ]
    for _ in range(2):  # the second time, everything is there
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        assert "test part, 4 of 8 images" in result.stdout
        assert RESEARCH_USE_ONLY in result.stdout
    table = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert table["complete"]
    assert str(tmp_path) not in json.dumps(table)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "robustness.json",
        "robustness.png",
        "neutralised.png",
    }
