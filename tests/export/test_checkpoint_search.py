import os
from pathlib import Path

import pytest

from edge_infer.errors import BundleIncomplete, UnknownModel
from export import checkpoint_search as checkpoints
from export.checkpoint_search import find_checkpoint, shipped_checkpoint


def make_run(runs: Path, name: str, model: str, age: int) -> Path:
    folder = runs / name / "checkpoint"
    folder.mkdir(parents=True)
    (runs / name / "run.json").write_text(f'{{"model": "{model}"}}')
    os.utime(folder, (1e9 - age, 1e9 - age))
    return folder


def test_the_one_named_comes_first_then_the_newest_run_then_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(checkpoints, "shipped_checkpoint", lambda model: shipped / model)
    runs = tmp_path / "runs"
    with pytest.raises(BundleIncomplete, match="no checkpoint of cvt_test") as refused:
        find_checkpoint("cvt_test", None, runs=runs)
    assert refused.value.exit_code == 30
    (shipped / "cvt_test").mkdir(parents=True)
    assert find_checkpoint("cvt_test", None, runs=runs) == (
        shipped / "cvt_test",
        "shipped with the project",
    )
    make_run(runs, "older", "cvt_test", age=10)
    newest = make_run(runs, "newest", "cvt_test", age=5)
    make_run(runs, "other", "resnet18", age=0)
    assert find_checkpoint("cvt_test", None, runs=runs) == (newest, "the newest run")
    named = tmp_path / "mine"
    assert find_checkpoint("cvt_test", named, runs=runs) == (named, "as named")


def test_an_unknown_model_is_refused_even_with_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="'vgg'"):
        find_checkpoint("vgg", tmp_path)


def test_shipped_checkpoints_lie_in_the_package() -> None:
    folder = shipped_checkpoint("cvt13")
    assert folder.name == "cvt13"
    assert folder.parents[1] == Path(checkpoints.__file__).parent
