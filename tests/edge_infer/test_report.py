import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_schema import faults
from tiny_bundle import scan

from edge_infer.classifier import Classifier, Outcome
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.decision import ABSTAINING
from edge_infer.errors import CorruptImage
from edge_infer.reasons import Reason
from edge_infer.report import Context, context_of, csv_header, csv_row, json_line, text_block

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "result.schema.json").read_text())
FAILED = Outcome(source="bad\n\udcff.png", error=CorruptImage('bad, "file"', hint="again"))


@pytest.fixture(scope="module")
def classifier(bundle_path: Path) -> Classifier:
    return Classifier.load(bundle_path)


@pytest.fixture(scope="module")
def context(classifier: Classifier) -> Context:
    return context_of(classifier)


@pytest.fixture
def good(classifier: Classifier, scan_path: Path) -> Outcome:
    return Outcome(source=scan_path, prediction=classifier.predict(scan_path))


@pytest.fixture
def abstained(trusting_path: Path) -> Outcome:
    prediction = Classifier.load(trusting_path).predict(scan())
    return Outcome(source="noise.png", prediction=replace(prediction, source="noise.png"))


def test_json_lines_follow_the_published_schema(
    good: Outcome, abstained: Outcome, context: Context
) -> None:
    for outcome in (good, abstained, FAILED):
        line = json_line(outcome, context)
        assert "\n" not in line
        assert faults(json.loads(line), SCHEMA, SCHEMA) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.pop("research_use_only"),
        lambda line: line.pop("label"),
        lambda line: line.update(score=1.5),
        lambda line: line.update(status="error"),
        lambda line: line.update(extra=1),
        lambda line: line["model"].update(manifest_sha256="ABC"),
        lambda line: line["runtime"].pop("provider"),
        lambda line: line.update(schema_version=1),
        lambda line: line.pop("decision"),
        lambda line: line.pop("scope"),
        lambda line: line.update(decision="maybe"),
        lambda line: line.update(reasons=["bad_mood"]),
        lambda line: line.update(reasons="ambiguous"),
        lambda line: line.update(prediction_set=[1]),
        lambda line: line.update(scope={"score": 1.0}),
        lambda line: line.update(scope=0.5),
        lambda line: line.update(error={}),
    ],
)
def test_the_schema_refuses_spoiled_lines(good: Outcome, context: Context, spoil: Any) -> None:
    line = json.loads(json_line(good, context))
    spoil(line)
    assert faults(line, SCHEMA, SCHEMA)


def test_json_carries_the_answer_the_model_and_the_exact_name(
    good: Outcome, context: Context, classifier: Classifier
) -> None:
    line = json.loads(json_line(good, context))
    assert good.prediction is not None
    assert line["probabilities"] == dict(good.prediction.probabilities)
    assert line["model"]["manifest_sha256"] == classifier.bundle.manifest["manifest_sha256"]
    assert set(line["runtime"]["versions"]) >= {"brain-edge", "python", "onnxruntime", "numpy"}
    failed = json.loads(json_line(FAILED, context))
    assert failed["source"] == "bad\n\udcff.png"
    assert failed["error"]["code"] == "corrupt"


def test_the_schema_knows_every_reason_that_can_occur_and_no_note() -> None:
    known = SCHEMA["properties"]["reasons"]["items"]["enum"]
    can_occur = {Reason.OUT_OF_SCOPE, Reason.AMBIGUOUS, *ABSTAINING}
    assert known == [reason.value for reason in Reason if reason in can_occur]


def test_json_and_csv_carry_the_decision(
    abstained: Outcome, good: Outcome, context: Context
) -> None:
    line = json.loads(json_line(abstained, context))
    assert (line["decision"], line["reasons"]) == ("abstain", ["out_of_scope"])
    assert line["prediction_set"] == [line["label"]]
    assert line["scope"]["score"] > line["scope"]["threshold"] == 1.0
    accepted = json.loads(json_line(good, context))
    assert (accepted["decision"], accepted["reasons"]) == ("accept", [])
    assert (accepted["prediction_set"], accepted["scope"]) == (
        [],
        None,
    )  # of a bundle without trust
    assert abstained.prediction is not None
    torn = replace(
        abstained.prediction,
        reasons=(Reason.OUT_OF_SCOPE, Reason.AMBIGUOUS),
        prediction_set=LABELS[:2],
    )
    text = csv_header(LABELS) + csv_row(replace(abstained, prediction=torn), LABELS, context)
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert list(row)[:5] == ["source", "status", "decision", "reasons", "prediction_set"]
    assert (row["decision"], row["reasons"]) == ("abstain", "out_of_scope ambiguous")
    assert row["prediction_set"] == "glioma meningioma"


def test_text_says_the_decision_before_the_class(abstained: Outcome) -> None:
    prediction = abstained.prediction
    assert prediction is not None
    answer = f"{prediction.label} ({prediction.score:.1%})"
    first, mark, *bars = text_block(prediction, bar="#").splitlines()
    assert first == f"noise.png: abstains (out_of_scope); nearest answer {answer}"
    assert mark == "  not accepted:"
    assert len(bars) == len(LABELS)
    accepted = replace(prediction, decision="accept", reasons=())
    assert text_block(accepted).splitlines()[0] == f"noise.png: {answer}"
    assert len(text_block(accepted).splitlines()) == 1 + len(LABELS)
    reported = text_block(replace(prediction, decision="accept")).splitlines()
    assert reported[0] == f"noise.png: accepted although out_of_scope: {answer}"
    assert len(reported) == 1 + len(LABELS)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (LABELS[:2], "  cannot be excluded: glioma, meningioma"),
        ((), "  no class is likely enough to be kept"),
        (("ANSWER",), None),
    ],
)
def test_text_names_the_classes_that_cannot_be_excluded(
    abstained: Outcome, labels: tuple[str, ...], said: str | None
) -> None:
    assert abstained.prediction is not None
    kept = tuple(abstained.prediction.label if label == "ANSWER" else label for label in labels)
    torn = replace(abstained.prediction, reasons=(Reason.AMBIGUOUS,), prediction_set=kept)
    expected = [said] if said else []
    for decision in ("abstain", "accept"):  # accepted with --scope report
        lines = text_block(replace(torn, decision=decision)).splitlines()
        assert [line for line in lines if "exclude" in line or "class" in line] == expected


@pytest.mark.parametrize("reasons", [(Reason.OUT_OF_SCOPE, Reason.AMBIGUOUS), (Reason.INVERTED,)])
def test_text_says_nothing_of_a_set_that_means_nothing(
    abstained: Outcome, context: Context, reasons: tuple[Reason, ...]
) -> None:
    assert abstained.prediction is not None
    for labels in (LABELS[:2], ()):
        far = replace(abstained.prediction, reasons=reasons, prediction_set=labels)
        assert text_block(far).splitlines()[1] == "  not accepted:"
        line = json_line(replace(abstained, prediction=far), context)
        assert json.loads(line)["prediction_set"] == list(labels)


def test_csv_rows_fit_their_header(good: Outcome, abstained: Outcome, context: Context) -> None:
    outcomes = (good, FAILED, abstained)
    text = csv_header(LABELS) + "".join(csv_row(each, LABELS, context) for each in outcomes)
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert all(len(row) == len(header) for row in rows)
    ok, failed, _ = (dict(zip(header, row, strict=True)) for row in rows)
    assert good.prediction is not None
    assert ok["label"] == good.prediction.label
    assert abs(sum(float(ok[f"probability_{label}"]) for label in LABELS) - 1) < 4e-6  # 6 digits
    assert (failed["source"], failed["error_code"]) == (r"bad\n\udcff.png", "corrupt")
    assert failed["label"] == failed["score"] == failed["decision"] == ""
    assert ok["research_use_only"] == failed["research_use_only"] == RESEARCH_USE_ONLY


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("=cmd|' /C calc'!A0.png", "'=cmd|' /C calc'!A0.png"),
        ("+1.png", "'+1.png"),
        ("-1.png", "'-1.png"),
        ("@SUM(A1).png", "'@SUM(A1).png"),
        ("  =1.png", "  '=1.png"),
        ("\N{FULLWIDTH EQUALS SIGN}1.png", "'\N{FULLWIDTH EQUALS SIGN}1.png"),
        ("\N{FULLWIDTH PLUS SIGN}1.png", "'\N{FULLWIDTH PLUS SIGN}1.png"),
        ("\N{FULLWIDTH HYPHEN-MINUS}1.png", "'\N{FULLWIDTH HYPHEN-MINUS}1.png"),
        ("\N{FULLWIDTH COMMERCIAL AT}1.png", "'\N{FULLWIDTH COMMERCIAL AT}1.png"),
        ("\t=1.png", r"\t=1.png"),
        ("\r=1.png", r"\r=1.png"),
        ("\n=1.png", r"\n=1.png"),
        ("\N{NO-BREAK SPACE}=1.png", r"\xa0=1.png"),
        ("a;=1;b; -1.png", "a;'=1;b; '-1.png"),
        ("a,=1.png", "a,=1.png"),
        ('"=1.png', '"=1.png'),
        ("\x1b[31ma.png", r"\x1b[31ma.png"),
        ("scan-1_a+b@c=d.png", "scan-1_a+b@c=d.png"),
        (
            "\N{LATIN SMALL LETTER U WITH DIAERESIS}.png",
            "\N{LATIN SMALL LETTER U WITH DIAERESIS}.png",
        ),
    ],
)
def test_no_cell_of_a_csv_runs_as_a_formula_or_breaks_its_line(
    good: Outcome, context: Context, name: str, shown: str
) -> None:
    assert good.prediction is not None
    failed = Outcome(source=name, error=CorruptImage(f"{name}: damaged"))
    named = Outcome(source=name, prediction=replace(good.prediction, source=name))
    for outcome in (failed, named):
        line = csv_row(outcome, LABELS, context)
        assert line.count("\n") == 1
        line.encode("utf-8")
        (row,) = csv.reader(io.StringIO(line, newline=""))
        assert row[0] == shown
        assert not any(cell.lstrip().startswith(tuple("=+-@\t\r")) for cell in row)
    assert f"{shown}: damaged" in csv_row(failed, LABELS, context).replace('""', '"')


def test_an_outcome_of_something_in_memory_never_prints_its_content(context: Context) -> None:
    kinds = {"<bytes>": b"SECRET", "<file>": io.BytesIO(b"SECRET"), "<array>": np.zeros((3, 3))}
    for name, source in kinds.items():
        failed = Outcome(source=source, error=CorruptImage("damaged"))
        assert json.loads(json_line(failed, context))["source"] == name
        assert csv_row(failed, LABELS, context).startswith(f"{name},error,")


def test_text_names_every_class_and_escapes_the_name(
    classifier: Classifier, tmp_path: Path
) -> None:
    path = tmp_path / "a\x1b[2J\n.png"
    scan().save(path)
    text = text_block(classifier.predict(os.fspath(path)), bar="#")
    assert text.isascii()
    assert "\x1b" not in text
    assert all(label in text for label in LABELS)
    assert len(text.splitlines()) == 1 + len(LABELS)


def test_a_value_that_is_no_json_is_a_bug_and_not_printed(good: Outcome, context: Context) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        json_line(good, {**context, "model": np.nan})
