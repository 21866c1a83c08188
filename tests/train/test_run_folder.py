import json
import os
from pathlib import Path

import pytest

from edge_infer.errors import CannotWrite, UnknownModel
from train.recipe import FORMER_NAMES
from train.run_folder import CHECKPOINT, claim_run_folder, newest_run

REQUEST = {"model": "cvt_test", "recipe": {"epochs": 2, "scale": (0.8, 1.0)}, "teacher": None}


def test_the_same_run_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "first"
    claim_run_folder(run, REQUEST, resume=False)
    claim_run_folder(run, REQUEST, resume=True)
    assert json.loads((run / "run.json").read_text())["model"] == "cvt_test"


def test_resume_without_an_earlier_run_starts_one(tmp_path: Path) -> None:
    claim_run_folder(tmp_path / "run", REQUEST, resume=True)
    assert (tmp_path / "run" / "run.json").is_file()


def test_a_second_start_without_resume_is_refused(tmp_path: Path) -> None:
    claim_run_folder(tmp_path, REQUEST, resume=False)
    with pytest.raises(CannotWrite, match="holds a run already") as refused:
        claim_run_folder(tmp_path, REQUEST, resume=False)
    assert refused.value.exit_code == 40
    assert "--resume" in refused.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": {"epochs": 3, "scale": (0.8, 1.0)}},
        {"model": "cvt13"},
        {"teacher": "resnet18-cpu"},
        {"weights": "microsoft/cvt-13"},
    ],
)
def test_other_settings_are_refused_and_named(tmp_path: Path, change: dict[str, object]) -> None:
    claim_run_folder(tmp_path, REQUEST, resume=False)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(CannotWrite, match=f"other settings: {next(iter(change))};") as refused:
        claim_run_folder(tmp_path, {**REQUEST, **change}, resume=True)
    assert refused.value.exit_code == 40
    assert (tmp_path / "run.json").read_bytes() == before


def test_keys_that_came_later_stand_for_their_defaults(tmp_path: Path) -> None:
    claim_run_folder(tmp_path, REQUEST, resume=False)
    newer = {**REQUEST, "recipe": {"epochs": 2, "scale": (0.8, 1.0), "sizes": (), "mix": {"a": 0}}}
    defaults = {"recipe": {"scale": (1.0, 1.0), "sizes": (), "mix": {"a": 0}}}
    claim_run_folder(tmp_path, newer, resume=True, defaults=defaults)
    with pytest.raises(CannotWrite, match="other settings: recipe;"):
        claim_run_folder(tmp_path, newer, resume=True)
    for changed in ({"sizes": (3,)}, {"mix": {"a": 1}}, {"scale": (1.0, 1.0)}):
        other = {**newer, "recipe": {**newer["recipe"], **changed}}  # type: ignore[dict-item]
        with pytest.raises(CannotWrite, match="other settings: recipe;"):
            claim_run_folder(tmp_path, other, resume=True, defaults=defaults)


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite):
        claim_run_folder(tmp_path / "file" / "run", REQUEST, resume=False)
    with pytest.raises(CannotWrite):
        claim_run_folder(tmp_path / "new" / ("long" * 100), REQUEST, resume=False)
    (tmp_path / "other" / "run.json").mkdir(parents=True)
    with pytest.raises(CannotWrite):
        claim_run_folder(tmp_path / "other", REQUEST, resume=False)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "other", "run.json"]


def test_the_newest_finished_run_of_a_model_is_found(tmp_path: Path) -> None:
    for age, (name, model, finished) in enumerate(
        [
            ("broken-off", "cvt13", False),
            ("other", "resnet18", True),
            ("newer", "cvt13", True),
            ("older", "cvt13", True),
        ]
    ):
        claim_run_folder(tmp_path / name, {"model": model}, resume=False)
        if finished:
            (tmp_path / name / CHECKPOINT).mkdir()
            os.utime(tmp_path / name / CHECKPOINT, (1e9 - age, 1e9 - age))
    (tmp_path / "cache").mkdir()
    assert newest_run(tmp_path, "cvt13") == tmp_path / "newer" / CHECKPOINT
    assert newest_run(tmp_path, "vit") is None
    assert newest_run(tmp_path / "none", "cvt13") is None


def test_a_run_of_a_recipe_that_was_renamed_is_resumed(tmp_path: Path) -> None:
    older = {**REQUEST, "recipe": {"name": "seed", "epochs": 3}}
    claim_run_folder(tmp_path, older, resume=False)
    now = {**REQUEST, "recipe": {"name": FORMER_NAMES["seed"], "epochs": 3}}
    claim_run_folder(tmp_path, now, resume=True, former_names=FORMER_NAMES)
    other = {**now, "recipe": {**now["recipe"], "epochs": 4}}
    with pytest.raises(CannotWrite, match="other settings: recipe"):
        claim_run_folder(tmp_path, other, resume=True, former_names=FORMER_NAMES)


def test_what_is_refused_at_its_start_leaves_only_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "note.txt").write_text("mine")
    for run in (tmp_path / "runs" / "new", tmp_path / "given"):
        for _ in range(2):  # the second try is not blocked by the first
            claim = claim_run_folder(run, REQUEST, resume=False)
            with pytest.raises(UnknownModel), claim.released_if_refused():
                raise UnknownModel("no such model")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["given", "note.txt"]


def test_a_resumed_or_interrupted_run_keeps_its_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = claim_run_folder(run, REQUEST, resume=False)
    with pytest.raises(KeyboardInterrupt), first.released_if_refused():
        raise KeyboardInterrupt
    again = claim_run_folder(run, REQUEST, resume=True)
    with pytest.raises(UnknownModel), again.released_if_refused():
        raise UnknownModel("no such model")
    assert (run / "run.json").is_file()
