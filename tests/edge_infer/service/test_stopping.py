"""The end of a service: what was accepted is answered, what was not is refused, and it does not take long."""

import json
import signal
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from service_contents import png
from service_runs import Service, ask_until_refused, request_bytes, wait_until

Start = Callable[..., Service]


def told(**wanted: Any) -> bytes:
    return json.dumps(wanted).encode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(start: Start, number: signal.Signals) -> None:
    service = start()
    assert service.classify(png()).status == 200
    started = time.monotonic()
    service.signal(number)
    assert service.process.wait(10) == 0
    assert time.monotonic() - started < 5
    assert [line["event"] for line in service.log_lines] == ["ready", "stopped"]


def test_running_and_waiting_requests_are_answered_to_the_end(start: Start) -> None:
    service = start(slow=True)
    connections = [service.connect() for _ in range(4)]
    for one in connections:
        body = told(lines=2, seconds=0.25)
        one.send(request_bytes("POST", "/v1/classify", body, host=service.host))
    wait_until(lambda: service.metric("waiting") == 3)
    service.signal()
    responses = [one.receive() for one in connections]
    assert [(one.status, one.is_whole, len(one.lines)) for one in responses] == [(200, True, 2)] * 4
    assert service.process.wait(10) == 0


def test_idle_half_sent_and_silent_connections_do_not_hold_it_up(start: Start) -> None:
    service = start()
    idle, half, head = service.connect(), service.connect(), service.connect()
    idle.send(request_bytes("GET", "/livez", host=service.host))
    assert idle.receive().status == 200
    half.send(
        request_bytes("POST", "/v1/classify", host=service.host, content_length="9999") + b"x"
    )
    head.send(b"POST /v1/classify HTTP/1.1\r\n")
    service.connect()
    time.sleep(0.3)
    started = time.monotonic()
    service.signal()
    response = half.receive()
    assert (response.status, response.json["error"]["code"]) == (503, "stopping")
    assert service.process.wait(15) == 0
    assert time.monotonic() - started < 8


def test_a_last_request_on_an_idle_connection_is_answered_and_probes_say_stopping(
    start: Start,
) -> None:
    service = start(slow=True)
    working, first, second = service.connect(), service.connect(), service.connect()
    for idle in (first, second):
        idle.send(request_bytes("GET", "/readyz", host=service.host))
        assert idle.receive().status == 200
    body = told(seconds=1.0)
    working.send(request_bytes("POST", "/v1/classify", body, host=service.host))
    wait_until(lambda: service.metric("running") == 1)
    service.signal()
    time.sleep(0.25)
    first.send(request_bytes("POST", "/v1/classify", told(), host=service.host))
    second.send(request_bytes("GET", "/readyz", host=service.host))
    probe, answer = second.receive(), first.receive()
    assert (probe.status, probe.headers["connection"]) == (503, "close")
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert working.receive().status == 200
    assert service.process.wait(10) == 0


def test_work_that_does_not_end_is_given_up_after_the_time_for_it(start: Start) -> None:
    service = start("--stop-timeout", 0.5, slow=True)
    connection = service.connect()
    body = told(seconds=60, deaf=True)
    connection.send(request_bytes("POST", "/v1/classify", body, host=service.host))
    wait_until(lambda: service.metric("running") == 1)
    started = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - started < 6
    assert service.log_lines[-1]["all_done"] is False


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    service = start(slow=True)
    connection = service.connect()
    connection.send(request_bytes("POST", "/v1/classify", told(seconds=60), host=service.host))
    wait_until(lambda: service.metric("running") == 1)
    service.signal()
    time.sleep(0.5)
    assert service.process.poll() is None
    service.signal()
    assert service.process.wait(2) == 143


def test_no_accepted_request_is_lost_under_load(start: Start) -> None:
    """Each client either gets a whole answer, or was never let in, or was told not to ask again."""
    for _ in range(2):
        service = start("--workers", 2)
        content = png()
        outcomes: list[str] = []
        threads = [
            Thread(target=ask_until_refused, args=(service, content, outcomes)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        service.signal()
        for thread in threads:
            thread.join()
        assert set(outcomes) == {"200"}
        assert service.process.wait(10) == 0
