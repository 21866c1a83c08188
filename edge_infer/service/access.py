"""Who may ask: the Host that is meant, pages of this origin only, and a token where there is one.

A page of any web site can make a browser send requests to a service on the same machine, and a name that it controls
can be made to lead there (DNS rebinding). So a name that is not ours is refused, and so is what browsers mark as coming
from elsewhere: a page on another port of this machine counts as ``same-site``, which is elsewhere, too.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from edge_infer.service.refusal import Refused

__all__ = ["SAFE_METHODS", "Access"]

_OWN_SITES = ("same-origin", "none")
#: A header that a page can only send to its own origin, unless the server allows more, which this one never does.
_OWN_HEADER = "x-brain-edge"
#: They change nothing (RFC 9110, section 9.2.1).
SAFE_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The rules.

    Attributes:
        hosts: Values of Host that are meant, such as ``127.0.0.1:8765``.
        any_address: Whether an address in numbers is meant, too: no name leads there. Beyond loopback.
        any_host: Whether any is: on a unix socket, which no browser reaches.
        token: None where anybody who can connect may ask.
    """

    hosts: Collection[str]
    any_address: bool = False
    any_host: bool = False
    token: str | None = None

    def check_host(self, headers: Mapping[str, str]) -> None:
        """Refuse a request that was meant for another host."""
        host = headers.get("host", "").lower()
        if not host:
            raise Refused(400, "bad_request", "the request has no Host", hint="HTTP/1.1 needs one")
        if host in self.hosts or self.any_host or (self.any_address and _is_address(host)):
            return
        raise Refused(
            403,
            "host_refused",
            "Host is not the address of this service",
            hint="use the address that brain-serve prints, or start it with --allow-host",
        )

    def check_origin(self, method: str, headers: Mapping[str, str], *, is_page: bool) -> None:
        """Refuse what a page of elsewhere asks.

        Args:
            method: Of HTTP.
            headers: Of the request.
            is_page: Whether a file of the page is asked for, which a link of elsewhere may lead to.
        """
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is None and origin is None:
            return  # no browser
        is_followed_link = is_page and headers.get("sec-fetch-mode") == "navigate"
        if site not in (None, *_OWN_SITES) and not (is_followed_link and method in SAFE_METHODS):
            raise _refused_page()
        if origin is not None and _place(origin) != headers.get("host"):
            raise _refused_page()
        if method not in SAFE_METHODS and headers.get(_OWN_HEADER) != "1":
            raise _refused_page()

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Refuse a request without the token."""
        if self.token is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(_digest(given), _digest(self.token)):
            return
        raise Refused(
            401,
            "token_required",
            "the request has no valid token",
            hint="send the header Authorization: Bearer TOKEN",
            headers=(("WWW-Authenticate", "Bearer"),),
        )


def _refused_page() -> Refused:
    return Refused(
        403,
        "origin_refused",
        "a browser sent this for a page that is not of this service, or without X-Brain-Edge: 1",
        hint="open the page at the service's own address",
    )


def _place(origin: str) -> str | None:
    """Return host and port of an origin; None, which equals none, if it is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as an address in brackets without its end
        return None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).digest()


def _is_address(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
        ipaddress.ip_address(name or "")
    except ValueError:
        return False
    return True
