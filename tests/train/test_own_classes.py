"""Classes that are not the four brain classes, from folders to a report: what the commands do with them."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_infer.classes import BRAIN, Classes
from edge_infer.figures import intervals
from train.checkpoint import load_checkpoint
from train.cli import main as train_main
from train.commands.data import main as data_main
from train.models.two_questions import TwoQuestions

SIZE = 64


@pytest.fixture(autouse=True)
def _quick_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_RESAMPLES", 20)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heads with a disk, a ring or nothing in them: 3 classes x 10 images, not numbered by a manifest."""
    folder = tmp_path_factory.mktemp("own") / "shapes"
    done = invoke(
        data_main, "phantoms", folder, "--kind", "shapes", "--per-class", 10, "--size", SIZE
    )
    assert done.exit_code == 0
    (folder / "manifest.csv").unlink()
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(
        "epochs = 2\nbatch_size = 8\nlearning_rate = 1e-3\nweight_decay = 0.0\n"
        f"image_size = {SIZE}\nbf16 = false\nbalance_classes = true\nlabel_smoothing = 0.05\n"
        "[mixing]\nmixup_alpha = 0.2\n"
    )
    return path


def invoke(command: object, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])  # type: ignore[arg-type]
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def train(*arguments: object) -> Result:
    return invoke(train_main, "run", "--report-to", "none", *arguments)


@pytest.mark.parametrize("model", ["cvt_test", "efficientnet-lite"])
def test_a_model_is_trained_on_own_classes_and_keeps_them(
    shapes: Path, recipe: Path, tmp_path: Path, model: str
) -> None:
    cache = tmp_path / "cache"
    manifest, run = tmp_path / "m.csv", tmp_path / "run"
    divided = invoke(
        data_main,
        *("split", shapes, "--output", manifest, "--cache", cache),
        *("--classes", "ring=Öhr,empty=leer,disk", "--negative", "leer", "--val", 0.2),
    )
    assert divided.exit_code == 0
    assert "3 classes: Öhr, leer, disk; negative class: leer" in divided.stderr
    data = ("--data", shapes, "--manifest", manifest, "--cache", cache)
    done = train("--model", model, *data, "--recipe", recipe, "--output", run)
    assert done.exit_code == 0
    assert "3 classes: Öhr, leer, disk; negative class: leer" in done.stderr
    assert "another class called leer:" in done.stdout

    own = Classes(("Öhr", "leer", "disk"), "leer")
    config = json.loads((run / "checkpoint" / "config.json").read_text())
    assert config["id2label"] == {"0": "Öhr", "1": "leer", "2": "disk"}
    assert config["negative_label"] == "leer"
    checkpoint = load_checkpoint(run / "checkpoint")
    assert checkpoint.classes == own
    if model == "efficientnet-lite":
        head = checkpoint.model.classifier
        assert isinstance(head, TwoQuestions)
        assert head.negative_id == 1
    metrics = json.loads((run / "evaluation" / "test" / "metrics.json").read_text())["model"]
    assert metrics["confusion_matrix"]["labels"] == list(own.names)
    assert set(metrics["per_class"]) == set(own.names)
    assert "positive_called_negative" in metrics
    with (run / "evaluation" / "test" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} <= set(own.names)
    assert all(
        max(own.names, key=lambda name: float(row[f"p_{name}"])) == row["predicted"] for row in rows
    )

    page = tmp_path / "report"
    written = invoke(train_main, "report", run, *data, "--output", page)
    assert written.exit_code == 0
    text = (page / "report.html").read_text()
    assert "Another class called leer (W)" in text
    assert "3 classes (Öhr, leer, disk)" in text
    assert "no_tumor" not in text
    assert "student reports" not in text

    again = invoke(
        train_main, "evaluate", run / "checkpoint", *data, "--output", tmp_path / "again"
    )
    assert again.exit_code == 0
    measured = json.loads((tmp_path / "again" / "metrics.json").read_text())["model"]
    assert measured == metrics


def test_folders_alone_are_enough_and_a_negative_class_is_not_needed(
    shapes: Path, recipe: Path, tmp_path: Path
) -> None:
    run, cache = tmp_path / "run", tmp_path / "cache"
    done = train(
        *("--model", "efficientnet-lite", "--data", shapes, "--cache", cache),
        *("--recipe", recipe, "--epochs", 1, "--output", run, "--no-test"),
    )
    assert done.exit_code == 0
    assert "3 classes: disk, empty, ring; negative class: none" in done.stderr
    assert "warning: recipe tiny is not used as it is: the head asks one question" in done.stderr
    checkpoint = load_checkpoint(run / "checkpoint")
    assert checkpoint.classes == Classes(("disk", "empty", "ring"))
    assert not isinstance(checkpoint.model.classifier, TwoQuestions)
    assert checkpoint.training["recipe"]["model"] == {"head": "mean"}
    assert "called" not in done.stdout


def test_a_recipe_that_asks_two_questions_needs_a_negative_class(
    shapes: Path, recipe: Path, tmp_path: Path
) -> None:
    recipe.write_text(recipe.read_text() + '[model]\nhead = "two-questions"\n')
    asked = ("--model", "cvt_test", "--data", shapes, "--cache", tmp_path, "--recipe", recipe)
    done = train(*asked, "--output", tmp_path / "run")
    assert done.exit_code != 0
    assert "asks two questions" in done.stderr
    assert "--negative" in done.stderr
    assert not (tmp_path / "run").exists(), "the next try may have the same folder"


def test_what_a_model_does_not_tell_apart_is_not_measured_or_taught(
    shapes: Path, recipe: Path, phantom_folder: Path, tmp_path: Path
) -> None:
    brain, cache = tmp_path / "brain", tmp_path / "cache"
    done = train(
        *("--model", "cvt_test", "--data", phantom_folder, "--cache", cache, "--recipe", recipe),
        *("--epochs", 1, "--image-size", 32, "--output", brain, "--no-test"),
    )
    assert done.exit_code == 0
    assert "classes:" not in done.stderr  # the four say nothing new
    assert load_checkpoint(brain / "checkpoint").classes is not None
    assert load_checkpoint(brain / "checkpoint").classes == BRAIN
    measured = invoke(
        train_main,
        *("evaluate", brain / "checkpoint", "--data", shapes, "--output", tmp_path / "e"),
        *("--cache", cache),
    )
    assert measured.exit_code != 0
    assert "train/disk: unknown class" in measured.stderr
    taught = train(
        *("--model", "cvt_test", "--data", shapes, "--cache", cache, "--recipe", recipe),
        *("--teacher", brain / "checkpoint", "--output", tmp_path / "taught"),
    )
    assert taught.exit_code != 0
    assert "teacher brain: tells apart glioma, meningioma, no_tumor, pituitary" in taught.stderr
    assert not (tmp_path / "taught").exists(), "what is refused leaves no run to be resumed"
    volumes = invoke(
        train_main,
        *("volumes", brain / "checkpoint", "--manifest", tmp_path / "none.csv"),
        *("--output", tmp_path / "v"),
    )
    assert "none.csv" in volumes.stderr


def test_options_that_the_manifest_contradicts_are_refused(shapes: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    split = ("split", shapes, "--cache", tmp_path / "cache", "--val", 0.2)
    done = invoke(data_main, *split, "--output", manifest, "--classes", "ring,empty,disk")
    assert done.exit_code == 0
    show = ("show", shapes, "--manifest", manifest, "--output", tmp_path / "shown")
    assert invoke(data_main, *show, "--classes", "ring,empty,disk").exit_code == 0
    refused = invoke(data_main, *show, "--classes", "disk,empty,ring")
    assert refused.exit_code != 0
    assert "the manifest states the classes ring, empty, disk" in refused.stderr


def test_many_classes_are_counted_below_each_other(tmp_path: Path) -> None:
    from PIL import Image

    names = [f"class {number:02d}" for number in range(30)]
    for number, name in enumerate(names):
        (tmp_path / "set" / name).mkdir(parents=True)
        image = Image.effect_noise((40, 40), 20 + number)
        image.save(tmp_path / "set" / name / "a.png")
    shown = invoke(data_main, "show", tmp_path / "set", "--output", tmp_path / "shown")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[1].split() == ["class", "00", "1"]
    assert lines[31].split() == ["all", "30"]
    audited = invoke(data_main, "audit", tmp_path / "set")
    assert audited.exit_code == 0
