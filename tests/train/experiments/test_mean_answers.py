"""docs/experiments/mean_answers.py: other sizes, mirror images, several models."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from edge_infer.contract import LABELS
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import load_checkpoint, save_checkpoint
from train.data.samples import Sample
from train.models import create_model


@pytest.fixture(scope="module")
def mean_answers(load_experiment: Callable[[str], ModuleType]) -> ModuleType:
    return load_experiment("mean_answers")


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # the cache lies below
    torch.manual_seed(1)
    folder = tmp_path / "runs" / "one" / "checkpoint"
    save_checkpoint(
        folder,
        name="cvt_test",
        model=create_model("cvt_test", len(LABELS)),
        sizes={},
        preprocessor=PreprocessorConfig(height=32, width=32),
        training={},
    )
    return folder


def test_a_mirrored_image_and_a_larger_one_get_other_answers(
    mean_answers: ModuleType, checkpoint: Path, phantom_samples: list[Sample]
) -> None:
    loaded = load_checkpoint(checkpoint)
    plain, mirrored, larger = (
        mean_answers.probabilities(loaded, phantom_samples, [0, 1], more=more, mirrored=mirrored)
        for more, mirrored in ((0, False), (0, True), (16, False))
    )
    assert plain.shape == mirrored.shape == larger.shape == (2, len(LABELS))
    np.testing.assert_allclose(plain.sum(axis=1), 1)
    assert np.abs(plain - mirrored).max() > 1e-6
    assert np.abs(plain - larger).max() > 1e-6


def test_the_mean_of_a_model_with_itself_is_its_own_answer(
    mean_answers: ModuleType,
    checkpoint: Path,
    phantom_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mean_answers.main(phantom_folder, phantom_folder / "manifest.csv", "", [checkpoint] * 2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 3 * 2 + 2
    assert lines[0].startswith("one at 32 px: ")
    assert lines[0].endswith(", n 4")  # one of each class in the validation part
    assert lines[-2] == lines[0].replace("one at 32 px", "mean of these models")
