"""What a signature says: names and SHA-256 of a bundle's files, as an in-toto statement of OpenSSF Model Signing.

Format: https://in-toto.io/Statement/v1 with the predicate https://model_signing/signature/v1.0, as model-signing 1.1.1
writes it (model_signing/_signing/signing.py, ``Payload``). Fields that this does not know are refused, not ignored.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from edge_infer.plain_json import parse_object

__all__ = ["read_statement", "render_statement"]

_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"
_ALGORITHM = "sha256"
_SHA256 = re.compile("[0-9a-f]{64}")

#: What model-signing leaves out by default. A bundle has none of them, except that .gitattributes is not read.
_IGNORED = (".git", ".gitattributes", ".github", ".gitignore")


def render_statement(name: str, digests: Mapping[str, str]) -> bytes:
    """Render the statement that a folder's files are these.

    Args:
        name: Of the folder. It is told, not verified: a bundle may be renamed.
        digests: SHA-256 in hexadecimal by file name.
    """
    resources = [
        {"algorithm": _ALGORITHM, "digest": digests[file], "name": file} for file in sorted(digests)
    ]
    statement = {
        "_type": _STATEMENT,
        "subject": [{"name": name, "digest": {_ALGORITHM: _root(resources)}}],
        "predicateType": _PREDICATE,
        "predicate": {
            "resources": resources,
            "serialization": {
                "allow_symlinks": False,
                "hash_type": _ALGORITHM,
                "ignore_paths": list(_IGNORED),
                "method": "files",
            },
        },
    }
    return json.dumps(statement, indent=2).encode()


def read_statement(data: bytes) -> dict[str, str]:
    """Return SHA-256 by file name.

    Args:
        data: A payload whose signature was verified.

    Raises:
        ValueError: It is no such statement, has several subjects, names a file twice, or disagrees with itself.
    """
    statement = _with_keys(
        parse_object(data.decode()), {"_type", "subject", "predicateType", "predicate"}, "statement"
    )
    _require(statement["_type"] == _STATEMENT, "_type is another")
    _require(statement["predicateType"] == _PREDICATE, "predicateType is another")
    subjects = statement["subject"]
    _require(isinstance(subjects, list) and len(subjects) == 1, "subject is not exactly one")
    subject = _with_keys(subjects[0], {"name", "digest"}, "subject")
    _require(isinstance(subject["name"], str), "the subject's name is no text")
    predicate = _with_keys(statement["predicate"], {"resources", "serialization"}, "predicate")
    _check_serialization(predicate["serialization"])
    resources = predicate["resources"]
    _require(isinstance(resources, list), "resources is no list")
    found = dict(map(_resource, resources))
    _require(len(found) == len(resources), "a file is named twice")
    _require(subject["digest"] == {_ALGORITHM: _root(resources)}, "the subject's digest is another")
    return found


def _resource(resource: object) -> tuple[str, str]:
    found = _with_keys(resource, {"algorithm", "digest", "name"}, "resource")
    name, digest = found["name"], found["digest"]
    _require(found["algorithm"] == _ALGORITHM, "a file's algorithm is another than sha256")
    _require(isinstance(name, str), "a file's name is no text")
    _require(
        isinstance(digest, str) and _SHA256.fullmatch(digest) is not None,
        "a file's digest is no SHA-256",
    )
    return name, digest


def _check_serialization(value: object) -> None:
    """How files became resources: one file, one SHA-256. Ignored paths need no look: every file must be named."""
    given = dict(value) if isinstance(value, dict) else {}
    ignored = given.pop("ignore_paths", [])
    links = given.pop("allow_symlinks", None)
    _require(
        given == {"hash_type": _ALGORITHM, "method": "files"} and isinstance(links, bool),
        "files were not hashed whole with sha256",
    )
    _require(
        isinstance(ignored, list) and all(isinstance(path, str) for path in ignored),
        "ignore_paths is no list of names",
    )


def _root(resources: list[dict[str, Any]]) -> str:
    """Return SHA-256 over the digests of all files in their order."""
    digests = b"".join(bytes.fromhex(resource["digest"]) for resource in resources)
    return hashlib.sha256(digests).hexdigest()


def _with_keys(value: object, keys: set[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != keys:
        raise ValueError(f"the {what} has other fields than {', '.join(sorted(keys))}")
    return value


def _require(is_right: bool, otherwise: str) -> None:
    if not is_right:
        raise ValueError(otherwise)
