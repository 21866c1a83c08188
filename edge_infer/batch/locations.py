"""Where files lie: a path of this machine, or a URL of fsspec. Both are words that plan, worker and results share.

A path is made absolute, so that it means the same in every process.
"""

import os
import re
from urllib.parse import unquote

from edge_infer.errors import DataRefused
from edge_infer.names import shown_name

__all__ = ["base_name", "is_url", "located", "parent_of"]

#: Two letters and more: ``C:`` is a drive.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CHAIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+::.*://|.*://.*::", re.DOTALL)
_LOCAL = re.compile(r"(?:file|local)://", re.IGNORECASE)
#: With a stroke in it, unless what stands before the stroke is a port: ``http://host:80/a@b.png`` holds none.
_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://(?:[^/@]*:[^/@]*|[^/@:\[]*:(?!\d*/)[^@]*)@")
#: The user of http and WebDAV, which may be a token. That of sftp, smb or hdfs is a name, and in abfs a container.
_USER = re.compile(r"(?:https?|davs?)://[^/?#]*@", re.IGNORECASE)
_WEB = re.compile(r"(?:https?|davs?)://", re.IGNORECASE)
#: Names of fields of a query; an author or authority is no authorisation.
_CREDENTIAL = re.compile(
    r"(?i:signature|token|credential|key|secret|passw|passphrase|pwd|bearer|jwt|session.?id)"
    r"|(?i:auth(?!ors?(?:[^a-z]|$)|orit(?:y|ies)))"
    r"|(?:^|[^A-Za-z])(?i:sig|pass|pw)$|(?:Sig|Pass|Pw)$"
)


def located(given: str) -> str:
    """Return an absolute path, or the URL as given.

    Raises:
        DataRefused: It is empty, holds a password or another credential, or is a chain of several URLs.
    """
    if not given:
        raise DataRefused(
            "a path is empty", hint="name the file or folder; . is the working folder"
        )
    if _PASSWORD.search(given):
        raise DataRefused(
            "a URL holds a password, which would be written into plan and results",
            hint="give it by the environment or by fsspec's settings",
        )
    if _USER.search(given):
        raise DataRefused(
            "a URL holds a user or token before its host, which would be written into plan and results",
            hint="give it by the environment or by fsspec's settings",
        )
    if _holds_credential(given):
        raise DataRefused(
            "a URL holds a password, a key or signature in its query, which would be written into plan and results",
            hint="give it by the environment or by fsspec's settings",
        )
    if _CHAIN.match(given):
        raise DataRefused(
            f"{shown_name(given)}: is a chain of URLs, expected one",
            hint="give the URL of the file or folder itself",
        )
    if local := _LOCAL.match(given):
        given = given[local.end() :]
    elif is_url(given):
        return given
    return os.path.abspath(given)  # noqa: PTH100 -- links stay: the path is shown as given


def is_url(word: str) -> bool:
    """Whether a word is a URL rather than a path."""
    return _URL.match(word) is not None


def base_name(place: str) -> str:
    """Return the last part of a path or URL."""
    return place.rstrip("/").rpartition("/")[2] if is_url(place) else os.path.basename(place)  # noqa: PTH119


def parent_of(place: str) -> str:
    """Return the folder of a path or URL."""
    return place.rstrip("/").rpartition("/")[0] if is_url(place) else os.path.dirname(place)  # noqa: PTH120


def _holds_credential(given: str) -> bool:
    if _LOCAL.match(given) or not (is_url(given) or _CHAIN.match(given)):
        return False
    # In an object store, # belongs to the name.
    query = re.search("[?#](.*)" if _WEB.match(given) else "[?](.*)", given, re.DOTALL)
    fields = re.split("[?#&;]", query[1]) if query else []
    names = (name for name, equals, _ in (field.partition("=") for field in fields) if equals)
    return any(_CREDENTIAL.search(unquote(name)) for name in names)
