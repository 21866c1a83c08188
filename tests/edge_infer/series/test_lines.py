"""JSON lines of series and their slices follow the published schemas; text says the same in words."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scan_slices import GLIOMA, HEALTHY, SPECK, series_of, slice_at, unreadable_at
from small_schema import faults

from edge_infer.classifier import Classifier
from edge_infer.refusals import Refusal
from edge_infer.report import csv_header, csv_row, json_line
from edge_infer.series.classify import classify_series
from edge_infer.series.lines import outcome_of, scan_fields, series_line, source_of
from edge_infer.series.result import SeriesReason, SeriesResult, SliceState
from edge_infer.series.text import finding_words, series_block

DOCS = Path(__file__).parents[3] / "docs"
RESULT = json.loads((DOCS / "result.schema.json").read_text())
SERIES = json.loads((DOCS / "series.schema.json").read_text())
T1 = {"scanning_sequence": ("GR",), "sequence_variant": ("MP",), "echo_time_ms": 3.0}
CONTEXT: dict[str, Any] = {
    "model": {"name": "tiny", "precision": "fp32", "manifest_sha256": "0" * 64},
    "runtime": {"provider": "CPUExecutionProvider", "num_threads": 1, "versions": {}},
    "research_use_only": "Research use only. Not a medical device. Not for diagnosis.",
}


@pytest.fixture(scope="module")
def result(classifier: Classifier) -> SeriesResult:
    greys = [SPECK, SPECK, HEALTHY, HEALTHY, GLIOMA, GLIOMA, GLIOMA]
    slices = [slice_at(4.0 * step - 10, grey, **T1) for step, grey in enumerate(greys)]
    return classify_series(classifier, series_of([*slices, unreadable_at(18.0, **T1)]))


@pytest.fixture(scope="module")
def unplaced(classifier: Classifier) -> SeriesResult:
    slices = [slice_at(None, GLIOMA, name=f"v.nii#{step}", series="") for step in range(3)]
    return classify_series(classifier, series_of(slices))


def test_lines_follow_the_published_schemas(result: SeriesResult, unplaced: SeriesResult) -> None:
    for one in (result, unplaced):
        line = series_line(one, CONTEXT)
        assert "\n" not in line
        assert faults(json.loads(line), SERIES, SERIES) == []
        for answer in one.slices:
            text = json_line(outcome_of(answer), CONTEXT, scan_fields(answer, one))
            assert faults(json.loads(text), RESULT, RESULT) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.update(kind="image"),
        lambda line: line.update(finding="maybe"),
        lambda line: line.update(label=""),
        lambda line: line.update(finding="abstain"),
        lambda line: line.update(reasons=["bad_mood"]),
        lambda line: line.update(score=None),
        lambda line: line.update(patient="x"),
        lambda line: line.update(study_instance_uid="A Name"),
        lambda line: line["slices"].pop("end_slices"),
        lambda line: line["runs"][0].pop("first_mm"),
        lambda line: line["sequence"].update(name="t3"),
        lambda line: line.pop("rule"),
    ],
)
def test_the_schema_refuses_spoiled_lines(result: SeriesResult, spoil: Any) -> None:
    line = json.loads(series_line(result, CONTEXT))
    spoil(line)
    assert faults(line, SERIES, SERIES)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.pop("scan"),
        lambda line: line.update(error={}),
        lambda line: line.update(label="glioma"),
        lambda line: line["scan"].update(state="lost"),
        lambda line: line["scan"].pop("position_mm"),
        lambda line: line["scan"].update(head_share=1.5),
        lambda line: line["scan"].update(patient_name="x"),
    ],
)
def test_the_schema_refuses_spoiled_lines_of_end_slices(result: SeriesResult, spoil: Any) -> None:
    answer = result.slices[0]
    line = json.loads(json_line(outcome_of(answer), CONTEXT, scan_fields(answer, result)))
    assert line["status"] == "skipped"
    spoil(line)
    assert faults(line, RESULT, RESULT)


def test_the_schemas_know_every_reason_and_state() -> None:
    reasons = SERIES["properties"]["reasons"]["items"]["enum"]
    assert reasons == [reason.value for reason in SeriesReason]
    states = RESULT["properties"]["scan"]["properties"]["state"]["enum"]
    assert states == [state.value for state in SliceState]
    assert all(refusal.value for refusal in Refusal)


def test_a_line_says_what_the_result_says(result: SeriesResult) -> None:
    line = json.loads(series_line(result, CONTEXT))
    assert (line["finding"], line["label"]) == ("tumour_evidence", "glioma")
    assert line["slices"] == {
        "total": 8,
        "classified": 5,
        "accepted": 5,
        "abstained": 0,
        "end_slices": 2,
        "failed": 1,
    }
    assert line["labels"] == {"glioma": 3, "no_tumor": 2}
    (run,) = line["runs"]
    assert (run["first"], run["last"], run["first_mm"], run["last_mm"]) == (5, 7, 6.0, 14.0)
    assert line["scored"]["first_mm"] < line["scored"]["last_mm"]
    assert line["study_instance_uid"] == "1.2"


def test_a_table_has_the_identifiers_at_its_end(
    result: SeriesResult, classifier: Classifier
) -> None:
    labels = classifier.bundle.labels
    header = csv_header(labels).strip().split(",")
    assert header[-9:] == [
        *("study_instance_uid", "series_instance_uid", "sop_instance_uid"),
        *("frame_number", "position_mm", "plane"),
        *("series", "series_finding", "series_reasons"),
    ]
    rows = []
    for answer in result.slices:
        row = csv_row(outcome_of(answer), labels, CONTEXT, scan_fields(answer, result))
        rows.append(dict(zip(header, row.strip().split(","), strict=False)))
    assert [row["status"] for row in rows] == ["skipped"] * 2 + ["ok"] * 5 + ["error"]
    assert rows[0]["position_mm"] == "-10.000"  # a number, and no formula to be defused
    assert rows[0]["label"] == ""
    assert rows[2]["plane"] == "axial"
    alone = csv_row(outcome_of(result.slices[0]), labels, CONTEXT)
    assert alone.endswith(",,,,,,,,,\n")


def test_text_says_what_there_is(result: SeriesResult) -> None:
    text = series_block(result, bar="#", width=200)
    assert text.startswith(
        "series 1: axial, taken for t1 (scanning sequence GR with MP, TE 3 ms), "
    )
    assert "contrast agent unknown, 8 slices, 4 mm apart" in text
    assert "tumour evidence: glioma; score 1.000, slices 5 to 7" in text
    assert (
        "5 classified: 5 accepted (glioma 3, no_tumor 2); 0 abstained; 2 end slices not asked; 1 failed"
        in (text)
    )
    assert "called glioma: slices 5 to 7, at 6.0 to 14.0 mm" in text
    assert "1-2" in text
    assert "end slices, too little head to be asked" in text
    assert "failed: corrupt" in text
    assert text.count("####################") == 3


def test_text_of_a_slice_alone_shows_its_classes(classifier: Classifier) -> None:
    result = classify_series(classifier, series_of([slice_at(0.0, GLIOMA, **T1)]))
    text = series_block(result, bar="#")
    assert "abstains (too_few_slices)" in text
    assert "  pituitary " in text


def test_words_in_names_cannot_steer_a_terminal(classifier: Classifier) -> None:
    slices = [slice_at(4.0 * step, name=f"a\x1b[2J/{step}") for step in range(3)]
    text = series_block(classify_series(classifier, series_of(slices)))
    assert "\x1b" not in text
    assert r"a\x1b[2J" in text


@pytest.mark.parametrize(
    ("names", "source"),
    [
        (["s/1", "s/2"], "s"),
        (["s/a/1", "s/b/1"], "s"),
        (["/1", "/2"], "/"),
        (["x.zip!a/1", "x.zip!a/2"], "x.zip!a"),
        (["x.zip!1", "x.zip!2"], "x.zip"),
        (["v.nii#1"], "v.nii#1"),
        (["1", "2"], "."),
    ],
)
def test_a_series_lies_where_its_files_lie(
    classifier: Classifier, names: list[str], source: str
) -> None:
    slices = [slice_at(4.0 * step, name=name) for step, name in enumerate(names)]
    assert source_of(classify_series(classifier, series_of(slices))) == source


def test_a_finding_in_words(result: SeriesResult) -> None:
    torn = replace(
        result,
        finding="abstain",
        label="",
        score=0.7,
        reasons=(SeriesReason.AMBIGUOUS,),
        scored=(3, 4),
    )
    assert finding_words(torn) == "abstains (ambiguous); score 0.700, slices 3 to 4"
    assert finding_words(replace(torn, score=None, scored=None)) == "abstains (ambiguous)"
