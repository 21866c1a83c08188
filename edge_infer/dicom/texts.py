"""The free text of a header that says what a series is; it is reduced to words of fixed lists right here."""

from edge_infer.described import described_as
from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import Dataset, raw

__all__ = ["descriptions", "is_said_localizer", "texts_of", "typed_codes"]

#: The most telling first: a protocol may hold several series, and a name of a sequence says nothing of the purpose.
_TEXTS = ("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName")
_NO_PURPOSE = frozenset({"fat_saturated"})


def texts_of(frame: Frame, *keywords: str) -> list[str]:
    """Return texts as they are; never to be shown."""
    found = ((raw(place, one) for place in frame.plain) for one in keywords)
    return [str(text) for several in found for text in several if text]


def typed_codes(frame: Frame, keyword: str) -> list[str]:
    """Return code strings that somebody typed, with the letters that were meant.

    A code string has no character set (PS3.5 section 6.1.2.2), so pydicom reads "HÜFTE" byte by byte.
    """
    return [_decoded(text, frame.top) for text in texts_of(frame, keyword)]


def _decoded(text: str, header: Dataset) -> str:
    try:
        stored = text.encode("latin-1")
    except UnicodeEncodeError:
        return text
    try:
        return (
            stored.decode()
        )  # UTF-8, as most files are, whatever they say; hardly anything else is valid UTF-8
    except UnicodeDecodeError:
        pass
    from pydicom.charset import convert_encodings, decode_bytes

    try:
        named = raw(header, "SpecificCharacterSet")
        found = str(decode_bytes(stored, convert_encodings(named), set())) if named else text
    except (LookupError, ValueError):
        return text
    return text if "\N{REPLACEMENT CHARACTER}" in found else found


def descriptions(frame: Frame) -> frozenset[str]:
    """Return which sequences and kinds of contrast the texts name."""
    return _named(frame, *_TEXTS)


def is_said_localizer(frame: Frame) -> bool:
    """Whether the series is called a localizer.

    The protocol counts only where the series itself is called nothing, since GE's is that of the whole examination.
    """
    series = _named(frame, "SeriesDescription")
    if series - _NO_PURPOSE:
        return "localizer" in series
    return "localizer" in _named(frame, *_TEXTS[1:])


def _named(frame: Frame, *keywords: str) -> frozenset[str]:
    return frame.once(described_as, tuple(texts_of(frame, *keywords)))
