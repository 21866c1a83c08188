"""A record as a line, and the chain: each line holds the SHA-256 of the line before it, line end included.

So ``tail -n 1 FILE | sha256sum`` gives the head, which the next line will hold.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_infer.plain_json import is_whole, parse_object

__all__ = [
    "FORMAT",
    "HEADER_START",
    "MAX_LINE_BYTES",
    "VERSION",
    "Link",
    "line_of",
    "next_link",
    "record_of",
    "sha256_of",
]

FORMAT = "brain-edge-audit"
VERSION = 1

#: How each file begins. A file that begins otherwise is never written to.
HEADER_START = f'{{"format":"{FORMAT}",'.encode("ascii")

#: Longer lines are no records: one with a thousand classes has some 50,000.
MAX_LINE_BYTES = 2**20

_LARGEST = 2**53 - 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a chain ends.

    Attributes:
        seq: Number of the last record, from 0 on through all files.
        head: SHA-256 of its line.
    """

    seq: int
    head: str


def next_link(link: Link | None, line: bytes) -> Link:
    """Return where the chain ends after one more line."""
    return Link(seq=0 if link is None else link.seq + 1, head=sha256_of(line))


def line_of(fields: Mapping[str, Any], link: Link | None) -> bytes:
    """Return the line of the next record, with its line end.

    Args:
        fields: Of the record: ``kind`` and what belongs to it; of a header ``format`` and ``version``, too.
        link: Where the chain ends; None at its very beginning.
    """
    header = {name: fields[name] for name in ("format", "version") if name in fields}
    record = {
        **header,
        "seq": 0 if link is None else link.seq + 1,
        "prev": None if link is None else link.head,
        "time": _now(),
        **{name: value for name, value in fields.items() if name not in header},
    }
    text = json.dumps(record, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"


def record_of(line: bytes) -> dict[str, Any]:
    """Return the record that a line holds, with or without its line end.

    Raises:
        ValueError: It holds none.
    """
    try:
        record = parse_object(line.decode("ascii"))
    except UnicodeDecodeError:
        raise ValueError("is not ASCII") from None
    except ValueError:
        raise ValueError("is no JSON object") from None
    if not is_whole(record.get("seq"), 0, _LARGEST):
        raise ValueError("has no seq")
    prev = record.get("prev", "")
    if prev is not None and not (isinstance(prev, str) and _DIGEST.fullmatch(prev)):
        raise ValueError("has no prev")
    if not isinstance(record.get("kind"), str):
        raise ValueError("has no kind")
    if not (isinstance(record.get("time"), str) and _TIME.fullmatch(record["time"])):
        raise ValueError("has no time")
    return record


def sha256_of(data: bytes | bytearray | memoryview) -> str:
    """Return the digest in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _now() -> str:
    seconds = time.time()
    return (
        f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"
    )
