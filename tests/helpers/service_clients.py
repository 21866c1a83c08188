"""Clients of a service under load: good ones at a fixed rate, and bad ones of five kinds."""

import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from service_runs import Connection, Service, request_bytes

__all__ = ["BAD", "at_full_speed", "at_rate", "main", "percentile"]

#: How many of each kind there are among 64 clients; the other 16 are good.
BAD = {"slow head": 12, "half-sent": 12, "vanishing": 8, "oversized": 8, "garbage": 8}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def at_full_speed(
    service: Service, contents: Sequence[bytes], *, clients: int, seconds: float
) -> tuple[float, Counter[int]]:
    """Each client asks again as soon as it has its answer. Returns answers a second, and statuses."""
    requests = [request_bytes("POST", "/v1/classify", one, host=service.host) for one in contents]
    statuses: Counter[int] = Counter()
    started = time.perf_counter()
    ends = started + seconds

    def ask(number: int) -> None:
        own: Counter[int] = Counter()
        with service.connect() as connection:
            while time.perf_counter() < ends:
                connection.send(requests[number % len(requests)])
                own[connection.receive().status] += 1
                number += 1
        statuses.update(own)

    _together(ask, clients)
    return statuses.total() / (time.perf_counter() - started), statuses


def at_rate(
    service: Service, contents: Sequence[bytes], *, clients: int, rate: float, seconds: float
) -> tuple[list[float], Counter[int]]:
    """All clients together ask so often a second, evenly, whatever the service does.

    Returns:
        Seconds from when a request was due to its answer, and statuses. A client that is late sends at once, and the
        time that it is late counts.
    """
    requests = [request_bytes("POST", "/v1/classify", one, host=service.host) for one in contents]
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    started = time.perf_counter() + 0.2

    def ask(number: int) -> None:
        own, seen = Counter[int](), []
        due = started + number / rate
        with service.connect() as connection:
            while due < started + seconds:
                time.sleep(max(0.0, due - time.perf_counter()))
                connection.send(requests[number % len(requests)])
                own[connection.receive().status] += 1
                seen.append(time.perf_counter() - due)
                due += clients / rate
        statuses.update(own)
        latencies.extend(seen)

    _together(ask, clients)
    return latencies, statuses


def _together(ask: Callable[[int], None], clients: int) -> None:
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Bad:
    """A client that does one bad thing again and again, twice a second at most."""

    def __init__(self, port: int, kind: str, content: bytes, seed: int) -> None:
        self._port, self._content = port, content
        self._act: Callable[[Connection], None] = {
            "slow head": self._slow_head,
            "half-sent": self._half_sent,
            "vanishing": self._vanishing,
            "oversized": self._oversized,
            "garbage": self._garbage,
        }[kind]
        self._rng = random.Random(seed)  # noqa: S311 -- no secret

    def run(self) -> None:
        while True:
            try:
                opened = socket.create_connection(("127.0.0.1", self._port), timeout=60)
                with Connection(opened) as connection:
                    self._act(connection)
            except OSError:
                pass  # it was cut off, as it should be
            time.sleep(self._rng.uniform(0.4, 0.6))

    def _head(self, size: int) -> bytes:
        host = f"127.0.0.1:{self._port}"
        return request_bytes("POST", "/v1/classify", host=host, content_length=str(size))

    def _slow_head(self, connection: Connection) -> None:
        for sign in self._head(len(self._content)):
            connection.send(bytes([sign]))
            time.sleep(0.5)

    def _half_sent(self, connection: Connection) -> None:
        half = self._content[: len(self._content) // 2]
        connection.send(self._head(len(self._content)) + half)
        connection.receive()  # 408, after its time

    def _vanishing(self, connection: Connection) -> None:
        connection.send(self._head(len(self._content)) + self._content)
        connection.reset()

    def _oversized(self, connection: Connection) -> None:
        connection.send(self._head(5 * 2**30) + b"x" * 2**18)
        connection.receive()

    def _garbage(self, connection: Connection) -> None:
        noise = self._rng.randbytes(2000)
        if self._rng.random() < 0.5:
            connection.send(noise)
        else:
            connection.send(self._head(len(noise)) + noise)
        connection.receive()


def main() -> None:
    """Be all bad clients of a service until killed: its port, and the file that they send."""
    port, content = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()
    kinds = [kind for kind, count in BAD.items() for _ in range(count)]
    for seed, kind in enumerate(kinds):
        client = _Bad(port, kind, content, seed)
        threading.Thread(target=client.run, daemon=True).start()
        time.sleep(0.01)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
