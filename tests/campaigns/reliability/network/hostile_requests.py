"""Requests that a server and a proxy before it may read differently, that lie about their length, or that are no HTTP.

Each is made of a content, that of an image, and of a random generator, which picks among its variants.
"""

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["FORMS", "Form"]

_INNER = b"GET /livez HTTP/1.1\r\nHost: %s\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Form:
    """A kind of request.

    Attributes:
        made: ``made(host, content, rng)`` returns the bytes.
        may_answer: Whether an answer of 2xx is right; else the request has to be refused.
        most: Responses that it may get.
    """

    made: Callable[[bytes, bytes, random.Random], bytes]
    may_answer: bool = False
    most: int = 1


def _post(host: bytes, headers: bytes, body: bytes) -> bytes:
    return b"POST /v1/classify HTTP/1.1\r\nHost: %s\r\n%s\r\n%s" % (host, headers, body)


def _chunked(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)


def _both_lengths(host: bytes, content: bytes, rng: random.Random) -> bytes:
    body = _chunked(content) + _INNER % host
    lengths = [
        b"Content-Length: %d\r\n" % rng.choice([3, len(body)]),
        b"Transfer-Encoding: chunked\r\n",
    ]
    rng.shuffle(lengths)
    return _post(host, b"".join(lengths), body)


def _two_lengths(host: bytes, content: bytes, rng: random.Random) -> bytes:
    other = rng.choice([0, 1, len(content) - 1])
    lengths = [other, len(content)] if rng.random() < 0.5 else [len(content), other]
    headers = b"Content-Length: %d\r\nContent-Length: %d\r\n" % tuple(lengths)
    return _post(host, headers, content + _INNER % host)


def _odd_length(host: bytes, content: bytes, rng: random.Random) -> bytes:
    size = b"%d" % len(content)
    odd = rng.choice(
        [
            b"+" + size,
            b"-1",
            hex(len(content)).encode(),
            size + b"_0",
            size + b".0",
            b"9" * 40,
            b"",
            b"\xb2",
        ]
    )
    return _post(host, b"Content-Length: %s\r\n" % odd, content)


def _odd_encoding(host: bytes, content: bytes, rng: random.Random) -> bytes:
    odd = rng.choice(
        [
            b"xchunked",
            b"identity",
            b"chunked, identity",
            b"gzip, chunked",
            b"chunked\x0b",
            b"chunked, chunked",
        ]
    )
    return _post(host, b"Transfer-Encoding: %s\r\n" % odd, _chunked(content) + _INNER % host)


def _odd_chunk(host: bytes, content: bytes, rng: random.Random) -> bytes:
    size = b"%x" % len(content)
    start = rng.choice(
        [b"g\r\n", b"-1\r\n", b"0x" + size + b"\r\n", b"f" * 40 + b"\r\n", b"\r\n", size + b" \n"]
    )
    return _post(host, b"Transfer-Encoding: chunked\r\n", start + content + b"\r\n0\r\n\r\n")


def _chunk_without_end(host: bytes, content: bytes, rng: random.Random) -> bytes:
    glued = b"%x\r\n%s%s" % (len(content), content, rng.choice([b"xx", b"\n\n", b"0\r\n\r\n"]))
    return _post(host, b"Transfer-Encoding: chunked\r\n", glued + b"0\r\n\r\n" + _INNER % host)


def _compressed(host: bytes, content: bytes, rng: random.Random) -> bytes:
    del content
    bomb = gzip.compress(bytes(rng.choice([2**20, 2**24])), compresslevel=1)
    kind = rng.choice([b"gzip", b"x-gzip", b"gzip, gzip", b"deflate", b"br"])
    return _post(host, b"Content-Encoding: %s\r\nContent-Length: %d\r\n" % (kind, len(bomb)), bomb)


def _odd_header(host: bytes, content: bytes, rng: random.Random) -> bytes:
    odd = rng.choice(
        [
            b"No colon here\r\n",
            b"Content-Length : 5\r\n",
            b"X-A: 1\r\n folded: 2\r\n",
            b"X-A: a\0b\r\n",
            b"X-\xe4: 1\r\n",
            b": nameless\r\n",
            b"X-A: %s\r\n" % (b"a" * 70_000),
            b"X-A: 1\r\n" * 20_000,
            b"X-A: \r\r\n\r\n",
        ]
    )
    return _post(host, odd + b"Content-Length: %d\r\n" % len(content), content)


def _odd_line(host: bytes, content: bytes, rng: random.Random) -> bytes:
    line = rng.choice(
        [
            b"GET /livez",
            b"PRI * HTTP/2.0",
            b"POST /v1/classify HTTP/9.9",
            b"post  /v1/classify HTTP/1.1",
            b"M" * 70_000 + b" / HTTP/1.1",
            b"POST " + b"/x" * 40_000 + b" HTTP/1.1",
            b"CONNECT %s HTTP/1.1" % host,
            b"POST /v1/classify\0 HTTP/1.1",
            b"POST ../../etc/passwd HTTP/1.1",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ]
    )
    return line + b"\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s" % (host, len(content), content)


def _odd_host(host: bytes, content: bytes, rng: random.Random) -> bytes:
    hosts = rng.choice(
        [
            b"",
            b"Host: %s\r\nHost: %s\r\n" % (host, host),
            b"Host: evil.example\r\n",
            b"Host: %s@x\r\n" % host,
        ]
    )
    return b"POST /v1/classify HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s" % (
        hosts,
        len(content),
        content,
    )


def _cut_short(host: bytes, content: bytes, rng: random.Random) -> bytes:
    return _post(
        host, b"Content-Length: %d\r\n" % len(content), content[: rng.randrange(len(content))]
    )


def _goes_on(host: bytes, content: bytes, rng: random.Random) -> bytes:
    """The rest is another request, and must be answered as one, or refused."""
    return _post(
        host,
        b"Content-Length: %d\r\n" % len(content),
        content + rng.randbytes(rng.randrange(1, 400)),
    )


def _without_length(host: bytes, content: bytes, rng: random.Random) -> bytes:
    return _post(
        host, rng.choice([b"", b"Expect: 100-continue\r\n", b"Connection: close\r\n"]), content
    )


def _noise(host: bytes, content: bytes, rng: random.Random) -> bytes:
    del host, content
    return rng.randbytes(rng.choice([1, 20, 3000, 100_000]))


def _damaged(host: bytes, content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 8, 64])):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return _post(host, b"Content-Length: %d\r\n" % len(changed), bytes(changed))


#: By name.
FORMS: dict[str, Form] = {
    "both lengths": Form(made=_both_lengths),
    "damaged content": Form(made=_damaged, may_answer=True),
    "two lengths": Form(made=_two_lengths),
    "no number for a length": Form(made=_odd_length),
    "another encoding of the body": Form(made=_odd_encoding),
    "no number for a chunk": Form(made=_odd_chunk),
    "chunk without its end": Form(made=_chunk_without_end),
    "compressed body": Form(made=_compressed),
    # An odd header that is read in one way only may be passed over.
    "odd header": Form(made=_odd_header, may_answer=True, most=2),
    "odd request line": Form(made=_odd_line, most=2),
    "another host": Form(made=_odd_host),
    "body cut short": Form(made=_cut_short),
    "more than the length": Form(made=_goes_on, may_answer=True, most=2),
    "no length": Form(made=_without_length, most=2),
    "noise": Form(made=_noise),
}
