"""What a host records in Python: every kind of answer, by the schema, and nothing of a patient."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from audit_logs import lines_of

from edge_infer import AuditLog, Classifier
from edge_infer.audit.log import failures_recorded
from edge_infer.errors import BundleIncomplete, CannotWrite, CorruptImage, ScanRefused
from edge_infer.refusals import Refusal
from edge_infer.series.classify import classify_series
from edge_infer.series.study import open_study

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs/audit.schema.json").read_text())


@pytest.fixture(scope="module")
def classifier(bundle: Path) -> Classifier:
    return Classifier.load(bundle, num_threads=1)


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records, each by the schema, and without a planted word."""
    check = jsonschema.Draft202012Validator(SCHEMA)
    records = []
    for line in (line for file in lines_of(path) for line in file):
        assert b"CANARY" not in line
        assert b"190102" not in line  # planted dates
        records.append(json.loads(line))
        check.validate(records[-1])
    return records


def test_the_schema_refuses_what_does_not_belong_there() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    check = jsonschema.Draft202012Validator(SCHEMA)
    header = {
        "format": "brain-edge-audit",
        "version": 1,
        "seq": 0,
        "prev": None,
        "time": "2026-11-29T00:00:00.000Z",
        "kind": "header",
        "file": 1,
        "program": "x",
    }
    assert check.is_valid(header)
    assert not check.is_valid({**header, "source": "scan.png"})
    assert not check.is_valid({**header, "kind": "image"})


def test_answers_of_images_and_series_are_recorded(
    classifier: Classifier, planted: Path, image: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, program="viewer-2").of(classifier, despite=["scout"])
    prediction = classifier.predict(image)
    log.add(prediction)
    damaged = planted / "CANARY2.png"
    log.add(
        *classifier.predict_each([planted / "CANARY1.png", damaged, planted / "CANARY none.png"])
    )
    (series,) = open_study(sorted(planted.glob("*.dcm"))).series
    result = classify_series(classifier, series)
    log.add(result)
    log.add(ScanRefused("CANARY", refusal=Refusal.MOSAIC, hint="CANARY"))
    with pytest.raises(BundleIncomplete), failures_recorded(log):
        raise BundleIncomplete("CANARY: a message")
    header, first, second, corrupt, missing, *rest = records_of(path)
    assert header["kind"] == "header"
    assert first["input_sha256"] == hashlib.sha256(image).hexdigest() == prediction.source_sha256
    assert first["label"] == prediction.label
    assert first["probabilities"] == dict(prediction.probabilities)
    assert first["decision"] == prediction.decision
    assert first["bundle_sha256"] == classifier.model.manifest_sha256
    assert (first["program"], first["scope"], first["device"]) == ("viewer-2", "enforce", "cpu")
    assert (first["provider"], first["despite"]) == ("CPUExecutionProvider", ["scout"])
    assert {"brain-edge", "python", "onnxruntime"} <= set(first["versions"])
    assert second["input_sha256"] == first["input_sha256"]
    assert (corrupt["error"], missing["error"]) == ("corrupt", "unreadable")
    assert corrupt["input_sha256"] == hashlib.sha256(damaged.read_bytes()).hexdigest()
    assert missing["input_sha256"] is None
    *slices, whole, refused, failed = rest
    assert [one["kind"] for one in slices] == ["slice"] * len(result.classified)
    assert (whole["kind"], whole["finding"], whole["score"]) == (
        "series",
        result.finding,
        result.score,
    )
    digests = sorted(hashlib.sha256(one.read_bytes()).hexdigest() for one in planted.glob("*.dcm"))
    listed = "".join(f"{one}\n" for one in digests)
    assert whole["input_sha256"] == hashlib.sha256(listed.encode()).hexdigest()
    assert whole["slices"]["total"] == 5
    assert (refused["error"], refused["refusal"]) == ("scan_refused", "mosaic")
    assert (failed["kind"], failed["error"]) == ("run", "bundle_incomplete")
    assert (
        log.head
        == f"{len(rest) + 5}:{hashlib.sha256(path.read_bytes().splitlines(keepends=True)[-1]).hexdigest()}"
    )


def test_a_name_of_the_host_and_a_limit_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="program is"):
        AuditLog(tmp_path / "audit.jsonl", program="Jane Doe's viewer")
    with pytest.raises(ValueError, match="max_bytes"):
        AuditLog(tmp_path / "audit.jsonl", max_bytes=10)
    with pytest.raises(CannotWrite):
        AuditLog(tmp_path / "none" / "audit.jsonl")
    with pytest.raises(TypeError, match="answer is str"):
        AuditLog(tmp_path / "audit.jsonl").add("scan.png")  # type: ignore[arg-type]


def test_a_refused_file_is_recorded_by_its_code_alone(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.add_error(CorruptImage("CANARY"), kind="file", input_sha256="a" * 64)
    record = records_of(tmp_path / "audit.jsonl")[-1]
    assert (record["kind"], record["error"], record["input_sha256"]) == (
        "file",
        "corrupt",
        "a" * 64,
    )
    assert record["bundle_sha256"] is None
