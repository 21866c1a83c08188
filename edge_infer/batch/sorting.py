"""What a file is for: an image, a scan, an archive or nothing; here and at URLs alike."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec

from edge_infer.batch.left_out import Left, LeftOut
from edge_infer.batch.locations import base_name
from edge_infer.batch.scan_groups import ScanGroups
from edge_infer.batch.units import Unit
from edge_infer.batch.zip_units import units_of_archive
from edge_infer.errors import MissingDependency, UnreadableInput
from edge_infer.inputs import HEATMAP_ENDING, IMAGE_ENDINGS
from edge_infer.names import shown_name
from edge_infer.scan_files import ScanKind, kind_of

__all__ = ["Sorting", "Start", "require_reader"]

#: Gives the first bytes of a file, if they are asked for; raises UnreadableInput where it cannot be read.
Start = Callable[[], bytes]

_READERS = {"dicom": "pydicom", "nifti": "nibabel"}
_FORMATS = {"dicom": "DICOM", "nifti": "NIfTI"}


class Sorting:
    """Makes units of files, one after the other.

    Args:
        left_out: Counts what is none.

    Attributes:
        taken: How many files went into units; a scan's unit may come later than its files.
    """

    def __init__(self, left_out: LeftOut) -> None:
        self.taken = 0
        self._left_out = left_out
        self._scans = ScanGroups()

    def found(self, place: str, start: Start) -> Iterator[Unit]:
        """Yield the units that a file in a folder completes: images by their endings, scans by their content.

        Args:
            place: Path or URL.
            start: Not called for an image.

        Raises:
            MissingDependency: It is a scan, and the package that reads it is not installed.
        """
        name = base_name(place)
        small = name.lower()
        if small.endswith(HEATMAP_ENDING):
            self._left_out.add(Left.HEATMAP, name)
        elif small.endswith(IMAGE_ENDINGS):
            yield self._image(place)
        else:
            try:
                kind = kind_of(start())
            except UnreadableInput:  # nobody knows whether it is a scan
                yield self.unreadable(place)
                return
            if kind is None or kind == "zip":
                self._left_out.add(Left.OTHER if kind is None else Left.ARCHIVE, name)
            else:
                yield from self._scan(place, kind, is_named=False)

    def named(self, place: str, start: Start) -> Iterator[Unit]:
        """Yield the units that a file completes that was named itself, whatever it is called.

        Args:
            place: Path or URL.
            start: Gives its first bytes.

        Raises:
            MissingDependency: As for ``found``.
        """
        try:
            kind = kind_of(start())
        except UnreadableInput:
            kind = None
        if kind is None:  # missing ones, too: they fail alone
            yield self._image(place)
        elif kind == "zip":
            for unit in units_of_archive(place, self._left_out):
                self.taken += 1
                yield unit
        else:
            yield from self._scan(place, kind, is_named=True)

    def rest(self) -> Iterator[Unit]:
        """Yield the units that nothing more belongs to."""
        yield from self._scans.flush()

    def unreadable(self, place: str) -> Unit:
        """Return the unit of what cannot be read: it fails when it is answered, and the others do not."""
        return self._image(place)

    def _image(self, place: str) -> Unit:
        self.taken += 1
        return Unit(kind="image", source=place)

    def _scan(self, place: str, kind: ScanKind, *, is_named: bool) -> Iterator[Unit]:
        require_reader(kind, place)
        self.taken += 1
        if kind == "dicom":
            yield from self._scans.add(place, is_named=is_named)
        else:  # a volume of its own
            yield Unit(kind="study", source=place)


def require_reader(kind: str, place: str) -> None:
    """Check that what reads a kind of scan is installed: otherwise an archive of them would fail file by file.

    Args:
        kind: ``dicom`` or ``nifti``.
        place: Of the file, for the message.

    Raises:
        MissingDependency: It is not.
    """
    package = _READERS[kind]
    if find_spec(package) is None:
        raise MissingDependency(
            f"{shown_name(place)}: format is {_FORMATS[kind]}, which needs the package {package}",
            hint=f"pip install 'brain-edge[{kind}]'",
        )
