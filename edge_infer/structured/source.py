"""The source of a result, read again: whose it is, which objects it is about, and what their headers add.

Every file of the series is asked, so that a result never joins two patients: a series whose files disagree gets none.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from edge_infer.dicom.content import Content, parse
from edge_infer.dicom.quiet import foreign_errors, require_pydicom
from edge_infer.errors import CorruptImage, DataRefused, UnsupportedImage
from edge_infer.names import shown_name
from edge_infer.scan_slice import Identity, ScanSlice
from edge_infer.series.result import SeriesResult
from edge_infer.structured.identity import COPIED, PatientAndStudy, patient_and_study
from edge_infer.structured.references import Reference, references_to
from edge_infer.structured.uids import is_uid

__all__ = ["Source", "identity_of", "read_source"]

_ELSEWHERE = "give the DICOM series, or take the result as text, JSON or CSV"
_PATIENT_ID, _SERIES_NUMBER = 0x00100020, 0x00200011
_LOSSY, _RATIO = 0x00282110, 0x00282112
#: JPEG, JPEG-LS near-lossless, JPEG 2000 and its part 2, HTJ2K: transfer syntaxes that lose something, or may.
_LOSSY_SYNTAXES = {
    f"1.2.840.10008.1.2.4.{number}" for number in ("50", "51", "81", "91", "93", "203")
}
_OTHERS = (0x00080005, _SERIES_NUMBER, _LOSSY, _RATIO)
#: Study, series and object.
_IDENTIFIERS = (0x0020000D, 0x0020000E, 0x00080018)
_LARGEST_NUMBER = 99999


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the files of a series say.

    Attributes:
        patient: Whom and which study the result belongs to.
        study_uid: Of all files.
        series_uid: Of all files.
        series_number: 0 if there is none, or none of 1..99999.
        is_lossy: Whether the pixels were ever compressed with loss.
        lossy_ratio: How strongly, as text; empty if unknown.
        references: All objects.
    """

    patient: PatientAndStudy
    study_uid: str
    series_uid: str
    series_number: int
    is_lossy: bool
    lossy_ratio: str
    references: tuple[Reference, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What tells this source from any other: identifiers, and whom the files name."""
        objects = [
            f"{one.sop_instance_uid} {list(one.frames)}"
            for one in sorted(self.references, key=lambda one: one.sop_instance_uid)
        ]
        copied = [self.patient.values[keyword].hex() for keyword, _, _ in COPIED]
        terms = "\\".join(self.patient.character_set)
        return (self.study_uid, self.series_uid, *objects, *copied, terms)


def read_source(result: SeriesResult) -> Source:
    """Read the headers of the files of a series.

    Raises:
        UnsupportedImage: The series has no DICOM identity, as NIfTI; or the identifiers cannot stand in an object.
        DataRefused: The files name several patients, studies or series.
        CorruptImage: A file is no longer what it was.
        InputError: A file can no longer be read.
    """
    if not result.slices:
        raise UnsupportedImage("series: has no slices, so there is nothing to write about")
    identities = [identity_of(answer.slice) for answer in result.slices]
    require_pydicom(shown_name(result.slices[0].slice.name))
    contents: dict[str, Content] = {}
    for answer, identity in zip(result.slices, identities, strict=True):
        if identity.sop_instance_uid not in contents:
            contents[identity.sop_instance_uid] = _content(answer.slice, identity)
    headers = [content.header for content in contents.values()]
    first = identities[0]
    for what, found in (
        ("studies", {one.study_instance_uid for one in identities}),
        ("series", {one.series_instance_uid for one in identities}),
        ("patients", {_text(header, _PATIENT_ID) for header in headers}),
    ):
        if len(found) > 1:
            raise DataRefused(
                f"{shown_name(result.slices[0].slice.name)}: files of its series name {len(found)} {what}",
                hint="ask the sender: a result would belong to one of them only",
            )
    ratios = [_text(header, _RATIO).split("\\")[0] for header in headers]
    return Source(
        patient=patient_and_study(headers[0]),
        study_uid=first.study_instance_uid,
        series_uid=first.series_instance_uid,
        series_number=_series_number(headers[0]),
        is_lossy=any(map(_is_lossy, contents.values())),
        lossy_ratio=max((one for one in ratios if _is_ratio(one)), key=float, default=""),
        references=tuple(references_to(identities)),
    )


def identity_of(scan: ScanSlice) -> Identity:
    """Return what a slice is called.

    Raises:
        UnsupportedImage: It has no identity, or one that cannot be referred to.
    """
    name, identity = shown_name(scan.name), scan.identity
    if identity is None:
        raise UnsupportedImage(
            f"{name}: has no patient, study and series identifiers, as NIfTI has none, so no DICOM object can be "
            "written about it",
            hint=_ELSEWHERE,
        )
    for what in ("study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid"):
        if not is_uid(getattr(identity, what)):
            raise UnsupportedImage(
                f"{name}: {what} is missing or not valid, so no DICOM object can refer to it",
                hint=_ELSEWHERE,
            )
    return identity


def _content(scan: ScanSlice, identity: Identity) -> Content:
    name = shown_name(scan.name)
    wanted = [*(tag for _, tag, _ in COPIED), *_IDENTIFIERS, *_OTHERS]
    content = parse(scan.file.read(), name, with_pixels=False, also=wanted)
    with foreign_errors(name, "DICOM header"):
        found = tuple(_text(content.header, tag) for tag in _IDENTIFIERS)
    expected = (
        identity.study_instance_uid,
        identity.series_instance_uid,
        identity.sop_instance_uid,
    )
    if found != expected:
        raise CorruptImage(
            f"{name}: holds another object than when it was classified", hint="run it again"
        )
    return content


def _is_lossy(content: Content) -> bool:
    return content.transfer_syntax in _LOSSY_SYNTAXES or _text(content.header, _LOSSY) == "01"


def _series_number(header: Dataset) -> int:
    text = _text(header, _SERIES_NUMBER)
    is_number = re.fullmatch(r"\+?[0-9]{1,5}", text) is not None
    return int(text) if is_number and int(text) <= _LARGEST_NUMBER else 0


def _is_ratio(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) is not None


def _text(header: Dataset, tag: int) -> str:
    """Return a value as text without converting it, since converting a bad one shows it."""
    element: Any = header.get_item(tag)
    value: Any = b"" if element is None else element.value
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.strip(" \0")
