"""Unique identifiers that follow from what an object is about, so that the same result is never stored twice.

A UUID after ``2.25.`` needs no registered root (PS3.5 B.2). A version 5 UUID is a digest of its parts.
"""

import json
import uuid

from pydicom.config import IGNORE
from pydicom.dataelem import DataElement

__all__ = ["CODING_SCHEME_UID", "IMPLEMENTATION_CLASS_UID", "as_is", "derived_uid", "is_uid"]

#: Of this software, as the writer of the files (PS3.7 D.3.3.2).
IMPLEMENTATION_CLASS_UID = "2.25.181541609743304440773379013922719222016"

#: Of the private codes of ``edge_infer.structured.codes``.
CODING_SCHEME_UID = "2.25.211115911265788133618754467118531597146"

_NAMESPACE = uuid.UUID("bc232bec-70e7-445e-8dad-c22e65103357")
_LONGEST = 64


def derived_uid(*parts: str) -> str:
    """Return the same identifier for the same parts, and another for any others; at most 44 characters."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, json.dumps(parts)).int}"


def is_uid(text: str) -> bool:
    """Whether a text can stand where DICOM expects an identifier: digits and single dots, at most 64 characters.

    Parts that begin with 0 are forbidden, but in use; what another system wrote has to be repeated as it is.
    """
    parts = text.split(".")
    return len(text) <= _LONGEST and all(part.isascii() and part.isdigit() for part in parts)


def as_is(keyword: str, uid: str) -> DataElement:
    """Return an attribute with an identifier of the source, not judged: it has to be the same."""
    return DataElement(keyword, "UI", uid, validation_mode=IGNORE)
