"""Values of a header that are copied, made valid: each is kept as it is, or made so without changing whom it means.

What identifies someone (an ID, an accession number) is never cut: a part of a number is another number. It is left
empty instead, which DICOM allows. Dates and times in the form of ACR-NEMA are written in today's form.
"""

import re
import unicodedata
from datetime import date

__all__ = ["clean_date", "clean_identifier", "clean_name", "clean_sex", "clean_time"]

_NAME_GROUPS, _GROUP_LENGTH, _NAME_PARTS = 3, 64, 5
_DATE = re.compile(r"(\d{4})([.\-/]?)(\d{2})\2(\d{2})")
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(\.\d{1,6})?)?)?")
_LATEST = (23, 59, 60)


def clean_name(text: str) -> str:
    """Return a name that fits VR PN: at most three groups of 64 characters, no control characters."""
    if _is_name(text):
        return text
    first = "".join(character for character in text.split("\\")[0] if not _is_control(character))
    groups = first.split("=")[:_NAME_GROUPS]
    return "=".join(_cut("^".join(group.split("^")[:_NAME_PARTS])) for group in groups).rstrip("=")


def _cut(group: str) -> str:
    """Return as much of a group as fits. The limit is one of characters; some validators count bytes."""
    return group.encode("utf-8")[:_GROUP_LENGTH].decode("utf-8", "ignore").strip(" ")


def _is_name(text: str) -> bool:
    groups = text.split("=")
    return (
        len(groups) <= _NAME_GROUPS
        and all(len(group) <= _GROUP_LENGTH for group in groups)
        and all(group.count("^") < _NAME_PARTS for group in groups)
        and not any(character == "\\" or _is_control(character) for character in text)
    )


def clean_identifier(text: str, longest: int) -> str:
    """Return an identifier, or nothing if it is not valid as it is.

    Args:
        text: VR LO or SH.
        longest: Characters that the VR allows.
    """
    is_valid = len(text) <= longest and not any(
        character == "\\" or _is_control(character) for character in text
    )
    return text if is_valid else ""


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"


def clean_date(text: str) -> str:
    """Return YYYYMMDD, or nothing if it is no date."""
    found = _DATE.fullmatch(text.strip(" \0"))
    if found is None or not text.isascii():
        return ""
    year, _, month, day = found.groups()
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return ""
    return f"{year}{month}{day}"


def clean_time(text: str) -> str:
    """Return HHMMSS.FFFFFF or a beginning of it, or nothing if it is no time."""
    found = _TIME.fullmatch(text.strip(" \0"))
    if found is None or not text.isascii():
        return ""
    parts = [part for part in found.groups() if part]
    numbers = [int(part) for part in parts if part.isdigit()]
    if any(number > most for number, most in zip(numbers, _LATEST, strict=False)):
        return ""
    if parts[2:3] == ["60"]:  # a leap second, which validators take for an error
        parts[2] = "59"
    return "".join(parts)


def clean_sex(text: str) -> str:
    """Return ``M``, ``F`` or ``O``, or nothing."""
    first = text.strip(" \0").upper()
    return first if first in ("M", "F", "O") else ""
