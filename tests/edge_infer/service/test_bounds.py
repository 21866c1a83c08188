"""Slow, broken, greedy and vanished clients cost the others nothing."""

import io
import json
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from service_contents import png
from service_runs import Connection, Response, Service, request_bytes, wait_until
from threaded_service import threaded_service

from edge_infer.errors import InputOverLimit
from edge_infer.service import bodies
from edge_infer.service.limits import Limits
from edge_infer.unpacked_room import NoRoom

Start = Callable[..., Service]


def told(**wanted: Any) -> bytes:
    return json.dumps(wanted).encode()


def begun(service: Service, size: int = 10_000, sent: bytes = b"x" * 100) -> Connection:
    """A connection with a request whose body is cut short, but not ended."""
    connection = service.connect()
    head = request_bytes("POST", "/v1/classify", host=service.host, content_length=str(size))
    connection.send(head + sent)
    return connection


def asked(service: Service, body: bytes, query: str = "") -> Connection:
    """A connection with a complete request."""
    connection = service.connect()
    connection.send(request_bytes("POST", f"/v1/classify{query}", body, host=service.host))
    return connection


def test_half_sent_bodies_take_no_run_and_no_place(start: Start) -> None:
    service = start("--queue", 0)
    half = [begun(service) for _ in range(20)]
    assert service.classify(png()).status == 200
    wait_until(lambda: service.metric("held_bytes") == 20 * 100)
    for one in half:
        one.socket.close()
    wait_until(lambda: service.metric("held_bytes") == 0)
    assert service.metric('requests_total{route="classify",code="499"}') == 20


def test_a_body_that_does_not_arrive_is_given_up(start: Start) -> None:
    service = start("--body-timeout", 0.5)
    with begun(service) as connection:
        started = time.monotonic()
        for _ in range(20):  # however steadily it trickles
            time.sleep(0.05)
            connection.send(b"x")
        response = connection.receive()
    assert response.status == 408
    assert response.json["error"]["code"] == "timed_out"
    assert time.monotonic() - started < 3
    assert service.metric("held_bytes") == 0


def test_a_declared_giant_is_refused_at_once_and_can_read_why(service: Service) -> None:
    started = time.monotonic()
    with begun(service, 5 * 2**30, b"x" * 2**20) as connection:
        response = connection.receive()
        assert (response.status, response.json["error"]["code"]) == (413, "over_limit")
        assert time.monotonic() - started < 2
        with pytest.raises(ConnectionError):  # it goes on all the same, and is cut off
            connection.send(b"x" * 100 * 2**20)


def test_a_giant_in_chunks_is_refused_as_soon_as_it_is_one(start: Start) -> None:
    service = start("--max-bytes", 100_000)
    with service.connect() as connection:
        head = request_bytes("POST", "/v1/classify", host=service.host, transfer_encoding="chunked")
        connection.send(head + b"2710\r\n%s\r\n" % (b"x" * 10_000) * 11)
        assert connection.receive().status in (400, 413)
    assert service.metric("held_bytes") == 0


class SmallMemory(io.BytesIO):
    """A buffer as where memory is short."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 100_000:
            raise MemoryError
        return super().write(data)


def test_a_body_that_finds_no_memory_is_told_to_come_again(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with threaded_service(bundle, Limits(workers=1)) as service:
        monkeypatch.setattr(bodies, "io", SimpleNamespace(BytesIO=SmallMemory))
        for size, status in ((200_000, 503), (1000, 422)):
            with service.connect() as connection:
                body = b"\0" * size
                connection.send(request_bytes("POST", "/v1/classify", body, host=service.host))
                response = connection.receive()
            assert response.status == status
            if status == 503:
                assert response.json["error"]["code"] == "busy"
                assert response.headers["retry-after"] == "1"
        wait_until(lambda: service.state.budget.held == 0)
        assert "brain_serve_bugs_total 0" in service.state.metrics_text()


def test_an_answer_that_finds_no_memory_is_no_bug(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_words: object, **_options: object) -> None:
        raise MemoryError

    with threaded_service(bundle, Limits(workers=1)) as service:
        monkeypatch.setattr(service.state.lines, "of_content", fail)
        with service.connect() as connection:
            connection.send(request_bytes("POST", "/v1/classify", png(), host=service.host))
            response = connection.receive()
        assert (response.status, response.json["error"]["code"]) == (503, "busy")
        assert "brain_serve_bugs_total 0" in service.state.metrics_text()


def test_an_image_has_a_lower_limit_than_a_scan(service: Service) -> None:
    with begun(service, 65 * 2**20, png() + b"\0" * 600) as connection:
        assert connection.receive().json["error"]["message"] == "the body is larger than 64 MiB"
    with begun(service, 65 * 2**20, b"PK\x03\x04" + b"\0" * 600) as connection:
        connection.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.receive()


def test_all_bodies_together_are_bounded_and_small_ones_still_find_room(start: Start) -> None:
    mib = 2**20
    service = start("--max-bytes", 32 * mib, "--max-total-bytes", 40 * mib)
    held = begun(service, 30 * mib, b"PK\x03\x04" + b"\0" * 28 * mib)
    wait_until(lambda: service.metric("held_bytes") > 28 * mib)
    with begun(service, 30 * mib, b"PK\x03\x04" + b"\0" * 20 * mib) as second:
        response = second.receive()
    assert (response.status, response.json["error"]["code"]) == (503, "busy")
    assert response.headers["retry-after"] == "1"
    assert service.classify(png()).status == 200
    held.socket.close()
    wait_until(lambda: service.metric("held_bytes") == 0)


def test_what_an_archive_unpacks_to_is_bounded_before_it_is_unpacked(start: Start) -> None:
    service = start("--max-total-bytes", 32 * 2**20, "--max-bytes", 2**20)
    at_rest = service.rss_mb
    answer = service.classify(packed(100)).json
    assert answer["error"]["code"] == "over_limit"
    assert "expected at most 24" in answer["error"]["message"]
    assert service.rss_mb - at_rest < 32
    answer = service.classify(packed(20)).json
    assert "too many elements" in answer["error"]["message"]  # so it was unpacked
    assert service.metric("held_bytes") == 0


def packed(mib: int) -> bytes:
    """A small archive of a file that looks like DICOM and has so many bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as members:
        members.writestr("0.dcm", bytes(128) + b"DICM" + bytes(mib * 2**20))
    return target.getvalue()


def test_requests_that_unpack_at_once_share_the_room() -> None:
    budget = bodies.ByteBudget(32 * 2**20)
    first, second = bodies.Body(budget), bodies.Body(budget)
    first.unpack("member", 10 * 2**20, "first")
    first.unpack("member", 15 * 2**20, "first")  # one after the other: the largest counts
    first.unpack("stream", 5 * 2**20, "first")
    assert budget.held == 20 * 2**20
    with pytest.raises(InputOverLimit, match="second: unpacks to 25 MiB"):
        second.unpack("member", 25 * 2**20, "second")
    with pytest.raises(NoRoom):
        second.unpack("member", 20 * 2**20, "second")
    first.release()
    second.unpack("member", 20 * 2**20, "second")
    second.release()
    assert budget.held == 0


def test_a_full_queue_says_so_at_once_and_probes_are_answered_meanwhile(start: Start) -> None:
    service = start("--queue", 2, slow=True)
    working = [asked(service, told(seconds=1.0)) for _ in range(3)]
    wait_until(lambda: (service.metric("running"), service.metric("waiting")) == (1, 2))
    started = time.monotonic()
    refused = service.classify(told())
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert service.ask("GET", "/livez").status == 200
    assert time.monotonic() - started < 0.5
    assert [one.receive().status for one in working] == [200] * 3


def test_never_more_runs_than_workers_also_after_time_outs(start: Start) -> None:
    service = start("--workers", 2, "--queue", 8, "--timeout", 0.4, slow=True)
    deaf = [asked(service, told(seconds=1.2, deaf=True)) for _ in range(4)]
    responses = [one.receive() for one in deaf]
    assert [one.status for one in responses] == [504] * 4
    assert responses[0].json["error"]["code"] == "timed_out"
    assert service.metric("running") == 2, "what cannot be stopped still counts"
    wait_until(lambda: service.metric("running") == 0)
    assert service.classify(told()).status == 200


def test_work_that_takes_too_long_is_really_stopped(start: Start, tmp_path: Path) -> None:
    service = start("--timeout", 0.4, slow=True)
    assert service.classify(told(seconds=30)).status == 504
    wait_until(lambda: (tmp_path / "seen").is_file())
    wait_until(lambda: service.metric("running") == 0)
    assert service.metric("held_bytes") == 0


def test_the_work_of_clients_that_go_away_is_dropped(start: Start, tmp_path: Path) -> None:
    service = start(slow=True)
    running = asked(service, told(seconds=30))
    wait_until(lambda: service.metric("running") == 1)
    waiting = asked(service, told(seconds=30))
    wait_until(lambda: service.metric("waiting") == 1)
    waiting.reset()
    wait_until(lambda: service.metric("waiting") == 0)
    running.reset()
    wait_until(lambda: service.metric("running") == 0)
    assert (tmp_path / "seen").read_text() == "cancelled\n", "the one that waited never began"
    assert service.metric("held_bytes") == 0
    assert service.classify(told()).status == 200


def test_an_error_after_the_first_line_is_a_last_line_of_a_body_without_end(start: Start) -> None:
    service = start("--timeout", 1.0, slow=True)
    for body, code in (
        (told(lines=3, fails=True), "error"),
        (told(lines=9, seconds=0.3), "timed_out"),
    ):
        with asked(service, body) as connection:
            response = connection.receive()
        *lines, last = response.lines
        assert response.status == 200
        assert not response.is_whole
        assert len(lines) >= 2
        assert last["error"]["code"] == code
        assert last["request_id"] == response.headers["x-request-id"]
    assert service.metric("bugs_total") == 1
    assert "CANARY" not in service.log.read_text()
    (bug,) = [line for line in service.log_lines if line["event"] == "bug"]
    assert bug["place"].startswith("ZeroDivisionError in slow_service.py:")


def test_a_bug_before_the_first_line_is_500(start: Start) -> None:
    service = start(slow=True)
    response = service.classify(told(lines=0, fails=True))
    assert (response.status, response.json["error"]["exit_code"]) == (500, 1)
    assert service.classify(told()).status == 200


def test_a_client_that_does_not_read_holds_no_run_and_bounded_memory(start: Start) -> None:
    mib = 2**20
    service = start("--max-bytes", 4 * mib, "--max-total-bytes", 12 * mib, slow=True)
    deaf = asked(service, told(lines=40, size=mib))
    wait_until(lambda: service.metric("running") == 0)
    assert service.metric("held_bytes") <= 12 * mib
    assert service.classify(told()).status == 200
    deaf.socket.settimeout(10)
    response = deaf.receive()
    assert response.lines[-1]["error"]["code"] == "busy"
    assert not response.is_whole
    wait_until(lambda: service.metric("held_bytes") == 0)


def test_a_client_that_reads_gets_more_than_may_be_held_at_once(start: Start) -> None:
    mib = 2**20
    service = start("--max-bytes", 4 * mib, "--max-total-bytes", 12 * mib, slow=True)
    response = service.classify(told(lines=24, size=mib, seconds=0.05))
    assert response.is_whole
    assert len(response.lines) == 24


def test_a_head_that_trickles_ends_and_idle_connections_make_room(start: Start) -> None:
    service = start("--max-connections", 4)
    with service.connect() as slow:
        slow.send(b"GET /livez HTTP/1.1\r\n")
        idle = [service.connect() for _ in range(10)]
        assert service.ask("GET", "/livez").status == 200
        assert service.metric("connections") <= 4
        assert slow.is_closed, "the oldest one that waits makes room"
    for one in idle:
        one.socket.close()


@pytest.mark.skipif(sys.platform != "linux", reason="sets the limits of another process")
def test_connections_that_come_at_once_do_not_take_the_last_open_file(start: Start) -> None:
    import resource

    service = start("--max-connections", 20)
    pid = service.process.pid
    most = len(list(Path(f"/proc/{pid}/fd").iterdir())) + 44
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
    service.signal(signal.SIGSTOP)
    crowd = [service.connect() for _ in range(90)]
    service.signal(signal.SIGCONT)
    started = time.monotonic()
    assert service.ask("GET", "/livez").status == 200
    assert time.monotonic() - started < 0.8, "nobody is accepted for a second"
    for one in crowd:
        one.socket.close()


def test_connections_beyond_the_limit_are_told_so_while_all_others_work(start: Start) -> None:
    service = start("--max-connections", 2, slow=True)
    working = [asked(service, told(seconds=0.7)) for _ in range(2)]
    time.sleep(0.2)
    with service.connect() as third:
        response = third.receive()
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert [one.receive().status for one in working] == [200, 200]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nX-A: " + b"y" * 70_000,
        b"\0" * 100,
    ],
)
def test_garbage_gets_400_and_its_connection_ends(service: Service, data: bytes) -> None:
    with service.connect(timeout_s=10) as connection:
        connection.send(data)
        try:
            assert connection.receive().status in (400, 403)
        except ConnectionError:  # it was still sending when its connection was closed
            assert len(data) > 1000
        connection.socket.close()
    assert service.classify(png()).status == 200


def test_probes_are_answered_within_milliseconds_under_load(start: Start) -> None:
    service = start("--workers", 2)
    seconds: list[float] = []
    answers: list[Response] = []
    ends = time.monotonic() + 2.0

    def load() -> None:
        while time.monotonic() < ends:
            answers.append(service.classify(png()))

    threads = [Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    while time.monotonic() < ends:
        started = time.perf_counter()
        assert service.ask("GET", "/livez").status == 200
        seconds.append(time.perf_counter() - started)
    for thread in threads:
        thread.join()
    assert {one.status for one in answers} == {200}
    assert (
        sorted(seconds)[len(seconds) // 2] < 0.05
    )  # milliseconds, on a machine that does other things, too
