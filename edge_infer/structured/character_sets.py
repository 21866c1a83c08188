"""Texts of a header as they were written: decoded strictly with the character sets that the header states."""

from pydicom.charset import decode_bytes, python_encoding

__all__ = ["DEFAULT", "UTF_8", "declared", "read_text"]

#: No Specific Character Set: ASCII.
DEFAULT = ("",)
UTF_8 = ("ISO_IR 192",)

_ESCAPE = b"\x1b"
#: Of names: what ends a switch of character sets within a value (PS3.5 6.1.2.5.3).
_DELIMITERS = {ord("^"), ord("=")}
#: Terms of PS3.3 C.12.1.1.2 that may stand alone, and those of code extensions. pydicom knows a few more, which are
#: misspellings.
_ALONE = {term for term in python_encoding if term.startswith("ISO_IR ")} | {"GB18030"}
_EXTENSIONS = {term for term in python_encoding if term.startswith("ISO 2022 IR ")}


def declared(raw: bytes) -> tuple[str, ...] | None:
    """Return the terms of Specific Character Set, ``DEFAULT`` if it is empty, None if they are not DICOM's.

    Args:
        raw: The value as stored.
    """
    text = raw.decode("ascii", "replace")
    terms = tuple(term.strip(" \0") for term in text.split("\\"))
    if terms in (DEFAULT, ("ISO_IR 6",)):
        return DEFAULT
    if terms == ("GBK",):  # the same bytes under a name that more systems know
        return ("GB18030",)
    if len(terms) == 1:
        return terms if terms[0] in _ALONE | _EXTENSIONS else None
    # With extensions the first term has another name, which is often overlooked.
    terms = (terms[0].replace("ISO_IR ", "ISO 2022 IR "), *terms[1:])
    are_known = terms[0] in _EXTENSIONS | {""} and set(terms[1:]) <= _EXTENSIONS
    return terms if are_known else None


def read_text(raw: bytes, terms: tuple[str, ...]) -> str | None:
    """Return the text, or None if it is not in these character sets.

    Args:
        raw: One value, without padding.
        terms: As ``declared`` returns them.
    """
    if _ESCAPE not in raw and (terms == DEFAULT or terms[0] in ("", "ISO_IR 6", "ISO 2022 IR 6")):
        return raw.decode("ascii") if raw.isascii() else None
    encodings = [python_encoding[term] for term in terms]
    try:
        if _ESCAPE not in raw:
            return raw.decode(encodings[0])
        text = str(decode_bytes(raw, encodings, _DELIMITERS))
    except (UnicodeError, LookupError):
        return None
    # Where it cannot decode a part, pydicom replaces it.
    return None if "\ufffd" in text or "\x1b" in text else text
