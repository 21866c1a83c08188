"""docs/experiments/same_images.py: the same images under another division."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from edge_infer.errors import DataRefused, UnreadableInput

HEAD = "name,group,label,predicted\n"


@pytest.fixture(scope="module")
def same_images(load_experiment: Callable[[str], ModuleType]) -> ModuleType:
    return load_experiment("same_images")


def evaluation(folder: Path, *lines: str) -> Path:
    folder.mkdir()
    metrics = {"title": "", "provenance": {"command": ""}, "model": {"n": len(lines)}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "predictions.csv").write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return folder


def test_the_same_images_are_found_by_name_whatever_the_folder(
    same_images: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = evaluation(tmp_path / "test", "a/1.jpg,p1,glioma,glioma", "a/2.jpg,p1,glioma,glioma")
    folds = [
        evaluation(tmp_path / "1", "b/1.jpg,p1,glioma,glioma", "b/2.jpg,p1,glioma,pituitary"),
        evaluation(tmp_path / "2", "b/3.jpg,p2,no_tumor,no_tumor", "b/4.jpg,p2,glioma,glioma"),
    ]
    same_images.main(test, folds)
    lines = capsys.readouterr().out.splitlines()
    assert "the model evaluated: 100.0 % (34.2..100.0), n 2" in lines[0]
    assert "the folds' models: 50.0 % (9.5..90.5), n 2" in lines[1]
    assert "all images, the folds' models: 75.0 %" in lines[2]
    assert lines[3].endswith("1 errors of 2; p1: 1 of 2 are glioma called pituitary")
    assert lines[4].endswith("0 errors of 2")


def test_images_that_no_fold_tests_and_other_folders_are_refused(
    same_images: ModuleType, tmp_path: Path
) -> None:
    test = evaluation(tmp_path / "test", "a/1.jpg,p1,glioma,glioma", "a/2.jpg,p1,glioma,glioma")
    fold = evaluation(tmp_path / "1", "b/1.jpg,p1,glioma,glioma")
    with pytest.raises(DataRefused, match="1 images"):
        same_images.main(test, [fold])
    with pytest.raises(UnreadableInput, match="not an evaluation"):
        same_images.main(test, [tmp_path / "nowhere"])
