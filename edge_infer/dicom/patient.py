"""Whether two files are about one patient: a digest, so that neither name nor number is kept."""

import hashlib
import secrets

from edge_infer.dicom.header import Dataset

__all__ = ["PATIENT_TAGS", "take_patient"]

#: Patient's Name and Patient ID, in the order of a file.
PATIENT_TAGS = (0x00100010, 0x00100020)
#: Of this process, so that nobody can try names against a digest that got out.
_KEY = secrets.token_bytes(32)
_PADDING = b"\0 ^"  # a name may end with empty parts


def take_patient(header: Dataset) -> str:
    """Take name and number out of a header, and return what tells this patient from others.

    Small and capital letters, spaces and empty parts at the end make no other patient. Names are compared as they are
    encoded: the same one in another character set counts as another.

    Args:
        header: Read with ``PATIENT_TAGS``; they are gone afterwards.
    """
    parts = []
    for tag in PATIENT_TAGS:
        element = header.get_item(tag)
        value = b"" if element is None else element.value
        text = value if isinstance(value, bytes) else str(value or "").encode()
        parts.append(b" ".join(text.upper().strip(_PADDING).split()))
        if element is not None:
            del header[tag]
    return hashlib.blake2b(b"\\".join(parts), key=_KEY, digest_size=16).hexdigest()
