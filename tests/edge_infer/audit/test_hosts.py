"""Each way to ask records an answer before it gives it, and gives no answer that it could not record."""

import json
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from audit_logs import lines_of
from click.testing import CliRunner, Result
from dicom_files import mosaic, write_files
from node_runs import Node, study, wait_for
from service_runs import Service
from stdio_worker import HostedWorker

from edge_infer.audit.log import AuditLog
from edge_infer.audit.rotated import files_of
from edge_infer.audit.verifying import examine
from edge_infer.cli import main
from edge_infer.node.checking import checks
from edge_infer.node.config import read_config
from edge_infer.node.task import run_task

ROOT = Path(__file__).parents[3]
SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/audit.schema.json").read_text()))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def records_of(log: Path) -> list[dict[str, Any]]:
    """The records of a whole log but its header: by the schema, without a planted word."""
    assert examine(files_of(log)).broken is None
    lines = [line for file in lines_of(log) for line in file]
    assert not [line for line in lines if b"CANARY" in line]
    records = [json.loads(line) for line in lines]
    for record in records:
        SCHEMA.validate(record)
    return records[1:]


def told(records: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """How many records, or lines of answers, say what."""
    return Counter(_told(record) for record in records)


def _told(record: dict[str, Any]) -> tuple[str, str]:
    error = record.get("error")
    code = error["code"] if isinstance(error, dict) else error
    digest = record.get("source_sha256", record.get("input_sha256")) or ""
    if code or record.get("kind") == "series":
        digest = ""
    return code or record.get("decision") or record.get("finding") or "", digest


def answered(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines that answer, without those of slices that were not asked."""
    return [line for line in lines if line.get("status") != "skipped"]


def run(bundle: Path, *arguments: object) -> Result:
    words = ["--bundle", bundle, "--threads", 1, *arguments]
    return CliRunner().invoke(main, [str(word) for word in words])


def spoil(log: Path) -> None:
    """Make it impossible to write, even for root."""
    log.unlink()
    log.mkdir()


@pytest.mark.parametrize("form", ["--json", "--csv", "--fail-on-abstain"])
def test_brain_infer_records_every_line_in_every_form(
    bundle: Path, planted: Path, log: Path, form: str
) -> None:
    plain = run(bundle, "--json", planted)
    lines = answered([json.loads(line) for line in plain.stdout.splitlines()])
    assert len(lines) > 7
    result = run(bundle, form, "--audit", log, planted)
    assert result.exit_code == plain.exit_code == 100
    assert told(records_of(log)) == told(lines)
    assert {record["program"] for record in records_of(log)} == {"brain-infer"}


def test_failures_of_the_run_are_recorded(bundle: Path, tmp_path: Path, log: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(bundle, "--audit", log, tmp_path / "empty").exit_code == 21
    assert run(tmp_path / "none", "--audit", log, log).exit_code == 30
    assert run(bundle, "--audit", log, tmp_path / "none.png").exit_code == 20
    first, second, third = records_of(log)
    assert (first["kind"], first["error"]) == ("run", "no_inputs")
    assert (second["kind"], second["error"]) == ("run", "bundle_incomplete")
    assert (third["kind"], third["error"]) == ("image", "unreadable")


def test_brain_infer_gives_no_answer_that_it_cannot_record(
    bundle: Path, planted: Path, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(bundle, "--audit", tmp_path, planted)
    assert (result.exit_code, result.stdout) == (40, "")
    real = AuditLog.write

    def fails_at_the_second(self: AuditLog, entries: Iterator[dict[str, Any]]) -> None:
        if log.read_bytes().count(b"\n") > 1:
            spoil(log)
        real(self, entries)

    monkeypatch.setattr(AuditLog, "write", fails_at_the_second)
    result = run(bundle, "--json", "--audit", log, planted)
    assert result.exit_code == 40
    assert len(result.stdout.splitlines()) == 1
    assert "without a record no answer is given" in result.stderr


def archive_of(folder: Path) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, f"CANARY/{path.relative_to(folder)}")
    return packed.getvalue()


def test_the_service_records_before_it_answers_and_else_says_503(
    bundle: Path, planted: Path, image: bytes, log: Path, tmp_path: Path
) -> None:
    service = Service(
        *("--bundle", bundle, "--workers", 2, "--threads", 1, "--audit", log),
        log=tmp_path / "service.jsonl",
    )
    try:
        sent = [image, image[:200], b"CANARY", archive_of(planted)]
        lines = [line for content in sent for line in service.classify(content).lines]
        assert told(records_of(log)) == told(answered(lines))
        assert len(lines) > 8
        damaged = records_of(log)[1]
        assert (damaged["kind"], damaged["error"]) == ("image", "corrupt")
        assert damaged["input_sha256"]
        spoil(log)
        refused = service.classify(image)
        assert refused.status == 503
        assert refused.json["error"]["code"] == "cannot_write"
        assert "label" not in refused.json
        log.rmdir()
        assert service.classify(image).status == 200
        assert "unrecorded" in {line["event"] for line in service.log_lines}
    finally:
        service.end()


def test_the_worker_on_pipes_records_before_it_answers(
    bundle: Path, planted: Path, image: bytes, log: Path
) -> None:
    with HostedWorker("--bundle", bundle, "--audit", log) as worker:
        assert worker.event()["event"] == "ready"
        worker.send({"id": 1, "method": "classify", "name": "CANARY"}, image)
        lines = worker.answers(1)
        worker.send({"id": 2, "method": "classify", "path": str(planted)})
        *events, _done = worker.until(2)
        lines += [event["line"] for event in events if event["event"] == "result"]
        worker.send(
            {"id": 3, "method": "classify", "despite": ["multi_echo"]}, image
        ) if 0 else None
        assert told(records_of(log)) == told(answered(lines))
        (ct,) = (planted / "other").iterdir()
        asked = {"id": 3, "method": "classify", "path": str(ct), "despite": ["other_modality"]}
        worker.send(asked)
        worker.until(3)
        records = records_of(log)
        assert [record["despite"] for record in records[-2:]] == [["other_modality"]] * 2
        assert records[0]["despite"] == []
        spoil(log)
        worker.send({"id": 4, "method": "classify"}, image)
        (failed,) = worker.until(4)
        assert failed["error"]["code"] == "cannot_write"
        worker.close()


def test_a_worker_whose_log_cannot_be_used_tells_its_host(bundle: Path, tmp_path: Path) -> None:
    with HostedWorker("--bundle", bundle, "--audit", tmp_path) as worker:
        assert worker.event()["error"]["code"] == "cannot_write"
        assert worker.ended()[0] == 40


def test_the_node_records_what_a_study_got(tmp_path: Path, log: Path) -> None:
    folder = tmp_path / "results"
    node = Node(
        tmp_path,
        destination={"folder": str(folder)},
        audit={"file": str(log), "max_mb": 0.01},
    )
    try:
        found = dict(islice(checks(read_config(node.config)), 3))  # before the model is loaded
        assert found["audit"].endswith("audit.jsonl, 1 record")
        node.start()
        node.send(study("no", ProtocolName="refuse"))
        node.wait_for_round("failed")
        series, whole = records_of(log)
        assert (series["kind"], series["bundle_sha256"]) == ("series", "0" * 64)  # by the worker
        assert (whole["kind"], whole["error"]) == ("study", "no_readable_series")
        spoil(log)
        node.send(study("later", ProtocolName="refuse"))
        wait_for(lambda: "waits: cannot_write" in node.log_text)
        assert len(node.rounds("failed")) == 1
    finally:
        node.end()


def test_a_task_records_its_series_and_what_was_refused(
    bundle: Path, planted: Path, tmp_path: Path, log: Path
) -> None:
    source = tmp_path / "in"
    write_files(source, [mosaic()], stem="CANARY")
    for path in planted.glob("*.dcm"):
        (source / path.name).write_bytes(path.read_bytes())
    task = {"process": {"settings": {"threads": 1, "bundle": str(bundle)}}}
    (source / "task.json").write_text(json.dumps(task))
    answer = run_task(source, tmp_path / "out", log=AuditLog(log, program="brain-node"))
    refused, *slices, series = records_of(log)
    assert (refused["kind"], refused["refusal"]) == ("file", "mosaic")
    assert refused["input_sha256"]
    assert {record["kind"] for record in slices} == {"slice"}
    assert series["finding"] == answer.series[0]["finding"]
