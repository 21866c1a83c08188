"""The bytes of a DICOM file become a header, or a header with pixels; every cost is bounded.

pydicom unpacks deflated files without a limit, reads on after the end of a file, and takes a text file for DICOM if it
is told to read files without a preamble.
"""

import io
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from edge_infer.dicom.header import Dataset
from edge_infer.dicom.quiet import foreign_errors
from edge_infer.dicom.tags import FLOAT_PIXELS, HEADER_TAGS, PIXEL_DATA, PIXEL_TAGS
from edge_infer.errors import CorruptImage, InputOverLimit
from edge_infer.scan_files import MAX_SCAN_BYTES, unpacked

__all__ = ["Content", "parse"]

_PREAMBLE = 128
_DEFLATED = "1.2.840.10008.1.2.1.99"
_NATIVE = {  # by (implicit, little endian)
    (True, True): "1.2.840.10008.1.2",
    (False, True): "1.2.840.10008.1.2.1",
    (False, False): "1.2.840.10008.1.2.2",
}
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT"})
#: pydicom reads an element in two or three steps; an enhanced MR of 1,000 frames takes some 150,000.
_MOST_STEPS = 4_000_000
#: Of these, ahead of the data set: pydicom reads groups 0002 and 0000 there, which have some 20 elements each.
_MOST_STEPS_AHEAD = 4096
#: Beside the steps, since those of real files stand in sequences: a classic MR has some 200 elements, 500 at the most.
_MOST_ELEMENTS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was read of a file.

    Attributes:
        header: pydicom's dataset, with the transfer syntax in ``file_meta``.
        transfer_syntax: Its identifier; guessed from the encoding where the file states none.
        is_syntax_stated: Whether the file states it.
        storage_class: Media Storage SOP Class UID; empty without meta information.
        has_pixels: Whether there is a place for pixels, whole or cut.
        has_float_pixels: Whether they are float or double.
    """

    header: Dataset = field(repr=False)
    transfer_syntax: str
    is_syntax_stated: bool
    storage_class: str
    has_pixels: bool
    has_float_pixels: bool


def parse(data: bytes, name: str, *, with_pixels: bool, also: Collection[int] = ()) -> Content:
    """Read the attributes that are used here; others, names and dates among them, are skipped.

    Args:
        data: Of a whole file, with or without preamble and meta information.
        name: As shown.
        with_pixels: Otherwise reading ends before them.
        also: Tags to read besides, for the room that writes results.

    Raises:
        CorruptImage: Damaged, cut short, or not DICOM.
        InputOverLimit: It unpacks to more than 512 MiB, or has too many elements.
    """
    with foreign_errors(name, "DICOM header"):
        return _parse(data, name, with_pixels=with_pixels, also=also)


def _parse(data: bytes, name: str, *, with_pixels: bool, also: Collection[int]) -> Content:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.filereader import read_dataset, read_partial
    from pydicom.uid import UID

    if data.startswith(b"DICM"):
        data = bytes(_PREAMBLE) + data
    meta, end, is_sound = _meta_of(data)
    tags = [*HEADER_TAGS, *also, *(PIXEL_TAGS if with_pixels else ())]
    pixels = _PixelsAhead(name, is_end=not with_pixels)
    if meta.get(0x0010) == _DEFLATED:
        if not is_sound:  # of other files pydicom reads it itself
            raise CorruptImage(
                f"{name}: DICOM header is damaged (meta information)",
                hint="copy or export the file again",
            )
        packed = memoryview(data)[end:]
        file = _BoundedSteps(unpacked(packed, name, is_gzip=False, limit=MAX_SCAN_BYTES), name)
        body = read_dataset(file, False, True, stop_when=pixels, specific_tags=tags)
        header = FileDataset("", body, None, FileMetaDataset(), False, True)
    else:
        file = _BoundedSteps(data, name, most=_MOST_STEPS_AHEAD)
        pixels.first = file.allow_all
        header = read_partial(file, stop_when=pixels, specific_tags=tags, force=True)
    stated = meta.get(0x0010) or str(header.file_meta.get("TransferSyntaxUID") or "")
    implicit, little = header.original_encoding
    syntax = stated or _NATIVE[bool(implicit), bool(little)]
    header.file_meta.TransferSyntaxUID = UID(syntax)
    return Content(
        header=header,
        transfer_syntax=syntax,
        is_syntax_stated=bool(stated),
        storage_class=meta.get(0x0002, ""),
        has_pixels=bool(pixels.seen & (FLOAT_PIXELS | {PIXEL_DATA})),
        has_float_pixels=bool(pixels.seen & FLOAT_PIXELS),
    )


def _meta_of(data: bytes) -> tuple[dict[int, str], int, bool]:
    """Return the text values of group 0002 by element, where the group ends, and whether it is in order.

    Explicit little endian, PS3.10 7.1: elements rise, and each has a kind of value that there is.
    """
    from pydicom.valuerep import STANDARD_VR

    kinds = {kind.encode("ascii") for kind in STANDARD_VR}
    last, is_sound = -1, True
    at = _PREAMBLE + 4 if data[_PREAMBLE : _PREAMBLE + 4] == b"DICM" else 0
    found: dict[int, str] = {}
    for _ in range(_MOST_STEPS_AHEAD):
        if data[at : at + 2] != b"\x02\0" or at + 12 > len(data):
            break
        (element,) = struct.unpack_from("<H", data, at + 2)
        is_sound = is_sound and element > last and data[at + 4 : at + 6] in kinds
        last = element
        is_long = data[at + 4 : at + 6] in _LONG
        length = struct.unpack_from("<I" if is_long else "<H", data, at + (8 if is_long else 6))[0]
        at += 12 if is_long else 8
        if not is_long and length <= 64:
            found[element] = data[at : at + length].decode("ascii", "replace").strip("\0 ")
        at += length
    return found, at, is_sound


class _PixelsAhead:
    """Asked by pydicom before each element that is in no sequence: notes pixels, and ends the reading there."""

    def __init__(self, name: str, *, is_end: bool) -> None:
        self._shown = name
        self._is_end = is_end
        self._elements = 0
        self.first: Callable[[], None] | None = None
        self.seen: set[int] = set()

    def __call__(self, tag: Any, _vr: str | None, _length: int) -> bool:
        self._elements += 1
        if self._elements == 1 and self.first is not None:
            self.first()
        if self._elements > _MOST_ELEMENTS:
            raise InputOverLimit(f"{self._shown}: DICOM header has too many elements")
        found = int(tag)
        if found in FLOAT_PIXELS or found == PIXEL_DATA:
            self.seen.add(found)
            return self._is_end
        return False


class _BoundedSteps(io.BytesIO):
    """A file in memory that can be read in so many steps only."""

    def __init__(self, data: bytes, name: str, *, most: int = _MOST_STEPS) -> None:
        super().__init__(data)
        self._shown = name
        self._steps, self._most = 0, most

    def allow_all(self) -> None:
        """Allow as many steps as a data set may take."""
        self._most = _MOST_STEPS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file."""
        self._steps += 1
        if self._steps > self._most:
            raise InputOverLimit(f"{self._shown}: DICOM header has too many elements")
        return super().read(size)
