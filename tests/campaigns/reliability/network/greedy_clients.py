"""Clients that send, or say that they will send, more than a service can hold."""

import functools
import io
import socket
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress

from reliability.network.running_service import BODY_BYTES, Attacked
from service_runs import Connection, request_bytes

__all__ = ["GREEDS", "attack"]

_MIB = 2**20
_GIB = 2**30
_PIECE = bytes(2**18)
#: Looks like DICOM, of which more bytes are taken than of an image.
_SCAN = bytes(128) + b"DICM"
#: Just within what ours may hold, and far above.
_UNPACKED = (30 * _MIB, 256 * _MIB)
_PIXELS = b"\xe0\x7f\x10\0OW\0\0"


def _declares_4_gib(connection: Connection, host: str) -> None:
    connection.send(request_bytes("POST", "/v1/classify", host=host, content_length=str(4 * _GIB)))
    _pour(connection, 4 * _GIB)


def _pours_chunks(connection: Connection, host: str) -> None:
    connection.send(request_bytes("POST", "/v1/classify", host=host, transfer_encoding="chunked"))
    piece = b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE)
    _pour(connection, 4 * _GIB, piece)


def _pours_one_chunk(connection: Connection, host: str) -> None:
    head = request_bytes("POST", "/v1/classify", host=host, transfer_encoding="chunked")
    connection.send(head + b"ffffffff\r\n" + _SCAN)
    _pour(connection, 4 * _GIB)


def _stops_before_the_end(connection: Connection, host: str) -> None:
    """Just within the bound of one request; together with the others beyond that of all."""
    head = request_bytes("POST", "/v1/classify", host=host, content_length=str(BODY_BYTES))
    connection.send(head + _SCAN)
    _pour(connection, BODY_BYTES - _MIB)


def _sends_a_bomb(connection: Connection, host: str) -> None:
    for bomb in _bombs():
        connection.send(request_bytes("POST", "/v1/classify", bomb, host=host))
        if connection.receive().status not in (413, 422, 503):
            return


def _pour(connection: Connection, size: int, piece: bytes = _PIECE) -> None:
    for _ in range(size // len(_PIECE)):
        connection.send(piece)


@functools.cache
def _bombs() -> tuple[bytes, ...]:
    """A PNG of 60,000 x 60,000 pixels, and small archives whose slices unpack to 2 x 30 and 2 x 256 MiB of zeros."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(bytes(_MIB))
    chunks = (
        struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one))
        for one in (header, pixels, b"IEND")
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks), *map(_archive, _UNPACKED)


def _archive(size: int) -> bytes:
    slice_ = _SCAN + _PIXELS + struct.pack("<I", size) + bytes(size)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for number in range(2):
            target.writestr(f"{number}.dcm", slice_)
    return packed.getvalue()


#: By name: what a client does, and how many do it at once.
GREEDS: dict[str, tuple[Callable[[Connection, str], None], int]] = {
    "declares 4 GiB": (_declares_4_gib, 4),
    "stops before the end": (_stops_before_the_end, 14),
    "pours chunks": (_pours_chunks, 4),
    "pours one chunk of 4 GiB": (_pours_one_chunk, 4),
    "sends bombs": (_sends_a_bomb, 4),
}


def attack(attacked: Attacked, name: str, *, seconds: float) -> dict[str, float]:
    """Have clients be greedy until all have been refused or cut off, or for so long; return the largest memory."""
    act, count = GREEDS[name]
    if act is _sends_a_bomb:
        _bombs()  # made before somebody waits for them
    service = attacked.service
    connections = [service.connect(timeout_s=2) for _ in range(count)]

    def run(connection: Connection) -> None:
        with suppress(OSError, ValueError):
            act(connection, service.host)

    threads = [threading.Thread(target=run, args=(one,)) for one in connections]
    for thread in threads:
        thread.start()
    seen = [attacked.memory()]
    ends = time.monotonic() + seconds
    try:
        while any(thread.is_alive() for thread in threads) and time.monotonic() < ends:
            seen.append(attacked.memory())
            time.sleep(0.01)
    finally:
        for one in connections:
            with suppress(OSError):
                one.socket.shutdown(socket.SHUT_RDWR)
            one.socket.close()
        for thread in threads:
            thread.join()
    return max(seen, key=lambda one: sum(one.values()))
