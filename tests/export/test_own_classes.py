"""From a checkpoint of classes of one's own to a bundle: 2, 3 and 100 of them, with and without a negative class."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from own_classes import (
    CONFIG,
    HUNDRED,
    PETS,
    TWO,
    draw_textures,
    save_texture_checkpoint,
    save_textures,
)

from edge_infer.bundle import Bundle, load_bundle
from edge_infer.classes import BRAIN, Classes
from edge_infer.classifier import Classifier
from edge_infer.contract import METADATA_KEY
from edge_infer.golden import GOLDEN_COUNT
from export import refit_cli
from export.cli import main
from export.gate_tables import flips_by_class, flips_of
from export.golden import make_golden
from export.int8 import calibration
from export.int8.gate import judge
from export.markdown import plain

SPLITS = ("train", "val")


def run(command: Any, *arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout + result.stderr


@pytest.fixture(scope="module", autouse=True)
def few_corrupted() -> Any:
    """Ten thousand corrupted images take a while."""
    patch = pytest.MonkeyPatch()
    patch.setattr(calibration, "_CORRUPTED_QUICK", 60)
    yield
    patch.undo()


def exported(top: Path, classes: Classes, precision: str, *, each: int, learnt: int = 160) -> Path:
    checkpoint = save_texture_checkpoint(top / "checkpoint", classes, learnt=learnt)
    data = save_textures(top / "data", classes, each=each, splits=SPLITS)
    code, said = run(
        main,
        *("--model", "cvt_test", f"--{precision}", "--quick", "--end-to-end"),
        *("--checkpoint", checkpoint, "--data", data, "--cache", top / "cache"),
        *("--output", top / "bundle"),
    )
    assert code == 0, said
    return top / "bundle"


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes, one of them negative, in 8 bits."""
    return exported(tmp_path_factory.mktemp("pets"), PETS, "int8", each=12)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, none negative, with names that are hard to show, in 8 bits."""
    return exported(tmp_path_factory.mktemp("two"), TWO, "int8", each=8)


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred classes in float32."""
    return exported(tmp_path_factory.mktemp("hundred"), HUNDRED, "fp32", each=1, learnt=400)


def right(bundle: Bundle) -> float:
    """The share of textures, drawn anew, that are called rightly."""
    classifier = Classifier(bundle, num_threads=1)
    names = bundle.labels
    grey, labels = draw_textures(2 * len(names), 99, len(names))
    answers = [outcome.prediction for outcome in classifier.predict_each(list(grey))]
    assert all(answers)
    return float(
        np.mean(
            [
                one is not None and one.label == names[k]
                for one, k in zip(answers, labels, strict=True)
            ]
        )
    )


@pytest.mark.parametrize(("name", "classes"), [("pets", PETS), ("two", TWO), ("hundred", HUNDRED)])
def test_labels_and_the_negative_class_travel_from_the_checkpoint_to_the_answer(
    name: str, classes: Classes, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(name)
    bundle = load_bundle(folder)
    assert bundle.classes == classes
    assert bundle.config["negative_label"] == classes.negative
    assert bundle.config["id2label"] == {str(k): one for k, one in enumerate(classes.names)}
    end_to_end = onnx.load(folder.with_name("bundle.end-to-end.onnx"))
    for model in (onnx.load_from_string(bundle.model_bytes), end_to_end):
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        contract = json.loads(metadata[METADATA_KEY])
        assert contract["labels"] == list(classes.names)
        assert contract["negative_label"] == classes.negative
        assert json.loads(metadata["names"])["1"] == classes.names[1]
    assert set(bundle.manifest["trust"]["set_thresholds"]) == set(classes.names)
    assert bundle.scope_model is not None
    assert right(bundle) > 0.7


def test_the_gate_judges_flips_to_the_negative_class_under_a_name_of_its_own(pets: Path) -> None:
    gate = load_bundle(pets).manifest["gate"]
    assert set(gate["per_class"]) == set(PETS.names)
    assert gate["positive_to_negative_flips"] == 0
    assert gate["max_positive_to_negative_flips"] == 0
    assert "tumor_to_no_tumor_flips" not in gate
    assert gate["corrupted"]["flips"]["n"] > 0
    assert "to_negative" in gate["per_class"]["cat"]


def test_without_a_negative_class_no_flips_are_counted(two: Path) -> None:
    manifest = load_bundle(two).manifest
    assert manifest["precision"] == "int8"
    assert "flips" not in json.dumps(sorted(set(manifest["gate"]) - {"per_class"}))
    assert "flips" not in manifest["gate"]["corrupted"]
    assert manifest["gate"]["corrupted"]["agreement"]["n"] > 0
    assert manifest["series"] is None


@pytest.mark.parametrize("name", ["pets", "two", "hundred"])
def test_card_and_tables_say_no_word_of_tumours(name: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(name)
    said = [(folder / "README.md").read_text("utf-8")]
    log = folder.with_name("bundle.gate.txt")
    said += [log.read_text("utf-8")] if log.exists() else []
    said.append(json.dumps(json.loads((folder / "manifest.json").read_text("utf-8"))))
    assert not any("tumo" in text.lower() for text in said)
    assert f"one of the {len(load_bundle(folder).labels)} classes" in said[0]


def test_int8_without_data_is_refused_because_the_kit_is_of_brain_scans(
    pets: Path, tmp_path: Path
) -> None:
    code, said = run(
        main,
        *("--model", "cvt_test", "--int8", "--checkpoint", pets.with_name("checkpoint")),
        *("--output", tmp_path / "out"),
    )
    assert code == 26
    assert "--int8 without --data: the kit that stands in for a data set holds brain scans" in said
    assert "give the data set that it was trained on with --data" in said
    assert not (tmp_path / "out").exists()


def test_data_of_other_classes_is_refused(pets: Path, two: Path, tmp_path: Path) -> None:
    code, said = run(
        main,
        *("--model", "cvt_test", "--checkpoint", pets.with_name("checkpoint")),
        *("--data", two.with_name("data"), "--output", tmp_path / "out"),
    )
    assert code == 26
    assert "cat" in said
    assert not (tmp_path / "out").exists()


def test_answers_of_folds_have_columns_of_the_models_classes(pets: Path, tmp_path: Path) -> None:
    lines = ["group,label," + ",".join(f"logit_{label}" for label in PETS.names)]
    for number in range(60):
        logits = 5 * np.eye(3)[number % 3] + np.random.default_rng(number).normal(0, 1, 3)
        cells = ",".join(f"{value:.3f}" for value in logits)
        lines.append(f"p{number},{PETS.names[number % 3]},{cells}")
    path = tmp_path / "folds.csv"
    path.write_text("\n".join(lines) + "\n")
    code, said = run(
        main,
        *("--model", "cvt_test", "--checkpoint", pets.with_name("checkpoint")),
        *("--out-of-fold", path, "--output", tmp_path / "out"),
    )
    assert code == 0, said
    trust = load_bundle(tmp_path / "out").manifest["trust"]
    assert trust["fitted_on"]["groups"] == dict.fromkeys(PETS.names, 20)


def test_answers_to_volumes_need_a_negative_class(two: Path, tmp_path: Path) -> None:
    path = tmp_path / "volumes.csv"
    path.write_text("group,volume\n")
    code, said = run(
        main,
        *("--model", "cvt_test", "--checkpoint", two.with_name("checkpoint")),
        *("--volume-answers", path, "--output", tmp_path / "out"),
    )
    assert code == 26
    assert "needs a class that says that nothing is there" in said


def test_a_bundle_of_own_classes_is_refitted_by_folder(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.refit.answers.doubts_about", lambda *_, **__: ())
    site = save_textures(tmp_path / "set", PETS, each=18, splits=("site",)) / "site"
    code, said = run(
        refit_cli.main,
        *("--bundle", pets, "--on", site, "--by-folder", "--output", tmp_path / "out"),
    )
    assert code == 0, said
    assert "set threshold empty bowl" in said
    new = load_bundle(tmp_path / "out")
    assert new.classes == PETS
    assert new.manifest["trust"]["fitted_on"]["groups"] == dict.fromkeys(PETS.names, 18)
    assert "tumo" not in (tmp_path / "out" / "README.md").read_text("utf-8").lower()


class Drawn:
    """Answers by what an image looks like, each image surely, with so many classes."""

    def __init__(self, classes: int) -> None:
        self._weights = np.random.default_rng(5).normal(0, 1, (8 * 8, classes))

    def run(self, pixel_values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        cells = pixel_values[:, 0].reshape(len(pixel_values), 8, 8, 8, 8).mean(axis=(2, 4))
        centred = cells.reshape(len(cells), -1) - cells.mean(axis=(1, 2))[:, None]
        return ((50 * centred @ self._weights).astype(np.float32),)


@pytest.mark.parametrize("count", [2, 3, 10, 100])
def test_golden_images_are_found_for_any_number_of_classes(count: int) -> None:
    labels = [f"kind {number}" for number in range(count)]
    session: Any = Drawn(count)
    golden = make_golden(session, session, CONFIG, precision="fp32", labels=labels)
    answers = [entry["label"] for entry in golden.entries]
    assert set(answers) <= set(labels)
    assert 12 <= len(answers) <= GOLDEN_COUNT
    assert len(set(answers)) >= min(count, 6)
    assert all(len(entry["logits"]) == count for entry in golden.entries)


def flipped(classes: Classes, label: int, becomes: int) -> Sequence[str]:
    labels = np.repeat(np.arange(len(classes)), 400)
    before = 8 * np.eye(len(classes), dtype=np.float32)[labels]
    after = before.copy()
    after[label * 400] = 8 * np.eye(len(classes), dtype=np.float32)[becomes]
    return judge(labels, before, after, classes).failures


def test_one_flip_to_the_negative_class_fails_and_one_to_another_class_does_not() -> None:
    assert flipped(PETS, 0, 2) == ("cat: 1 of n 400 newly called empty bowl, allowed 0",)
    assert flipped(PETS, 0, 1) == ()
    assert flipped(Classes(PETS.names), 0, 2) == ()
    assert flipped(BRAIN, 0, 2) == ("glioma: 1 of n 400 newly called no_tumor, allowed 0",)


def test_flips_are_told_by_class_or_as_a_sum() -> None:
    rows = {f"{number}": {"flips": number % 3} for number in range(11)}
    assert flips_by_class({name: rows[name] for name in list(rows)[:4]}) == "0/1/2/0"
    assert flips_by_class(rows) == "10 in 7 classes"
    assert flips_of({"agreement": {}}) is None


def test_a_label_cannot_steer_the_model_card() -> None:
    assert plain("no_tumor") == "no_tumor"
    assert plain("a | <b>[c](d)`") == r"a \| \<b\>\[c\](d)\`"
