"""Whom and which study a result belongs to: a few attributes of the source, and nothing else of it.

An allow-list, since what is copied by default (highdicom copies allergies, occupation, comments) spreads. Values that
are valid keep their bytes and their character set, so that systems show what they show for the source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from edge_infer.structured.character_sets import DEFAULT, UTF_8, declared, read_text
from edge_infer.structured.clean_values import (
    clean_date,
    clean_identifier,
    clean_name,
    clean_sex,
    clean_time,
)

__all__ = ["COPIED", "PatientAndStudy", "patient_and_study"]

#: What is copied: keyword, tag, VR.
COPIED = (
    ("StudyDate", 0x00080020, "DA"),
    ("StudyTime", 0x00080030, "TM"),
    ("AccessionNumber", 0x00080050, "SH"),
    ("PatientName", 0x00100010, "PN"),
    ("PatientID", 0x00100020, "LO"),
    ("PatientBirthDate", 0x00100030, "DA"),
    ("PatientSex", 0x00100040, "CS"),
    ("StudyID", 0x00200010, "SH"),
)
_CHARACTER_SET = 0x00080005
_TEXTS = ("SH", "PN", "LO")
_LONGEST = {"SH": 16, "LO": 64}


@dataclass(frozen=True, slots=True)
class PatientAndStudy:
    """What is copied, ready to be written.

    Attributes:
        character_set: Terms of Specific Character Set; ``("",)`` where there is none.
        values: By keyword of ``COPIED``, as stored; empty bytes where the source has no valid value.
    """

    character_set: tuple[str, ...]
    values: Mapping[str, bytes]

    def __repr__(self) -> str:
        """Show nothing of it: it is patient data."""
        return "PatientAndStudy(...)"

    @property
    def study_date(self) -> str:
        """YYYYMMDD, or empty."""
        return self.values["StudyDate"].decode("ascii")

    @property
    def study_time(self) -> str:
        """HHMMSS.FFFFFF or a beginning of it, or empty."""
        return self.values["StudyTime"].decode("ascii")

    def add_to(self, dataset: Dataset) -> None:
        """Write it into a dataset, to be encoded in explicit little endian before anyone reads it."""
        if self.character_set != DEFAULT:
            terms = "\\".join(self.character_set).encode("ascii")
            _add(dataset, _CHARACTER_SET, "CS", terms)
        for keyword, tag, kind in COPIED:
            _add(dataset, tag, kind, self.values[keyword])
        # Tells pydicom that these bytes are right, or it would decode and encode them again.
        is_default = self.character_set == DEFAULT
        encodings = default_encoding if is_default else convert_encodings(list(self.character_set))
        dataset.set_original_encoding(False, True, encodings)


def patient_and_study(source: Dataset) -> PatientAndStudy:
    """Take the attributes of ``COPIED`` from a header that was just read, and make them valid."""
    raw = {keyword: _stored(source, tag) for keyword, tag, _ in COPIED}
    terms = declared(_stored(source, _CHARACTER_SET))
    texts = {keyword: read_text(raw[keyword], terms or DEFAULT) for keyword, _, _ in COPIED}
    is_readable = terms is not None and None not in texts.values()
    if not is_readable:  # said wrongly, or not at all, how it is written
        texts = {keyword: _guessed(value) for keyword, value in raw.items()}
    clean = {keyword: _clean(kind, texts[keyword] or "") for keyword, _, kind in COPIED}
    kinds = {keyword: kind for keyword, _, kind in COPIED}
    is_changed = any(
        clean[keyword] != texts[keyword] and not clean[keyword].isascii() for keyword in clean
    )
    if terms is None or not is_readable or is_changed:
        are_ascii = all(value.isascii() for value in clean.values())
        terms = DEFAULT if are_ascii else UTF_8
        return PatientAndStudy(terms, {k: value.encode() for k, value in clean.items()})
    kept = {
        keyword: raw[keyword]
        if kinds[keyword] in _TEXTS and value == texts[keyword]
        else value.encode("ascii")
        for keyword, value in clean.items()
    }
    return PatientAndStudy(terms, kept)


def _clean(kind: str, text: str) -> str:
    if kind == "PN":
        return clean_name(text)
    if kind == "DA":
        return clean_date(text)
    if kind == "TM":
        return clean_time(text)
    if kind == "CS":
        return clean_sex(text)
    return clean_identifier(text, _LONGEST[kind])


def _guessed(raw: bytes) -> str:
    """Read a text that does not say how it is written."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _stored(source: Dataset, tag: int) -> bytes:
    """Return a value as stored, without its padding; what is no text is as good as absent."""
    element: Any = source.get_item(Tag(tag))
    value: Any = b"" if element is None else element.value
    if isinstance(value, str):
        value = value.encode("ascii", "replace")
    elif not isinstance(value, bytes):
        value = b"\\".join(str(one).encode("ascii", "replace") for one in value or ())
    return bytes(value).strip(b" \0")


def _add(dataset: Dataset, tag: int, kind: str, value: bytes) -> None:
    padded = value + b" " * (len(value) % 2)
    dataset[tag] = RawDataElement(Tag(tag), kind, len(padded), padded, 0, False, True)
