"""Headers of requests, as uvicorn gives them, and those of every response."""

from collections.abc import Iterable, Mapping

__all__ = ["PAGE_POLICY", "PLAIN_POLICY", "by_name", "security_headers"]

Pairs = list[tuple[bytes, bytes]]

#: Of the page (docs/service.md); everything else that is served shows nothing.
PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PLAIN_POLICY = b"default-src 'none'; frame-ancestors 'none'"


def by_name(pairs: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return headers by their names in lower case; one that was sent twice has both values, which equals neither."""
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def security_headers(policy: bytes) -> Pairs:
    """Return what keeps a browser from reading, showing, keeping or passing on what it was given.

    Args:
        policy: The Content-Security-Policy.
    """
    return [
        (b"content-security-policy", policy),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    ]
