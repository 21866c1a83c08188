"""What a host may say: bad requests are answered, and the worker stays in step or says that it cannot."""

import json
from typing import Any

import pytest
from stdio_worker import HostedWorker, Session, encoded

from edge_infer.classifier import Classifier
from edge_infer.stdio.protocol import MAX_CONTENT_BYTES, MAX_LINE_BYTES

PING: dict[str, Any] = {"id": "p", "method": "ping"}


def refused(worker: HostedWorker, data: bytes) -> tuple[object, str]:
    """Id and code of the error that the worker answers; after it, the worker is still in step."""
    worker.write(data)
    worker.send(PING)
    *events, pong = [worker.event() for _ in range(2)]
    assert (pong["event"], pong["id"]) == ("pong", "p")
    (error,) = events
    assert (error["event"], set(error)) == ("error", {"event", "id", "error"})
    return error["id"], error["error"]["code"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"words\n", "bad_json"),
        (b"[1]\n", "bad_json"),
        (b'{"id": 1, "id": 2, "method": "ping"}\n', "bad_json"),
        (b'{"id": NaN}\n', "bad_json"),
        (b'{"id": "\xff"}\n', "bad_json"),
        (b"[" * 100_000 + b"\n", "bad_json"),
        (b'{"id": ' + b"9" * 10_000 + b"}\n", "bad_json"),
        (b"{\x00}\n", "bad_json"),
        (b'"' + b"x" * MAX_LINE_BYTES + b'"\n', "line_too_long"),
        (b"x" * (3 * MAX_LINE_BYTES) + b"\n", "line_too_long"),
        (b"{}\n", "bad_request"),
        (b'{"method": "ping"}\n', "bad_request"),
        (b'{"method": "ping", "id": true}\n', "bad_request"),
        (b'{"method": "ping", "id": 1.5}\n', "bad_request"),
        (b'{"method": "ping", "id": ""}\n', "bad_request"),
        (b'{"method": "ping", "id": 9007199254740992}\n', "bad_request"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_line_without_an_id_is_an_error_without_an_id(
    worker: HostedWorker, line: bytes, code: str
) -> None:
    assert refused(worker, line) == (None, code)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "unknown_method"),
        ({"method": "nonsense"}, "unknown_method"),
        ({"method": ["ping"]}, "unknown_method"),
        ({"method": "hello"}, "bad_request"),
        ({"method": "hello", "versions": [1, "2"]}, "bad_request"),
        ({"method": "classify"}, "bad_request"),
        ({"method": "classify", "path": ""}, "bad_request"),
        ({"method": "classify", "path": 7}, "bad_request"),
        ({"method": "classify", "paths": []}, "bad_request"),
        ({"method": "classify", "paths": "a"}, "bad_request"),
        ({"method": "classify", "paths": ["a", None]}, "bad_request"),
        ({"method": "classify", "path": "a", "paths": ["a"]}, "bad_request"),
        ({"method": "classify", "path": "a", "view": 1}, "bad_request"),
        ({"method": "classify", "path": "a", "name": 1}, "bad_request"),
        ({"method": "classify", "path": "a", "despite": "mosaic"}, "bad_request"),
        ({"method": "classify", "path": "a", "despite": ["nonsense"]}, "bad_request"),
        ({"method": "classify", "path": "a", "timeout_s": 0}, "bad_request"),
        ({"method": "classify", "path": "a", "timeout_s": "1"}, "bad_request"),
        ({"method": "classify", "path": "a", "timeout_s": 1e400}, "bad_json"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_carried_out_is_an_error_with_its_id(
    worker: HostedWorker, fields: dict[str, Any], code: str
) -> None:
    assert refused(worker, encoded({"id": 7, **fields})) == (
        7 if code != "bad_json" else None,
        code,
    )


@pytest.mark.parametrize("method", ["classify", "nonsense", "ping"])
def test_content_is_passed_over_whatever_is_wrong_with_its_request(
    worker: HostedWorker, method: str
) -> None:
    content = encoded({"id": 9, "method": "shutdown"}) * 20_000
    worker.write(encoded({"id": 8, "method": method, "path": "a"}, content))
    event = worker.event()
    assert (event["event"], event["id"]) == ("pong" if method == "ping" else "error", 8)
    worker.send(PING)
    assert worker.event()["id"] == "p"


def test_content_over_the_limit_is_refused_before_it_comes_and_passed_over(
    own_worker: HostedWorker,
) -> None:
    length = MAX_CONTENT_BYTES + 1
    own_worker.send({"id": 1, "method": "classify", "length": length})
    # The rest would take a while: the error does not wait for it.
    own_worker.write(encoded(PING) * 1000)
    event = own_worker.event()
    assert (event["id"], event["error"]["code"]) == (1, "over_limit")


def test_fields_that_are_unknown_or_null_count_as_absent(worker: HostedWorker) -> None:
    nothing = dict.fromkeys(("length", "paths", "name", "view", "despite", "timeout_s"))
    worker.send({"id": 1, "method": "classify", "path": "missing", "new": {"a": [1]}, **nothing})
    assert [line["status"] for line in worker.answers(1)] == ["error"]


def test_line_ends_of_windows_blank_lines_and_a_byte_order_mark_are_no_fault(
    own_worker: HostedWorker, image: bytes
) -> None:
    own_worker.write(b"\xef\xbb\xbf" + encoded(PING).replace(b"\n", b"\r\n") + b"\r\n \n\n")
    assert own_worker.event()["event"] == "pong"
    head = json.dumps({"id": 1, "method": "classify", "length": len(image)}).encode()
    own_worker.write(head + b"\r\n" + image)
    assert [line["status"] for line in own_worker.answers(1)] == ["ok"]


@pytest.mark.parametrize(
    ("data", "code", "identity"),
    [
        (b'{"id": 1, "method": "classify", "length": -1}\n', "length_lost", 1),
        (b'{"id": 1, "method": "classify", "length": "5"}\n', "length_lost", 1),
        (b'{"id": 1, "method": "classify", "length": 5.0}\n', "length_lost", 1),
        (b'{"id": 1, "method": "classify", "length": true}\n', "length_lost", 1),
        (b'{"id": 1, "method": "classify", "length": 1e9}\n', "length_lost", 1),
        (b'{"id": 1, "method": "classify", "length": 5, "length": 6}\n', "length_lost", None),
        (b'{"id": 1, "method": "classify", "length": 5\n', "length_lost", None),
        (b'{"x": "' + b"x" * 2 * MAX_LINE_BYTES + b'", "length": 5}\n', "length_lost", None),
        (b'{"x": "' + b"x" * (MAX_LINE_BYTES - 11) + b'", "length": 5}\n', "length_lost", None),
        (b'{"id": 1, "method": "classify", "length": 5}\n1234', "cut_short", 1),
        (b'{"id": 1, "method": "hello", "versions": [0, 2]}\n', "version", 1),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_a_host_that_is_out_of_step_gets_all_answers_a_last_line_and_a_status(
    classifier: Classifier, image: bytes, data: bytes, code: str, identity: int | None
) -> None:
    session = Session(classifier, encoded({"id": 0, "method": "classify"}, image) + data)

    assert [one["event"] for one in session.events] == ["ready", "result", "done", "error"]
    last = session.events[-1]
    assert (last["error"]["code"], last["id"], last["exit_status"]) == (code, identity, 27)
    assert session.status == 27


def test_the_status_of_the_process_is_that_of_its_last_line(own_worker: HostedWorker) -> None:
    own_worker.send({"id": 1, "method": "classify", "length": -1})
    (last,) = own_worker.rest()
    status, told = own_worker.ended()
    assert status == last["exit_status"] == 27
    assert told.decode() == (
        f"error: {last['error']['message']}\n  hint: {last['error']['hint']}\n"
    )


def test_host_and_worker_agree_on_the_newest_version_that_both_speak(worker: HostedWorker) -> None:
    worker.send({"id": 1, "method": "hello", "versions": [0, 1, 2]})
    assert worker.event() == {"event": "hello", "id": 1, "version": 1}


def test_the_last_line_may_lack_its_end(classifier: Classifier) -> None:
    session = Session(classifier, encoded(PING).rstrip())
    assert [one["event"] for one in session.events] == ["ready", "pong"]
