"""R22: audit logs that somebody tampers with, and writers that are killed."""

import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

from audit_logs import ATTACKS, Lines, answers_and_records, drawn_log, lines_of, written
from reliability.campaign import Broken, Campaign, Seen, Subject

from edge_infer.audit.file import AuditFile
from edge_infer.audit.rotated import files_of
from edge_infer.audit.verifying import KeptHead, examine
from edge_infer.errors import BundleIncompatible

__all__ = ["CAMPAIGN"]

#: Of so many trials, one is of writers that are killed, one cuts the last line, and two leave the log alone.
_ROUND = 40


@dataclass(frozen=True, kw_only=True)
class _Logs:
    """What is attacked, what parts are taken from, and the head that was kept elsewhere."""

    log: Lines
    other: Lines
    head: str
    records: int


def _prepared(folder: Path) -> _Logs:
    log = lines_of(drawn_log(folder / "audit.jsonl", 1))
    other = lines_of(drawn_log(folder / "other.jsonl", 2))
    return _logs(log, other)


def _logs(log: Lines, other: Lines) -> _Logs:
    head = hashlib.sha256(log[-1][-1]).hexdigest()
    return _Logs(log=log, other=other, head=head, records=sum(map(len, log)))


def _attacked(logs: _Logs, number: int) -> tuple[str, Lines]:
    """Return what was done, and the lines after it; the same for each subject."""
    draw = random.Random(number)  # noqa: S311 -- places, no secrets
    while True:
        name = draw.choice(list(ATTACKS))
        lines = ATTACKS[name]([[*one] for one in logs.log], [[*one] for one in logs.other], draw)
        if lines != logs.log:
            return name, lines


def _ours(logs: _Logs, number: int, folder: Path) -> str | Seen:
    place = number % _ROUND
    if place == 0:
        return _killed(number, folder)
    if place == 1:
        return _cut(logs, number, folder)
    path = folder / "audit.jsonl"
    kept = KeptHead(sha256=logs.head, count=logs.records)
    if place < 4:
        found = examine(files_of(written(logs.log, path)), [kept])
        if found.broken is not None:
            raise Broken("a log that nobody touched was called broken")
        return "untouched, called whole"
    name, lines = _attacked(logs, number)
    try:
        whole = examine(files_of(written(lines, path)), [kept]).broken is None
    except BundleIncompatible:  # exit status 32: the changed byte was that of the version
        return f"{name}: found, as of a newer version"
    if whole:
        raise Broken(f"{name}: called whole")
    alone = examine(files_of(path)).broken is None
    return f"{name}: found" + (" by the kept head alone" if alone else "")


def _cut(logs: _Logs, number: int, folder: Path) -> str:
    """Cut the last line as a power cut would, and write on."""
    draw = random.Random(number)  # noqa: S311 -- places, no secrets
    lines = [[*one] for one in logs.log]
    last = lines[-1][-1]
    cut = draw.randrange(1, len(last))
    lines[-1][-1] = last[:cut]
    path = written(lines, folder / "audit.jsonl")
    AuditFile(path, program="next").append([{"kind": "run", "error": "next"}])
    before = KeptHead(sha256=hashlib.sha256(logs.log[-1][-2]).hexdigest(), count=logs.records - 1)
    found = examine(files_of(path), [before])
    if found.broken is not None or found.torn_bytes:
        raise Broken("a log whose last line was cut was not mended")
    kinds = [json.loads(line)["kind"] for line in lines_of(path)[-1]]
    kept = cut == len(last) - 1
    if kinds[-2:] != ["mended", "run"] or len(kinds) != len(lines[-1]) + (2 if kept else 1):
        raise Broken("what was cut off is not recorded")
    return "last line cut, mended and recorded"


def _killed(number: int, folder: Path) -> Seen:
    """Kill two writers of one file, or let them kill themselves where that hurts."""
    draw = random.Random(number)  # noqa: S311 -- moments, no secrets
    path = folder / "audit.jsonl"
    answers: set[str] = set()
    records: list[str] = []
    for attempt in range(2):
        seeds = [number * 10 + 2 * attempt, number * 10 + 2 * attempt + 1]
        given, records = answers_and_records(path, seeds, draw.uniform(0, 0.15))
        answers |= given
    found = examine(files_of(path))
    if found.broken is not None or found.torn_bytes:
        raise Broken(f"after kills the log is not whole: {found.broken and found.broken.why}")
    if not answers <= set(records):
        raise Broken(f"{len(answers - set(records))} answers without a record after kills")
    if len(set(records)) != len(records):
        raise Broken("a record is there twice")
    if len(records) - len(answers) > 4:
        raise Broken("more records without an answer than writers were killed")
    mended = found.outcomes["mended"] > 0
    return Seen(
        kind="writers killed, torn line mended" if mended else "writers killed, no torn line",
        figures={"answers, all recorded": len(answers)},
    )


def _without_chain(folder: Path) -> _Logs:
    logs = _prepared(folder)
    return _logs(
        *([[_unchained(line) for line in one] for one in log] for log in (logs.log, logs.other))
    )


def _unchained(line: bytes) -> bytes:
    record = json.loads(line)
    del record["prev"]
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _control(logs: _Logs, number: int, folder: Path) -> str:
    """Look at everything but the chain: each line is a record, they are counted, and the last one is known."""
    del folder
    name, lines = _attacked(logs, number)
    flat = [line for one in lines for line in one]
    try:
        numbers = [json.loads(line)["seq"] for line in flat]
    except (ValueError, KeyError, TypeError):
        return f"{name}: found"
    if numbers != list(range(logs.records)) or hashlib.sha256(flat[-1]).hexdigest() != logs.head:
        return f"{name}: found"
    raise Broken(f"{name}: not seen")


CAMPAIGN = Campaign(
    id="R22",
    title="Tampered audit logs",
    promise="Beside a head that was kept elsewhere, every change of an audit log is found, an untouched log is called "
    "whole, and every answer that was given has its record, whenever the writers were killed.",
    attack=f"tampers with a log of three files in one of {len(ATTACKS)} ways; 1 trial in {_ROUND} kills two writers "
    "of one file twice, or lets them end in the middle of a write, before a flush or after a rename",
    unit="logs",
    subjects={
        "ours": Subject(trial=_ours, prepare=_prepared, what="`brain-doctor audit --head`"),
        "control": Subject(
            trial=_control,
            prepare=_without_chain,
            what="the same lines, numbered, without the chain, the last line known",
        ),
    },
    ci={"ours": 120, "control": 120},
    full={"ours": 10_000, "control": 10_000},
    limit_s=30,
    chunk=100,
    control_share=0.1,
)
