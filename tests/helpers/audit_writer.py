"""A program that records and answers until it is killed, or kills itself at a place where that hurts.

    python tests/helpers/audit_writer.py FILE SEED

It prints the number of each answer once its record is on the disk. The seed decides whether and where it ends itself:
in the middle of a write, before the flush, after a rename, or while it mends what the one before it left.
"""

import os
import random
import signal
import sys
from collections.abc import Callable
from typing import Any

from edge_infer.audit import file as audit_file
from edge_infer.audit.file import AuditFile

PLACES = ("write", "flush", "rename", "nowhere")


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(real: Callable[..., Any], after: int, *, before: bool) -> Callable[..., Any]:
    left = after

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0 and before:
            _end()
        result = real(*arguments, **options)
        if left < 0:
            _end()
        return result

    return call


def _cut_write(after: int, draw: random.Random) -> Callable[..., int]:
    real, left = os.write, after

    def write(descriptor: int, data: bytes) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            real(descriptor, bytes(data)[: draw.randrange(len(data))])
            _end()
        return real(descriptor, data)

    return write


def arm(draw: random.Random) -> str:
    """Prepare the end, and return its place."""
    place, after = draw.choice(PLACES), draw.randrange(12)
    if place == "write":
        os.write = _cut_write(after, draw)
    elif place == "flush":
        audit_file._flush = _dying(audit_file._flush, after, before=True)
    elif place == "rename":
        os.rename = _dying(os.rename, draw.randrange(2), before=False)
    return place


def main(path: str, seed: str) -> None:
    """Record until the end."""
    arm(random.Random(int(seed)))  # noqa: S311 -- places, no secrets
    log = AuditFile(path, program="writer", max_bytes=4096)
    number = 0
    while True:
        name = f"{seed}.{number}"
        log.append([{"kind": "run", "input_sha256": None, "error": name}])
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
