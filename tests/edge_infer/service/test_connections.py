"""Time limits of connections, and HTTP as other clients speak it."""

import socket
import time
from pathlib import Path

import pytest
from service_contents import png
from service_runs import Connection, Service, request_bytes, wait_until
from threaded_service import threaded_service

from edge_infer.service.limits import Limits


def trickle(connection: Connection, first: bytes) -> None:
    """Send a byte again and again until the other side ends the connection."""
    connection.send(first)
    while first:
        connection.send(b"x")
        time.sleep(0.1)
    assert connection.receive().status == 408
    connection.receive()


@pytest.mark.parametrize("first", [b"", b"GET /livez HTTP/1.1\r\nHost: "])
def test_a_head_that_trickles_and_a_silent_connection_end(bundle: Path, first: bytes) -> None:
    limits = Limits(workers=1, head_s=1.0, idle_s=1.0)
    with threaded_service(bundle, limits) as service:
        started = time.monotonic()
        with service.connect() as connection, pytest.raises(ConnectionError):
            trickle(connection, first)
        assert 0.5 < time.monotonic() - started < 6
        assert service.state.connections == 0


def test_a_connection_that_asked_before_may_not_trickle_either(bundle: Path) -> None:
    limits = Limits(workers=1, head_s=0.5, idle_s=30)
    with threaded_service(bundle, limits) as service, service.connect() as connection:
        connection.send(request_bytes("GET", "/livez", host=service.host))
        assert connection.receive().status == 200
        connection.send(b"GET /")
        assert connection.receive().status == 408
        assert connection.is_closed


def test_an_idle_connection_ends_after_its_time_and_not_before(bundle: Path) -> None:
    limits = Limits(workers=1, idle_s=2.0)
    with threaded_service(bundle, limits) as service, service.connect() as connection:
        for pause in (1.0, 0.0):
            connection.send(request_bytes("GET", "/livez", host=service.host))
            assert connection.receive().status == 200
            time.sleep(pause)
        started = time.monotonic()
        assert connection.is_closed
        assert 1.0 < time.monotonic() - started < 5


def test_a_client_that_never_reads_is_cut_off(bundle: Path) -> None:
    """Asking on and on without reading fills the buffers of both sides; nobody may hold them for ever."""
    limits = Limits(workers=1, stall_s=1.0)
    with (
        threaded_service(bundle, limits) as service,
        service.connect(receive_buffer=4096) as connection,
    ):
        connection.socket.settimeout(0.5)
        many = request_bytes("GET", "/openapi.json", host=service.host) * 200_000
        with pytest.raises(TimeoutError):
            connection.send(many)
        wait_until(lambda: service.state.connections == 0, seconds=15)


def test_requests_sent_together_are_answered_in_order(service: Service) -> None:
    with service.connect() as connection:
        head = request_bytes("HEAD", "/livez", host=service.host)
        first = request_bytes("POST", "/v1/classify", png(), host=service.host)
        last = request_bytes("GET", "/readyz", host=service.host)
        connection.send(head + first + last)
        assert connection.receive(is_head=True).body == b""
        assert connection.receive().json["status"] == "ok"
        assert connection.receive().json["status"] == "ready"


def test_a_client_that_asks_first_is_told_to_go_on_or_not(service: Service) -> None:
    content = png()
    for declared, answer in ((len(content), b"HTTP/1.1 100 "), (2**40, b"HTTP/1.1 413 ")):
        with service.connect() as connection:
            head = {"content_length": str(declared), "expect": "100-continue"}
            connection.send(request_bytes("POST", "/v1/classify", host=service.host, **head))
            assert connection.socket.recv(13, socket.MSG_PEEK | socket.MSG_WAITALL) == answer
            if declared == len(content):
                connection.send(content)
                assert connection.receive().status == 200


@pytest.mark.parametrize("path", ["/v1/classify", "/livez"])
def test_a_body_of_two_lengths_is_refused_and_its_connection_ends(
    service: Service, path: str
) -> None:
    """A proxy that goes by the other length would take the rest for a request of somebody else (smuggling)."""
    content = png()
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    lengths = {"content_length": str(len(framed)), "transfer_encoding": "chunked"}
    with service.connect(timeout_s=5) as connection:
        connection.send(request_bytes("POST", path, framed, host=service.host, **lengths))
        response = connection.receive()
        assert (response.status, response.headers["connection"]) == (400, "close")
        assert connection.is_closed


def test_http_1_0_is_answered_and_ended(service: Service) -> None:
    with service.connect() as connection:
        content = png()
        head = (
            f"POST /v1/classify HTTP/1.0\r\nHost: {service.host}\r\nContent-Length: {len(content)}"
        )
        connection.send(head.encode() + b"\r\n\r\n" + content)
        assert connection.receive().json["status"] == "ok"
        assert connection.is_closed


def test_an_upgrade_is_passed_over(service: Service) -> None:
    asked = {"connection": "upgrade", "upgrade": "websocket", "sec_websocket_version": "13"}
    assert service.ask("GET", "/livez", **asked).status == 200
    assert service.ask("GET", "/livez", **{**asked, "upgrade": "h2c"}).status == 200


def test_a_target_of_another_form_leads_nowhere(service: Service) -> None:
    for target, status in (
        (f"http://{service.host}/livez", 404),
        ("http://evil.example/livez", 404),
        ("*", 404),
        ("/livez?name=x", 200),
        ("/LIVEZ", 404),
        ("/livez%00", 404),
        ("/v1%2Fclassify", 404),
    ):
        response = service.ask("GET", target)
        assert response.status in (status, 405), target


def test_hundreds_of_connections_at_once_keep_nobody_out(service: Service) -> None:
    opened = [service.connect() for _ in range(400)]
    assert service.classify(png()).status == 200
    assert service.metric("connections") <= 257
    for one in opened:
        one.socket.close()
