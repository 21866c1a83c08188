"""Random and mutated requests: no crash, no line that is not of the protocol, and never out of step unnoticed."""

import random
import threading
from pathlib import Path
from typing import Any

import pytest
from stdio_worker import HostedWorker, Session, encoded

from edge_infer.classifier import Classifier

_EVENTS = {"ready", "hello", "pong", "progress", "result", "done", "error"}

#: None ends the worker, and no mutant of their path is a folder.
HARMLESS: list[dict[str, Any]] = [
    {"id": 1, "method": "ping"},
    {"id": "two", "method": "cancel"},
    {"id": 3, "method": "classify", "path": "missing", "view": True, "timeout_s": 5},
    {"id": 4, "method": "classify", "paths": ["missing", "absent"], "despite": ["mosaic"]},
]
OTHERS: list[dict[str, Any]] = [
    {"id": 5, "method": "hello", "versions": [1, 2]},
    {"id": 6, "method": "shutdown"},
    {"id": 7, "method": "classify", "name": "a.png"},
]


def mutated(line: bytes, rng: random.Random) -> bytes:
    changed = bytearray(line)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(changed) + 1)
        kind = rng.randrange(5)
        if kind == 0 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del changed[place : place + rng.randint(1, 8)]
        elif kind == 2:
            changed[place:place] = rng.randbytes(rng.randint(1, 8))
        elif kind == 3:
            changed[place:place] = rng.choice(
                [b'"', b"{", b"}", b"null", b"-1", b"1e9", b"\\u0000"]
            )
        else:
            start = rng.randrange(len(changed) + 1)
            changed[place:place] = changed[start : start + rng.randint(1, 20)]
    return bytes(changed)


def test_ten_thousand_bad_lines_leave_a_worker_in_step(
    bundle: Path, image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(5)  # noqa: S311 -- places, no secrets
    sent: list[bytes] = []
    for number in range(10_000):
        line = encoded(rng.choice(HARMLESS)).rstrip()
        line = mutated(line, rng) if rng.random() < 0.8 else rng.randbytes(rng.randint(0, 200))
        sent.append(line.replace(b"length", b"") + b"\n")
        if number % 100 == 0:
            sent.append(encoded({"id": f"good {number}", "method": "classify"}, image))
    with HostedWorker("--bundle", bundle) as worker:
        writing = threading.Thread(target=lambda: [worker.write(one) for one in sent])
        writing.start()
        writing.join()
        events, status = worker.close()
        assert worker.ended()[1] == b""

    assert status == 0
    assert {one["event"] for one in events} <= _EVENTS
    ends: dict[str, list[str]] = {}
    for one in events:
        if str(one.get("id")).startswith("good "):
            ends.setdefault(one["id"], []).append(one["event"])
    busy = [kinds for kinds in ends.values() if kinds == ["error"]]
    answered = [kinds for kinds in ends.values() if kinds == ["result", "done"]]
    assert len(busy) + len(answered) == len(ends) == 100
    assert answered
    codes = {one["error"]["code"] for one in events if one["event"] == "error"}
    assert codes >= {"bad_json", "bad_request", "unknown_method"}
    assert codes <= {
        "bad_json",
        "bad_request",
        "unknown_method",
        "duplicate_id",
        "busy",
        "cancelled",
    }


def test_mutated_requests_with_content_are_answered_or_end_the_worker_with_its_status(
    classifier: Classifier, image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(7)  # noqa: S311 -- places, no secrets
    statuses = []
    for _ in range(400):
        said = b"".join(
            mutated(encoded(fields).rstrip(), rng) + b"\n" + content if fields["id"] != 7 else
            mutated(encoded(fields, content).partition(b"\n")[0], rng) + b"\n" + content
            for fields, content in zip(rng.sample([*OTHERS, *HARMLESS], 3), [image, b"", b""], strict=True)
        )  # fmt: skip
        session = Session(classifier, said)
        events = session.events
        assert {one["event"] for one in events} <= _EVENTS
        last = [place for place, one in enumerate(events) if "exit_status" in one]
        assert last == ([len(events) - 1] if session.status else [])
        statuses.append(session.status)
    assert set(statuses) == {0, 27}


def test_content_that_looks_like_requests_is_never_read_as_such(classifier: Classifier) -> None:
    trap = encoded({"id": "trap", "method": "ping"}) * 50
    said = b"".join(
        encoded({"id": number, "method": method}, trap)
        for number, method in enumerate(["classify", "nonsense", "cancel", "classify"])
    )
    session = Session(classifier, said)

    assert "trap" not in [one.get("id") for one in session.events]
    assert session.status == 0
