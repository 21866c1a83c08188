"""The units of a ZIP archive: each image is one, and what it holds of scans is one study.

Whatever is amiss with the archive or a member is told when the unit is answered: here nothing is refused.
"""

from collections.abc import Iterator
from pathlib import Path

from edge_infer.batch.left_out import Left, LeftOut
from edge_infer.batch.locations import base_name, is_url
from edge_infer.batch.remote import read_url
from edge_infer.batch.units import Unit
from edge_infer.errors import BrainError, InputError
from edge_infer.inputs import IMAGE_ENDINGS
from edge_infer.scan_files import MAX_SCAN_BYTES, ScanKind, kind_of
from edge_infer.series.archive import Archive, Member

__all__ = ["member_name", "open_archive", "units_of_archive"]


def open_archive(place: str) -> Archive:
    """Open an archive; that of a URL is read into memory.

    Raises:
        InputError: It cannot be read, is damaged or holds too much; in memory, more than 512 MiB.
    """
    if is_url(place):
        return Archive(Path(place), read_url(place, limit=MAX_SCAN_BYTES))
    return Archive(Path(place))


def member_name(archive: str, member: Member) -> str:
    """Return the name of a member within its archive."""
    return member.name.removeprefix(f"{Path(archive)}!")


def units_of_archive(place: str, left_out: LeftOut) -> Iterator[Unit]:
    """Yield the units of an archive, images in order of name, then the study.

    An archive that cannot be opened is a unit, too: it fails when it is answered.

    Args:
        place: A path or URL.
        left_out: Counts what is no image and no scan.
    """
    study = Unit(kind="study", source=place)
    try:
        members = list(open_archive(place).members())
    except InputError:
        yield study
        return
    # Of several members of one name, only the last can be asked for.
    last = {member.name: member for member in members}
    has_scans = False
    for member in members:
        name = member_name(place, member)
        if last[member.name] is not member:
            left_out.add(Left.NAMESAKE, base_name(name))
            continue
        kind = _kind(member)
        if kind is None and name.lower().endswith(IMAGE_ENDINGS):
            yield Unit(kind="image", source=place, members=(name,))
        elif kind is None:
            left_out.add(Left.OTHER, base_name(name))
        elif kind == "zip":
            left_out.add(Left.NESTED, base_name(name))
        else:
            has_scans = True
    if has_scans:
        yield study


def _kind(member: Member) -> ScanKind | None:
    """Return what a member holds; one that may be a scan and cannot be looked at counts as one."""
    try:
        return kind_of(member.start())
    except BrainError:
        return None if member.name.lower().endswith(IMAGE_ENDINGS) else "dicom"
