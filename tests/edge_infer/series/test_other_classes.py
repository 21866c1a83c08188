"""A series of a bundle with classes of one's own: its finding, its words, its sheet and its DICOM objects."""

import json
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from own_bundle import ORGAN, write_own
from scan_slices import GLIOMA, HEALTHY, SPECK, series_of, slice_at

from edge_infer.classes import Classes
from edge_infer.classifier import Classifier
from edge_infer.report import context_of
from edge_infer.series.classify import classify_series
from edge_infer.series.contact_sheet import ContactSheet, _legend
from edge_infer.series.lines import series_line
from edge_infer.series.result import SeriesReason, SeriesResult
from edge_infer.series.text import finding_words, series_block
from edge_infer.structured.selection import select_slices

#: The same names, and none of them says that nothing is there.
NONE_NEGATIVE = Classes(ORGAN.names)
SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "series.schema.json").read_text("utf-8"))
SLICES = (SPECK, HEALTHY, GLIOMA, GLIOMA, GLIOMA, HEALTHY)
#: Too far apart to see what lies between, and of no sequence that the header names.
WIDE_MM = 12.0


def answered(folder: Path, classes: Classes, *, with_rule: bool) -> tuple[Classifier, SeriesResult]:
    write_own(folder, classes, with_rule=with_rule)
    classifier = Classifier.load(folder, num_threads=1)
    slices = [slice_at(WIDE_MM * step, one) for step, one in enumerate(SLICES)]
    return classifier, classify_series(classifier, series_of(slices))


def test_a_rule_finds_evidence_of_any_class_but_the_negative_one(tmp_path: Path) -> None:
    _, result = answered(tmp_path / "own", ORGAN, with_rule=True)
    assert (result.finding, result.label) == ("tumour_evidence", "mass")
    assert finding_words(result).startswith("evidence: mass; score ")
    assert "any class but clear" in result.rule
    assert [run.label for run in result.runs] == ["mass"]
    block = series_block(result)
    assert "head  not clear" in block
    assert "tumour" not in block
    assert "what lies between two is not seen" in block


def test_without_a_negative_class_slices_have_answers_and_the_series_none(tmp_path: Path) -> None:
    classifier, result = answered(tmp_path / "own", NONE_NEGATIVE, with_rule=False)
    assert (result.finding, result.score, result.label) == ("abstain", None, "")
    assert result.reasons == (SeriesReason.NO_RULE,)
    assert any("none of the classes says that nothing is there" in one for one in result.warnings)
    assert {run.label for run in result.runs} == {"mass", "clear"}
    assert len(result.classified) == 5
    assert "head  score" in series_block(result)
    assert "tumour" not in series_block(result)
    line = json.loads(series_line(result, context_of(classifier)))
    Draft202012Validator(SCHEMA).validate(line)
    assert line["labels"] == {"clear": 2, "mass": 3}


@pytest.mark.parametrize("classes", [ORGAN, NONE_NEGATIVE], ids=["negative", "none"])
def test_a_sheet_speaks_of_the_classes_there_are(classes: Classes, tmp_path: Path) -> None:
    _, result = answered(tmp_path / "own", classes, with_rule=False)
    sheet = ContactSheet(len(SLICES))
    for index, answer in enumerate(result.slices):
        sheet.add(index, answer.slice.read().source.image)
    drawn = np.asarray(sheet.draw(result))
    assert drawn.std() > 0
    legend = _legend(classes, has_red=True)
    assert "tumour" not in legend
    assert ("under clear what looks like another class" in legend) is (classes is ORGAN)


def test_the_slices_of_a_report_are_those_that_are_called_something(tmp_path: Path) -> None:
    _, found = answered(tmp_path / "own", ORGAN, with_rule=True)
    chosen = select_slices(found)
    assert [one.number for one in chosen.slices] == [3, 4, 5]
    assert "called another class and accepted" in chosen.words
    _, none = answered(tmp_path / "none", NONE_NEGATIVE, with_rule=False)
    assert "5 of 5 slices accepted" in select_slices(none).words
