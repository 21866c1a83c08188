"""R20: the HTTP service among slow, greedy, lying and hostile clients."""

import importlib.util
import random
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.network.attacked_service import HEAD_S
from reliability.network.generated_requests import ask_generated
from reliability.network.greedy_clients import GREEDS, attack
from reliability.network.hostile_requests import FORMS
from reliability.network.running_service import Attacked, ask_well, image, latencies, started
from reliability.network.slow_clients import SlowClients, slow_clients
from service_clients import percentile
from service_runs import Service

__all__ = ["CAMPAIGN"]

#: Clients with an image each, at once.
_CLIENTS = 64
#: Connections of slow clients: more than the service may have open files.
_SLOW = 300
#: How long after its time a connection may still be open: the service looks once a second.
_LATE_S = 3.0
#: Trials below this number are those of CI; later ones take longer.
_SHORT = 20


def _hostile(attacked: Attacked, number: int, folder: Path) -> Seen:
    del folder
    rng = random.Random(number)  # noqa: S311 -- no secret
    name = list(FORMS)[number % len(FORMS)]
    form, content = FORMS[name], image(number)
    received = _exchanged(attacked.service, form.made(attacked.service.host.encode(), content, rng))
    found = (int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3}) ", received))
    statuses = [one for one in found if one >= 200]
    bad = [one for one in statuses if one >= 500 and one != 503]
    if bad:
        raise Broken(f"{name}: answered with {bad[0]}")
    if len(statuses) > form.most:
        raise Broken(f"{name}: {len(statuses)} responses to one request")
    if not form.may_answer and any(one < 300 for one in statuses):
        raise Broken(f"{name}: answered, expected a refusal")
    ask_well(attacked.service, content)
    kind = "answered" if 200 in statuses else "refused" if statuses else "cut off"
    return Seen(kind=f"hostile request {kind}", figures=attacked.memory())


def _exchanged(service: Service, data: bytes) -> bytes:
    """Send bytes, say that there are no more, and return what comes back."""
    received = b""
    with service.connect(timeout_s=5) as connection:
        with suppress(
            OSError
        ):  # what is refused early may be cut off while it is sent, or before it is ended
            connection.send(data)
            connection.socket.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while part := connection.socket.recv(2**16):
                received += part
    return received


def _generated(attacked: Attacked, number: int, folder: Path) -> Seen:
    del folder
    examples = 5 if number < _SHORT else 50
    return ask_generated(attacked.service.ready["url"], number, examples=examples)


def _greedy(attacked: Attacked, number: int, folder: Path) -> Seen:
    del folder
    names = list(GREEDS)
    name = names[1] if number < _SHORT else names[number // _SHORT % len(names)]
    figures = attack(attacked, name, seconds=20)
    ask_well(attacked.service, image(number))
    return Seen(kind="greedy clients bounded", figures=figures)


def _together(attacked: Attacked, number: int, folder: Path) -> Seen:
    """Many clients with an image each, at once: whose answer is whose?"""
    del folder
    rounds = 1 if number < _SHORT else 20

    def ask(client: int) -> None:
        for turn in range(rounds):
            ask_well(attacked.service, image(number, client, turn), seconds=30)

    with ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(ask, range(_CLIENTS)))
    return Seen(kind="own answer", tries=_CLIENTS * rounds, figures=attacked.memory())


def _slow(attacked: Attacked, number: int, folder: Path) -> Seen:
    """Good clients beside slow ones, in turn with good clients alone."""
    del folder
    service = attacked.service
    contents = [image(number, one) for one in range(16)]
    rounds, seconds = (1, 0.4) if number < _SHORT else (4, 3.0)
    alone, beside = [], []
    for _ in range(rounds):
        alone += latencies(service, contents, rate=40, seconds=seconds)
        with slow_clients(service.port, _SLOW) as slow:
            beside += latencies(service, contents, rate=40, seconds=seconds)
            _wait_until_ended(slow)
    ratio = percentile(beside, 0.99) / percentile(alone, 0.99)
    return Seen(
        kind="good clients answered beside slow ones",
        tries=len(beside),
        figures={
            "p99 beside slow clients, ms": 1000 * percentile(beside, 0.99),
            "its ratio to alone": ratio,
        }
        if number >= _SHORT
        else {},
    )


def _wait_until_ended(slow: SlowClients) -> None:
    """See to it that the connections that are slow now are ended in time."""
    began = time.monotonic()
    while slow.older_than(began):
        if time.monotonic() > began + HEAD_S + _LATE_S:
            raise Broken("a connection that trickles is not ended")
        time.sleep(0.02)


#: By the place of a trial among twenty; the first ones are those of CI.
_ATTACKS = (_greedy, _hostile, _together, _hostile, _slow, _generated, *[_hostile] * 14)


def _trial(attacked: Attacked, number: int, folder: Path) -> Seen:
    return _ATTACKS[number % len(_ATTACKS)](attacked, number, folder)


def _missing() -> str | None:
    return None if importlib.util.find_spec("schemathesis") else "schemathesis is not installed"


CAMPAIGN = Campaign(
    id="R20",
    title="HTTP service",
    promise=(
        "Whatever clients do, good ones get the answer to their own image, memory is bounded, and no status of 500 or "
        "above is given but 503."
    ),
    attack=(
        "is 300 slow connections where 200 files may be open, bodies to 4 GiB, a request of one of 15 hostile forms, "
        "64 clients at once, or what schemathesis makes of the service's description"
    ),
    unit="attacks",
    subjects={
        "ours": Subject(
            trial=_trial,
            prepare=partial(started, "ours"),
            what="`brain-serve` in a process of its own",
        ),
        "control": Subject(
            trial=_trial,
            prepare=partial(started, "control"),
            what="`brain-serve` without its limits and its checks of framing and host, one place for all contents, and "
            "refusals as status 500",
        ),
        "raw": Subject(
            trial=_trial,
            prepare=partial(started, "raw"),
            what="Starlette, uvicorn, Pillow and onnxruntime as their tutorials put them together",
        ),
    },
    ci={"ours": 6, "control": 1, "raw": 0},
    full={"ours": 4000, "control": 100, "raw": 100},
    limit_s=90,
    chunk=20,
    processes=1,
    missing=_missing,
    control_share=0.2,
)
