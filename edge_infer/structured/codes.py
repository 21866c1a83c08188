"""The codes in the objects, each with where it comes from.

Classes are in no context group of DICOM. NCIt is the default: its terms are free to use (CC BY 4.0). SNOMED CT beyond
DICOM's own sets needs a licence in member countries, so it has to be asked for. Codes of this project have a private
scheme: among them "no target tumour class detected", since "normal" would say more than the model knows. Classes of
one's own are in no table, whatever they are called: "pituitary" may be the gland. Theirs are private codes, made from
their names.
"""

import hashlib
import unicodedata
from typing import Literal, NamedTuple

from edge_infer.classes import Classes
from edge_infer.structured.words import plain_ascii, short_text

__all__ = [
    "ABSTAINED",
    "ACCEPTED",
    "NO_TARGET_CLASS",
    "NO_TARGET_TUMOUR",
    "PRIVATE_SCHEME",
    "SCHEMES",
    "Code",
    "CodeScheme",
    "class_code",
    "dcm",
    "private",
    "reason_code",
]

#: Which codes tumour classes get.
CodeScheme = Literal["ncit", "sct"]
SCHEMES: tuple[CodeScheme, ...] = ("ncit", "sct")

PRIVATE_SCHEME = "99BRAINEDGE"
_LONGEST_VALUE = 16  # VR SH


class Code(NamedTuple):
    """A coded concept: value, scheme, meaning."""

    value: str
    scheme: str
    meaning: str


def dcm(value: str, meaning: str) -> Code:
    """Return a code of DICOM's own (PS3.16 Annex D)."""
    return Code(value, "DCM", meaning)


def private(value: str, meaning: str) -> Code:
    """Return a code of this project."""
    return Code(value, PRIVATE_SCHEME, meaning)


ACCEPTED = private("ACCEPTED", "Accepted")
ABSTAINED = private("ABSTAINED", "Abstained: no statement is made")
NO_TARGET_TUMOUR = private("NO_TARGET_TUMOUR", "No target tumour class detected")

NO_TARGET_CLASS = private("NO_TARGET_CLASS", "No target class detected")

#: NCIt: concept codes of the NCI Thesaurus. SCT: International Edition; 302820008 is Intracranial meningioma.
_CLASSES: dict[CodeScheme, dict[str, Code]] = {
    "ncit": {
        "glioma": Code("C3059", "NCIt", "Glioma"),
        "meningioma": Code("C3230", "NCIt", "Meningioma"),
        "pituitary": Code("C3329", "NCIt", "Pituitary adenoma"),
    },
    "sct": {
        "glioma": Code("393564001", "SCT", "Glioma"),
        "meningioma": Code("302820008", "SCT", "Intracranial meningioma"),
        "pituitary": Code("254956000", "SCT", "Pituitary adenoma"),
    },
}

#: Reasons whose names are longer than a code value may be.
_SHORTER = {"too_few_grey_levels": "few_grey_levels", "unknown_positions": "unknown_position"}


def class_code(label: str, classes: Classes, scheme: CodeScheme) -> Code:
    """Return the code of a label: of the four tumour classes that of a table, of any other a private one.

    Args:
        label: One of the classes.
        classes: Of the bundle.
        scheme: Of the tumour classes.
    """
    if label == classes.negative:
        return NO_TARGET_TUMOUR if classes.is_brain else NO_TARGET_CLASS
    if classes.is_brain:
        return _CLASSES[scheme][label]
    # The same label has the same code everywhere, and another label another one, however long they are.
    digest = hashlib.sha256(label.encode()).hexdigest()
    meaning = _meaning(label)
    is_readable = any(character.isalnum() for character in meaning)
    named = meaning if is_readable else f"Class {classes.names.index(label) + 1}"
    return private(f"CLASS_{digest[: _LONGEST_VALUE - 6].upper()}", named)


def _meaning(label: str) -> str:
    """Return a label in ASCII, letters without their accents."""
    bare = unicodedata.normalize("NFKD", label)
    return short_text("".join(one for one in bare if not unicodedata.combining(one)))


def reason_code(reason: str) -> Code:
    """Return the private code of why an answer is not accepted, given its name in JSON."""
    return private(_value(_SHORTER.get(reason, reason)), short_text(reason.replace("_", " ")))


def _value(name: str) -> str:
    return plain_ascii(name).upper()[:_LONGEST_VALUE].strip()
