"""A service that runs to be attacked, and its good clients, who see whether it still does what it promises."""

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from reliability.campaign import Broken
from reliability.network.attacked_service import HEAD_S
from service_contents import png
from service_runs import Response, Service, request_bytes
from tiny_bundle import files_with_scope, manifest_body, scan, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle

__all__ = ["BODY_BYTES", "Attacked", "ask_well", "image", "latencies", "started"]

_PROGRAM = Path(__file__).with_name("attacked_service.py")
_MIB = 2**20
#: What ours is started with, for one request and for all of them together.
BODY_BYTES, _TOTAL_BYTES = 16 * _MIB, 48 * _MIB
#: What answering itself may take beside the bytes of requests, MB.
_SLACK_MB = 64
#: 408: this program was not given the processor for so long that it did not send at once; see ``_asked``.
_ASK_AGAIN = (408, 503)
#: A service that is late itself looks at what has come before it looks at the clock.
_AT_ONCE_S = HEAD_S / 2


@dataclass(frozen=True, slots=True)
class Attacked:
    """A service, the bundle that it serves, and its memory before the first attack, in MB."""

    service: Service
    bundle: Path
    rss_mb: float

    def memory(self) -> dict[str, float]:
        """Return how much its memory has grown, as figures, or raise ``Broken`` if that is more than allowed."""
        grown, allowed = self.service.rss_mb - self.rss_mb, _TOTAL_BYTES / 1e6 + _SLACK_MB
        if grown > allowed:
            raise Broken(f"memory grew by more than {allowed:.0f} MB")
        return {"memory above rest, MB": grown}


def started(kind: str, folder: Path) -> Attacked:
    """Start ``ours``, ``control`` or ``raw``; it ends with this process."""
    bundle = folder / "tiny-fp32"
    trust, series = tiny_trust(), tiny_series()
    write_bundle(bundle, files_with_scope(), manifest_body(trust=trust, series=series))
    limits = ["--max-bytes", BODY_BYTES, "--max-total-bytes", _TOTAL_BYTES]
    words = ["--bundle", bundle, "--workers", 2, "--threads", 1, "--body-timeout", 2, *limits]
    program = (str(_PROGRAM), kind)
    service = Service(*words, log=folder / "log.jsonl", program=program)
    for number in range(4):  # what is set up once belongs to the memory at rest
        ask_well(service, image("first", number))
    return Attacked(service, bundle, service.rss_mb)


def image(*names: object) -> bytes:
    """Return an image that belongs to these names alone."""
    seed = int.from_bytes(hashlib.sha256(repr(names).encode()).digest()[:6], "big")
    return png(np.asarray(scan(seed)))


def ask_well(service: Service, content: bytes, *, seconds: float = 10) -> float:
    """Ask on a new connection, again if the service is busy, and return after how many seconds the answer came.

    Raises:
        Broken: There is no answer, or it is another image's.
    """
    began = time.perf_counter()
    response = None
    while response is None or response.status in _ASK_AGAIN:
        left = began + seconds - time.perf_counter()
        if left <= 0:
            raise Broken("a good client found the service busy for too long")
        try:
            response = _asked(service, content, left)
        except OSError as error:
            raise Broken(f"a good client got no answer: {type(error).__name__}") from None
    if response.status != 200:
        raise Broken(f"a good client was answered with {response.status}")
    if response.json["source_sha256"] != hashlib.sha256(content).hexdigest():
        raise Broken("a client got the answer to another client's image")
    return time.perf_counter() - began


def latencies(
    service: Service, contents: Sequence[bytes], *, rate: float, seconds: float
) -> list[float]:
    """Have good clients ask so often a second, evenly; return seconds from when each request was due to its answer."""
    begin = time.perf_counter() + 0.05

    def ask(number: int) -> float:
        due = begin + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        ask_well(service, contents[number % len(contents)])
        return time.perf_counter() - due

    with ThreadPoolExecutor(8) as clients:
        return list(clients.map(ask, range(int(rate * seconds))))


def _asked(service: Service, content: bytes, seconds: float) -> Response:
    data = request_bytes("POST", "/v1/classify", content, host=service.host)
    began = time.perf_counter()
    with service.connect(timeout_s=seconds) as connection:
        connection.send(data)
        took = time.perf_counter() - began
        response = connection.receive()
    if response.status == 408 and took < _AT_ONCE_S:
        raise Broken("a good client that sent at once was told that it was too slow")
    return response
