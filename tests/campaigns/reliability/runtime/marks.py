"""Canaries: texts that stand for what must not get out, one for each field of each trial, and the search for them."""

import base64
import datetime
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator

import pydicom
from pydicom.dataset import Dataset

__all__ = ["COPIED", "KANJI", "LATIN", "Marks", "found_in", "without_copied"]

#: Attributes of a result that repeat the source's on purpose (docs/structured-results.md).
COPIED = (
    *("StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID"),
    *("PatientBirthDate", "PatientSex", "StudyID", "StudyInstanceUID"),
    *("ContentDate", "ContentTime"),  # those of the study
)

#: In names; each is in character sets that the others lack.
KANJI, LATIN = "鬱鑿靈", "ÿÞðÐþÆ"


class Marks:
    """The canaries of one trial."""

    def __init__(self, number: int) -> None:
        self.beginning = f"ZQ{number % 100000:05}X"
        self._count = 0
        day = datetime.date(1801, 1, 1) + datetime.timedelta(days=number % 35000)
        self.date, self._day = day.strftime("%Y%m%d"), day

    def next(self) -> str:
        """A text of its own for a field: capitals and digits, eleven of them."""
        self._count += 1
        return f"{self.beginning}{self._count % 1000:03}"

    @property
    def needles(self) -> dict[str, bytes]:
        """What must not be found, by the form in which it is written."""
        day = self._day
        texts = {
            "text": self.beginning,
            "small letters": self.beginning.lower(),
            "date": self.date,
            "date, ISO": day.isoformat(),
            "date, German": day.strftime("%d.%m.%Y"),
            "date, American": day.strftime("%m/%d/%Y"),
            "date, dots": day.strftime("%Y.%m.%d"),
            "kanji": KANJI,
            "Latin letters": LATIN,
        }
        forms = {}
        for name, text in texts.items():
            data = text.encode()
            forms[name] = data
            for coding in ("utf-16-le", "utf-16-be"):
                forms[f"{name}, {coding}"] = text.encode(coding)
            forms[f"{name}, hexadecimal"] = data.hex().encode()
            for shift in range(3):  # without the letters that depend on what stands around
                coded = base64.b64encode(bytes(shift) + data)
                whole = coded[(0, 2, 3)[shift] : (shift + len(data)) * 8 // 6]
                forms[f"{name}, base64 {shift}"] = whole
        for name, text, codings in (
            ("kanji", KANJI, ("iso2022_jp", "shift_jis", "euc_jp")),
            ("Latin letters", LATIN, ("latin-1",)),
        ):
            for coding in codings:
                forms[f"{name}, {coding}"] = (
                    text.encode(coding).removeprefix(b"\x1b$B").removesuffix(b"\x1b(B")
                )
            forms[f"{name}, JSON"] = "".join(f"\\u{ord(sign):04x}" for sign in text).encode()
            forms[f"{name}, escaped"] = "".join(f"\\x{byte:02x}" for byte in text.encode()).encode()
            forms[f"{name}, HTML"] = "".join(f"&#{ord(sign)};" for sign in text).encode()
            forms[f"{name}, misread"] = text.encode().decode("latin-1").encode()
        forms["Latin letters, escaped bytes"] = "".join(
            f"\\x{ord(sign):02x}" for sign in LATIN
        ).encode()
        return forms


def found_in(data: bytes, needles: dict[str, bytes], *, depth: int = 2) -> str | None:
    """Return the form in which a canary is in the data, or in what is packed in them; None if there is none."""
    for form, needle in needles.items():
        if needle in data:
            return form
    if depth:
        for part in _parts(data):
            inner = found_in(part, needles, depth=depth - 1)
            if inner is not None:
                return f"{inner}, packed"
    return None


def _parts(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"\x89PNG"):
        for keyword in (b"zTXt", b"iTXt", b"iCCP"):
            for place in (found.start() for found in re.finditer(keyword, data)):
                yield from _inflated(data[place:])
    elif data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    elif data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
    elif data[128:132] == b"DICM":
        return
    else:  # images in base64 in answers and pages
        for coded in re.findall(rb"[A-Za-z0-9+/]{60,}={0,2}", data):
            if len(coded) % 4 == 0:
                yield base64.b64decode(coded)


def _inflated(data: bytes) -> Iterator[bytes]:
    for start in range(4, 90):
        try:
            yield zlib.decompressobj().decompress(data[start:])
        except zlib.error:
            continue
        return


def without_copied(data: bytes) -> bytes:
    """Return a DICOM result without the attributes that are copied on purpose."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    for keyword in COPIED:
        if keyword in dataset:
            delattr(dataset, keyword)
    parts = [data[:128], dataset.file_meta.to_json().encode(), *_values(dataset)]
    return b"\n".join(parts)


def _values(dataset: Dataset) -> Iterator[bytes]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _values(item)
        elif isinstance(element.value, bytes):
            yield element.value
        elif element.VR != "UI":  # identifiers refer to what the result is of
            yield str(element.value).encode()
