"""Bundles of classes of one's own: read, answered, drawn and told, and refused where what they say is contradictory."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from own_bundle import HUNDRED, ORGAN, PETS, own_body, own_files, write_own
from tiny_bundle import GOLDEN, bundle_files, manifest_body, scan, tiny_series

from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.classes import BRAIN, Classes
from edge_infer.classifier import Classifier, Outcome
from edge_infer.doctor import examine
from edge_infer.errors import BundleIncompatible, BundleIntegrity
from edge_infer.heatmap import draw_heatmap, relative_strength, words_for_negative
from edge_infer.manifest import canonical_json
from edge_infer.notebook import prediction_html
from edge_infer.report import context_of, csv_header, csv_row, json_line, text_block

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "result.schema.json").read_text("utf-8"))
EVERY = pytest.mark.parametrize("classes", [PETS, ORGAN, HUNDRED], ids=["2", "4", "100"])


def asked(folder: Path, classes: Classes) -> Classifier:
    write_own(folder, classes)
    return Classifier.load(folder, num_threads=1, self_test="full")


@EVERY
def test_the_classes_of_a_bundle_are_those_of_its_answers(classes: Classes, tmp_path: Path) -> None:
    classifier = asked(tmp_path / "own", classes)
    assert classifier.bundle.classes == classes
    assert classifier.bundle.id2label == dict(enumerate(classes.names))
    prediction = classifier.predict(GOLDEN[3])
    assert tuple(prediction.probabilities) == classes.names
    assert prediction.classes == classes
    assert sum(prediction.probabilities.values()) == pytest.approx(1)
    line = json_line(Outcome(source="x", prediction=prediction), context_of(classifier))
    Draft202012Validator(SCHEMA).validate(json.loads(line))


@EVERY
def test_no_word_of_tumours_is_said_of_other_classes(classes: Classes, tmp_path: Path) -> None:
    classifier = asked(tmp_path / "own", classes)
    prediction = classifier.predict(GOLDEN[3])
    said = [text_block(prediction), prediction_html(prediction)]
    said += [check.finding for check in examine(tmp_path / "own").checks]
    if classes.negative is not None:
        negative = replace(prediction, label=classes.negative)
        said += [words_for_negative(negative), prediction_html(negative)]
    without_images = [re.sub('base64,[^"]*', "", words) for words in said]
    assert not any("tumo" in words.lower() for words in without_images)


def test_of_a_hundred_classes_the_most_probable_are_shown(tmp_path: Path) -> None:
    classifier = asked(tmp_path / "own", HUNDRED)
    prediction = classifier.predict(GOLDEN[0])
    lines = text_block(prediction).splitlines()
    shown = [line for line in lines if line.startswith("  kind ")]
    first = sorted(prediction.probabilities.values(), reverse=True)[:5]
    assert [f"{value:.1%}" in line for value, line in zip(first, shown, strict=True)] == [True] * 5
    assert "  and 95 more" in lines
    assert prediction_html(prediction).count('<th scope="row"') == 5
    ten = Classes(tuple("abcdefghij"))
    few = replace(prediction, probabilities=dict.fromkeys(ten.names, 0.1), label="a")
    assert text_block(few).count("%") == 11
    assert "more" not in text_block(few)


def test_a_set_of_many_labels_is_told_in_a_line(tmp_path: Path) -> None:
    found = asked(tmp_path / "own", HUNDRED).predict(GOLDEN[0])
    assert found.undecided_words == "no class is likely enough to be kept"
    prediction = replace(found, prediction_set=HUNDRED.names[:60])
    assert prediction.undecided_words.startswith("cannot be excluded: ")
    assert prediction.undecided_words.endswith(" and 55 more")


def test_a_table_has_a_column_for_each_label_and_sets_that_can_be_read_back(tmp_path: Path) -> None:
    named = Classes(("a dog", "=1+1", "Łódź; x"))
    classifier = asked(tmp_path / "own", named)
    prediction = replace(classifier.predict(GOLDEN[0]), prediction_set=("a dog", "Łódź; x"))
    outcome = Outcome(source="x", prediction=prediction)
    assert csv_header(named.names).count("probability_") == 3
    row = csv_row(outcome, named.names, context_of(classifier))
    assert '"[""a dog"", ""Łódź; x""]"' in row
    shipped = replace(prediction, probabilities={"a": 1.0, "b": 0.0}, prediction_set=("a", "b"))
    plain = csv_row(Outcome(source="x", prediction=shipped), ("a", "b"), context_of(classifier))
    assert ",a b," in plain


@pytest.mark.parametrize("classes", [PETS, HUNDRED, ORGAN], ids=["2", "100", "4"])
def test_a_heatmap_is_drawn_for_every_class(classes: Classes, tmp_path: Path) -> None:
    prediction = asked(tmp_path / "own", classes).predict(GOLDEN[3])
    for label in classes.names[:8]:
        drawn = draw_heatmap(scan(), replace(prediction, label=label))
        assert drawn.width == 512


def test_a_long_label_leaves_the_score_readable(tmp_path: Path) -> None:
    prediction = asked(tmp_path / "own", PETS).predict(GOLDEN[3])
    long = {"w" * 200: 0.9, "dog": 0.1}
    sure = replace(prediction, label="w" * 200, probabilities=long, score=0.9)
    short = replace(prediction, label="w", probabilities={"w": 0.9, "dog": 0.1}, score=0.9)
    corner = (420, 384, 512, 450)  # of the legend, where the score stands
    drawn = [draw_heatmap(scan(), one).crop(corner).tobytes() for one in (sure, short)]
    assert drawn[0] == drawn[1]


def test_only_the_negative_class_has_no_place() -> None:
    evidence = np.zeros((3, 2, 2), dtype=np.float32)
    evidence[1, 0, 0], evidence[2, 1, 1] = 4, 4
    with_one = Classes(("a", "b", "none"), "none")
    assert relative_strength(evidence, 2, (2, 2), classes=with_one).max() <= 0
    assert relative_strength(evidence, 2, (2, 2), classes=Classes(("a", "b", "c"))).max() == 1
    other = Classes(("none", "a", "b"), "none")
    assert relative_strength(evidence, 2, (2, 2), classes=other).max() == 1


def test_a_bundle_without_the_field_has_the_negative_class_it_always_had(tmp_path: Path) -> None:
    old = write_bundle(tmp_path / "old", bundle_files(), manifest_body())
    assert old.classes == BRAIN
    assert b"negative_label" not in (tmp_path / "old" / "config.json").read_bytes()
    prediction = Classifier.load(tmp_path / "old", num_threads=1).predict(GOLDEN[2])
    assert prediction.negative_label == "no_tumor"


def tampered(folder: Path, change: dict[str, Any], *, signed: bool) -> None:
    """Change config.json, and the manifest's digests with it if the tamperer can do that."""
    path = folder / "config.json"
    changed = json.dumps({**json.loads(path.read_bytes()), **change}).encode()
    path.write_bytes(changed)
    if signed:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        digest = hashlib.sha256(changed).hexdigest()
        manifest["files"]["config.json"] = {"sha256": digest, "size_bytes": len(changed)}
        bare = canonical_json({**manifest, "manifest_sha256": ""})
        manifest["manifest_sha256"] = hashlib.sha256(bare).hexdigest()
        (folder / "manifest.json").write_bytes(canonical_json(manifest))


@pytest.mark.parametrize("negative", ["mass", None, "no such class"])
def test_another_negative_class_is_found_by_the_digest(
    negative: str | None, tmp_path: Path
) -> None:
    write_own(tmp_path / "own", ORGAN)
    tampered(tmp_path / "own", {"negative_label": negative}, signed=False)
    with pytest.raises(BundleIntegrity, match=r"config\.json: is not the file"):
        load_bundle(tmp_path / "own")


@pytest.mark.parametrize("negative", ["mass", None])
def test_another_negative_class_is_found_by_the_graph(negative: str | None, tmp_path: Path) -> None:
    write_own(tmp_path / "own", ORGAN)
    tampered(tmp_path / "own", {"negative_label": negative}, signed=True)
    with pytest.raises(BundleIntegrity, match=r"negative_label is 'clear' in model\.onnx"):
        load_bundle(tmp_path / "own")


@pytest.mark.parametrize("negative", ["no such class", 3, ["clear"], "", {"clear": 1}])
def test_a_negative_class_that_is_no_class_is_refused(negative: object, tmp_path: Path) -> None:
    write_own(tmp_path / "own", ORGAN)
    tampered(tmp_path / "own", {"negative_label": negative}, signed=True)
    with pytest.raises(BundleIncompatible, match="are no classes"):
        load_bundle(tmp_path / "own")


def test_more_than_a_hundred_classes_are_refused(tmp_path: Path) -> None:
    class Many:  # Classes refuses them too
        names, negative = tuple(f"{number}" for number in range(101)), None

        def __len__(self) -> int:
            return len(self.names)

    files, body = own_files(Many()), own_body(Many())  # type: ignore[arg-type]
    with pytest.raises(BundleIncompatible, match="at most 100"):
        write_bundle(tmp_path / "own", files, body)
    assert not (tmp_path / "own").exists()


def test_a_rule_for_series_needs_a_negative_class(tmp_path: Path) -> None:
    with pytest.raises(BundleIncompatible, match="series is a rule"):
        write_bundle(tmp_path / "own", own_files(PETS), own_body(PETS, series=tiny_series()))
