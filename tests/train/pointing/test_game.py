import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from masked_phantoms import SQUARE, write_masked_phantoms
from numpy.typing import NDArray
from PIL import Image

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import NoInputs
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import save_checkpoint
from train.cli import main
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample
from train.data.tumour_masks import MaskCache
from train.evaluation.predictors import predictor
from train.metrics.figures import wilson_interval
from train.models import create_model
from train.pointing.game import Pointed, point, rows_with_tumour
from train.pointing.report import write_pointing
from train.pointing.text import pointing_rows, pointing_text

CONFIG = PreprocessorConfig(height=64, width=64)
GLIOMA, MENINGIOMA, HEALTHY, _ = range(4)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return write_masked_phantoms(tmp_path_factory.mktemp("masked") / "set")


@pytest.fixture(scope="module")
def arrays(
    samples: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> tuple[NDArray[np.uint8], MaskCache]:
    folder = tmp_path_factory.mktemp("cache")
    return (
        PixelCache.build(samples, CONFIG, folder).pixels,
        MaskCache.build(samples, CONFIG, folder),
    )


class Model:
    """Answers one class; its evidence for each class is in one of 8 x 8 cells."""

    def __init__(self, answer: int, cells: dict[int, tuple[int, int]]) -> None:
        self.answer, self.cells = answer, cells

    def __call__(self, grey: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        logits = np.zeros((len(grey), len(LABELS)))
        logits[:, self.answer] = 1
        evidence = np.zeros((len(grey), len(LABELS), 8, 8), dtype=np.float32)
        for label, cell in self.cells.items():
            evidence[:, label, *cell] = 64
        return logits, evidence


INSIDE, NEAR, FAR = (3, 5), (4, 5), (7, 0)  # of SQUARE: rows 20..33, columns 40..55; cells of 8


def pointed(
    samples: list[Sample], arrays: tuple[NDArray[np.uint8], MaskCache], model: Model
) -> list[Pointed]:
    pixels, masks = arrays
    rows = rows_with_tumour(samples, range(len(samples)), masks.known)
    found, maps = point(model, samples, pixels, masks.masks, rows)
    assert [it.row for it in found] == rows
    assert len(maps) == len(rows)
    return found


def test_a_peak_inside_the_outline_is_a_hit_and_one_beside_it_only_near(
    samples: list[Sample], arrays: tuple[NDArray[np.uint8], MaskCache]
) -> None:
    # glioma is seen inside, meningioma close by, pituitary far away
    cells = {GLIOMA: INSIDE, MENINGIOMA: NEAR, 3: FAR}
    found = pointed(samples, arrays, Model(GLIOMA, cells))
    assert all(it.hit_answer and it.near_answer for it in found)
    assert all(it.peak_answer == (28.0, 44.0) for it in found)
    by_class = {it.label: (it.hit_true, it.near_true) for it in found}
    assert by_class == {GLIOMA: (True, True), MENINGIOMA: (False, True), 3: (False, False)}


def test_an_answer_of_no_tumor_is_a_miss_wherever_it_looks(
    samples: list[Sample], arrays: tuple[NDArray[np.uint8], MaskCache]
) -> None:
    for it in pointed(samples, arrays, Model(HEALTHY, {HEALTHY: INSIDE})):
        assert it.peak_answer == (28.0, 44.0)
        assert not it.hit_answer
        assert not it.near_answer
        assert it.mass_answer == it.iou_answer == 0


def test_only_the_best_known_tumours_take_part(
    samples: list[Sample], arrays: tuple[NDArray[np.uint8], MaskCache]
) -> None:
    rows = rows_with_tumour(samples, range(len(samples)), arrays[1].known)
    assert {samples[row].class_name for row in rows} == set(LABELS) - {"no_tumor"}
    with pytest.raises(NoInputs, match="none of 32 images"):
        rows_with_tumour(samples, range(len(samples)), np.zeros(32, dtype=bool))


def test_chance_is_the_share_of_the_outline(
    samples: list[Sample], arrays: tuple[NDArray[np.uint8], MaskCache]
) -> None:
    rows, columns = (part.stop - part.start for part in SQUARE)
    for it in pointed(samples, arrays, Model(GLIOMA, {GLIOMA: INSIDE})):
        assert it.chance == rows * columns / 64**2
        assert it.chance_near > it.chance
        assert (it.centre, it.centre_near) == (False, False)


def test_the_figures_recompute_from_the_table_of_images(
    samples: list[Sample], arrays: tuple[NDArray[np.uint8], MaskCache], tmp_path: Path
) -> None:
    cells = {GLIOMA: INSIDE, MENINGIOMA: NEAR, 3: FAR}
    half = pointed(samples, arrays, Model(GLIOMA, cells))[::2]
    half += pointed(samples, arrays, Model(MENINGIOMA, cells))[1::2]
    result = write_pointing(
        half, samples, tmp_path, title="A on B", provenance={}, evidence_shape=(8, 8)
    )
    assert json.loads((tmp_path / "pointing.json").read_text()) == result
    rows = list(csv.DictReader((tmp_path / "pointing.csv").read_text().splitlines()))
    assert len(rows) == result["all"]["n"] == 24
    for name in ("hit_answer", "hit_true", "near_answer", "near_true"):
        hits = sum(int(row[name]) for row in rows)
        figure = result["all"][name]
        expected = wilson_interval(hits, 24)
        assert (figure["value"], figure["low"], figure["n"]) == (hits / 24, expected.low, 24)
    by_label = Counter(row["label"] for row in rows if row["hit_true"] == "1")
    for name, figures in result["by"]["class"].items():
        assert figures["hit_true"]["value"] * figures["n"] == by_label[name]
    for parts in result["by"].values():
        assert sum(figures["n"] for figures in parts.values()) == 24
    assert set(result["by"]["plane"]) == {"axial", "coronal", "sagittal"}
    assert result["all"]["hit_true_by_group"]["interval"] == "group_bootstrap"


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    path = tmp_path_factory.mktemp("run") / "checkpoint"
    torch.manual_seed(0)
    save_checkpoint(
        path,
        name="cvt_test",
        model=create_model("cvt_test", len(LABELS)),
        preprocessor=PreprocessorConfig(height=32, width=32),
        training={},
    )
    return path


def test_the_command_plays_it_and_draws_examples(
    checkpoint: Path, samples: list[Sample], tmp_path: Path
) -> None:
    folder = Path(str(samples[0].source)).parents[3]
    arguments = ("--data", folder, "--cache", tmp_path / "cache", "--output", tmp_path / "out")
    code, out, _ = run("pointing", checkpoint, *arguments)
    assert code == 0
    result: dict[str, Any] = json.loads((tmp_path / "out" / "pointing.json").read_text())
    assert result["all"]["n"] == 12, "the test part's tumours"
    assert result["provenance"]["part"] == "test"
    assert str(tmp_path) not in json.dumps(result)
    assert pointing_text(result) in out
    assert RESEARCH_USE_ONLY in out
    assert "cvt_test checkpoint on set, test part" in out
    widths = {len(row) for row in pointing_rows(result)}
    assert len(widths) == 1
    with Image.open(tmp_path / "out" / "pointing.png") as image:
        image.load()
        assert image.width > 1000


def test_a_data_set_without_masks_is_refused(
    checkpoint: Path, phantom_folder: Path, tmp_path: Path
) -> None:
    arguments = ("--data", phantom_folder, "--cache", tmp_path, "--output", tmp_path / "out")
    code, _, err = run("pointing", checkpoint, *arguments)
    assert code == NoInputs.exit_code
    assert "none of 8 images has a tumour mask" in err
    assert not (tmp_path / "out").exists()


def test_a_predictor_gives_evidence_whose_mean_is_its_logits(checkpoint: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    predict = predictor(checkpoint)
    logits, evidence = predict.with_evidence(grey)
    np.testing.assert_array_equal(logits, predict(grey))
    np.testing.assert_allclose(evidence.mean(axis=(2, 3)), logits, atol=1e-5)
    assert len(predict.digest) == 64
