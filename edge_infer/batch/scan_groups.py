"""DICOM files that lie together become units: a folder is a study, and a large one is taken apart by its identifiers.

Slices of a series must be seen together, so a unit holds whole series. A folder of up to ``MAX_STUDY_FILES`` files is
one unit, as ``brain-infer`` takes it; of a larger one, each series is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.batch.locations import is_url, parent_of
from edge_infer.batch.remote import read_url
from edge_infer.batch.units import Unit
from edge_infer.errors import BrainError, DataRefused
from edge_infer.image_file import read_file
from edge_infer.names import shown_name
from edge_infer.scan_files import MAX_SCAN_BYTES

__all__ = ["MAX_STUDY_FILES", "ScanGroups"]

#: In one unit, where a folder can be taken apart.
MAX_STUDY_FILES = 2_000

#: Of one series, in one unit; a study of more slices is refused anyway.
_MOST_OF_A_SERIES = 100_000

#: Holds the header of every usual file.
_HEAD_BYTES = 2**18

#: In place of a name: these errors are not shown.
_UNSHOWN = "file"


@dataclass(slots=True)
class ScanGroups:
    """Gathers DICOM files of one folder after the other.

    Attributes:
        folder: Of the files that are being gathered.
    """

    folder: str = ""
    _files: dict[str, None] = field(default_factory=dict)
    #: Hashes of the folders so far, as a list may name millions: of files that were named one by one, to the end, as
    #: whole folders may be named between them; of files that were found, to the end of the folder they were found in.
    _named: set[int] = field(default_factory=set)
    _found: set[int] = field(default_factory=set)

    def add(self, path: str, *, is_named: bool) -> Iterator[Unit]:
        """Take a file; yield the units of the folder before, if this one lies elsewhere.

        Args:
            path: Of the file, or a URL.
            is_named: It was named itself, not found in a folder.

        Raises:
            DataRefused: Its folder came before another one: its series would be cut into pieces.
        """
        folder = parent_of(path)
        if folder != self.folder:
            yield from self._gathered()
            self.folder = folder
            before = self._named if is_named else self._found
            if hash(folder) in before:
                raise DataRefused(
                    f"{shown_name(folder)}: scans of this folder are named before and after those of others, which "
                    "would cut its series into pieces",
                    hint="sort the list by folder, or name the folders",
                )
            before.add(hash(folder))
            if not is_named:  # answered whole; who names a slice of it then asks for it once more
                self._named.discard(hash(folder))
        self._files[path] = None  # one that a list names twice is one slice all the same

    def flush(self) -> Iterator[Unit]:
        """Yield the units of what was gathered; what is found then is of other studies, whatever its folder."""
        yield from self._gathered()
        self._found.clear()
        self.folder = ""

    def _gathered(self) -> Iterator[Unit]:
        files, self._files = list(self._files), {}
        for group in _grouped(files):
            # A single file is its own place, so that its name is in the row of its series.
            source = group[0] if len(files) == 1 else self.folder
            members = () if len(files) == 1 else tuple(group)
            yield Unit(kind="study", source=source, members=members)


def _grouped(files: Sequence[str]) -> Iterator[Sequence[str]]:
    if len(files) <= MAX_STUDY_FILES:
        if files:
            yield files
        return
    groups: dict[tuple[str, str], list[str]] = {}
    for path in files:
        groups.setdefault(_identifiers(path), []).append(path)
    for (_, series), group in groups.items():
        # Without identifiers nothing says that they belong together.
        most = _MOST_OF_A_SERIES if series else MAX_STUDY_FILES
        for start in range(0, len(group), most):
            yield group[start : start + most]


def _identifiers(path: str) -> tuple[str, str]:
    """Return Study and Series Instance UID, each empty where it is missing or the file is damaged."""
    from edge_infer.dicom.header import uid

    try:
        header = _header(path)
    except BrainError:  # it gets its row when it is answered
        return "", ""
    return uid(header, "StudyInstanceUID"), uid(header, "SeriesInstanceUID")


def _header(path: str) -> object:
    """Return the header, of the first bytes of the file if it ends there."""
    from edge_infer.dicom.content import parse

    if start := _start(path):
        try:
            content = parse(start, _UNSHOWN, with_pixels=False)
        except BrainError:  # it may be cut in the middle of a value
            pass
        else:
            if content.has_pixels:  # so it holds the whole header
                return content.header
    return parse(_content(path), _UNSHOWN, with_pixels=False).header


def _start(path: str) -> bytes:
    if is_url(path):
        return b""  # a part takes as long as the file
    try:
        with Path(path).open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _content(path: str) -> bytes:
    if is_url(path):
        return read_url(path, limit=MAX_SCAN_BYTES)
    return read_file(Path(path), limit=MAX_SCAN_BYTES)
