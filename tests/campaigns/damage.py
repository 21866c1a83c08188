"""Kinds of damage that disks, transfers and chance cause, drawn from a seed, for the campaigns."""

import random
from collections.abc import Callable

__all__ = ["KINDS", "damaged"]

_END = b"\xff\xd9"


def damaged(data: bytes, kind: str, draw: random.Random) -> bytes:
    """Return a damaged copy."""
    if kind == "sent as text":  # each line feed becomes two bytes
        return data.replace(b"\n", b"\r\n")
    return KINDS[kind](data, draw)


def _overwritten(size: int, fill: Callable[[random.Random, int], bytes]) -> Callable[..., bytes]:
    def damage(data: bytes, draw: random.Random) -> bytes:
        at = draw.randrange(len(data))
        length = min(size, len(data) - at)
        return data[:at] + fill(draw, length) + data[at + length :]

    return damage


def _sector(data: bytes, draw: random.Random) -> bytes:
    at = 512 * draw.randrange(max(1, len(data) // 512))
    return data[:at] + bytes(min(512, len(data) - at)) + data[at + 512 :]


def _lost(share: float) -> Callable[..., bytes]:
    def damage(data: bytes, draw: random.Random) -> bytes:
        length = int(len(data) * share) or 512
        at = draw.randrange(max(1, len(data) - length))
        return data[:at] + data[at + length :]

    return damage


def _middle(data: bytes, draw: random.Random) -> bytes:
    del draw
    return data[: int(0.3 * len(data))] + data[int(0.7 * len(data)) :]


def _cut(share: float | None, *, end: bytes) -> Callable[..., bytes]:
    def damage(data: bytes, draw: random.Random) -> bytes:
        return data[: int(len(data) * (share or draw.random()))] + end

    return damage


def _tail(share: float) -> Callable[..., bytes]:
    def damage(data: bytes, draw: random.Random) -> bytes:
        del draw
        kept = int(len(data) * (1 - share))
        return data[:kept] + bytes(len(data) - kept)

    return damage


def _bit(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _header_byte(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    changed[draw.randrange(min(len(data), 700))] = draw.randrange(256)
    return bytes(changed)


def _swapped(data: bytes, draw: random.Random) -> bytes:
    if len(data) < 2048:
        return data[:-2]
    one, two = sorted(draw.sample(range(len(data) // 512), 2))
    a, b = 512 * one, 512 * two
    return data[:a] + data[b : b + 512] + data[a + 512 : b] + data[a : a + 512] + data[b + 512 :]


def _doubled(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[: at + 512] + data[at : at + 512] + data[at + 512 :]


def _inserted(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + draw.randbytes(draw.randrange(1, 9)) + data[at:]


def _few_lost(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + data[at + draw.randrange(1, 9) :]


def _before_end(data: bytes, draw: random.Random) -> bytes:
    extra = bytes(draw.randrange(255) for _ in range(draw.randrange(1, 5)))
    return data[:-2] + extra + data[-2:]


def _last_bytes(data: bytes, draw: random.Random) -> bytes:
    return data[: -2 - draw.randrange(1, 5)] + data[-2:]


def _zeros(draw: random.Random, length: int) -> bytes:
    del draw
    return bytes(length)


def _ones(draw: random.Random, length: int) -> bytes:
    del draw
    return b"\xff" * length


def _noise(draw: random.Random, length: int) -> bytes:
    return draw.randbytes(length)


KINDS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "16 B of zeros": _overwritten(16, _zeros),
    "512 B of zeros": _overwritten(512, _zeros),
    "a sector of zeros": _sector,
    "4 KiB of zeros": _overwritten(4096, _zeros),
    "512 B of ones": _overwritten(512, _ones),
    "16 B of noise": _overwritten(16, _noise),
    "512 B of noise": _overwritten(512, _noise),
    "1 to 8 bytes lost": _few_lost,
    "512 B lost": _lost(0),
    "10 % lost": _lost(0.1),
    "40 % lost": _lost(0.4),
    "40 % of the middle lost": _middle,
    "tail 10 % zeros": _tail(0.1),
    "tail 50 % zeros": _tail(0.5),
    "cut": _cut(None, end=b""),
    "cut, end marker": _cut(None, end=_END),
    "cut to 20 %, end marker": _cut(0.2, end=_END),
    "cut to 50 %, end marker": _cut(0.5, end=_END),
    "cut to header, end marker": _cut(0.02, end=_END),
    "sectors swapped": _swapped,
    "a sector twice": _doubled,
    "1 to 8 bytes inserted": _inserted,
    "1 to 4 bytes before the end marker": _before_end,
    "last 1 to 4 bytes lost": _last_bytes,
    "one byte of the header": _header_byte,
    "one bit": _bit,
}
