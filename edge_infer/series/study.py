"""Open a study: files, folders and archives become series, each a stack of slices in order of position."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from edge_infer.errors import (
    BrainError,
    InputError,
    InputOverLimit,
    MissingDependency,
    NoInputs,
    UnsupportedImage,
)
from edge_infer.folder_walk import is_folder
from edge_infer.inputs import expand_inputs, first_bytes
from edge_infer.names import shown_name, shown_names
from edge_infer.scan_files import MAX_SCAN_BYTES, START_BYTES, ScanKind, kind_of
from edge_infer.scan_slice import Plane, ScanFile, ScanSlice
from edge_infer.series.archive import Archive
from edge_infer.series.result import Refused
from edge_infer.series.stacks import Stack, stacks_of

__all__ = ["MAX_SLICES", "Series", "Study", "StudyPaths", "open_content", "open_study"]

StudyPaths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_SHARED_SERIES = (
    "files of one Series Instance UID name several patients: those of each are a series of their own, and which of "
    "them a slice belongs to is not sure; ask the sender"
)
_SHARED_STUDY = "files of one Study Instance UID name several patients: ask the sender"
_UNNAMED = "files without a Series Instance UID: those of one study and one folder are taken for one series"

#: Of all series together; a study of more is more than one.
MAX_SLICES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A stack of slices that is answered as one.

    Attributes:
        number: From 1, in the order of the study.
        study_instance_uid: Empty where there is none.
        series_instance_uid: Empty where there is none. Several stacks may share one.
        slices: At least one, in order of position.
        plane: Of all slices; None if unknown.
        has_places: Whether each slice lies at a place of its own.
        gaps: Indices of slices that lie behind a gap.
        warnings: What is amiss with the positions, or with identifiers.
        names_several_patients: Whether files under its identifiers name another patient; those are a series apart.
    """

    number: int
    study_instance_uid: str
    series_instance_uid: str
    slices: tuple[ScanSlice, ...] = field(repr=False)
    plane: Plane | None
    has_places: bool
    gaps: frozenset[int] = frozenset()
    warnings: tuple[str, ...] = ()
    names_several_patients: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What was found.

    Attributes:
        series: In the order in which their first files were found.
        refused: Files that are scans and are not read, and why.
        left_out: Files that are no scans, in words; empty if there are none.
        others: Names of these, but for what was left out of a folder.
    """

    series: tuple[Series, ...]
    refused: tuple[Refused, ...] = ()
    left_out: str = ""
    others: tuple[str, ...] = ()

    @property
    def slices(self) -> int:
        """How many slices all series have."""
        return sum(len(series.slices) for series in self.series)


@dataclass(slots=True)
class _Found:
    slices: list[ScanSlice] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    #: What cannot be read for want of a package, by kind of file.
    missing: dict[str, tuple[str, MissingDependency, int]] = field(default_factory=dict)


def open_study(paths: StudyPaths, *, despite: Collection[str] = ()) -> Study:
    """Read the headers of all scans and put slices of one series in order. Pixels are read later, slice by slice.

    Args:
        paths: A file, a folder or a ZIP archive, or several. Folders are searched; what is no scan is counted in
            ``left_out``.
        despite: Refusals to overrule, values of ``edge_infer.refusals.OVERRULABLE``.

    Raises:
        NoInputs: Nothing there is a scan.
        UnreadableInput: A folder may not be read.
    """
    found = _Found()
    for path in _several(paths):
        _add_path(found, path, despite)
    return _study(found)


def open_content(content: bytes, *, name: str, despite: Collection[str] = ()) -> Study:
    """Read the headers of a scan, or of an archive of scans, that is in memory; nothing is written to the disk.

    Args:
        content: Of a DICOM or NIfTI file, or of a ZIP archive.
        name: Shown in results; need not be a path.
        despite: As for ``open_study``.

    Raises:
        NoInputs: Nothing there is a scan.
    """
    found = _Found()
    start = content[:START_BYTES]
    if kind_of(start) == "zip":
        _add_archive(found, Path(name), despite, content)
    elif len(content) > MAX_SCAN_BYTES:
        raise InputOverLimit(
            f"{shown_name(name)}: file is larger than {MAX_SCAN_BYTES // 2**20} MiB"
        )
    else:
        _add_file(found, ScanFile(name=name, read=lambda: content), start, despite)
    return _study(found)


def _study(found: _Found) -> Study:
    for name, error, count in found.missing.values():
        more = f" (and {count - 1} more of this kind)" if count > 1 else ""
        named = MissingDependency(f"{error.message}{more}", hint=error.hint)
        found.refused.append(Refused(name=name, error=named))
    if found.others:
        names = [PurePath(one).name for one in found.others]
        found.left_out.append(f"{len(names)} no scans ({shown_names(names)})")
    if not found.slices and not found.refused:
        beside = f"; left out: {'; '.join(found.left_out)}" if found.left_out else ""
        raise NoInputs(f"no scan was found{beside}", hint="give DICOM or NIfTI files, or folders")
    return Study(
        series=tuple(_series_of(found.slices)),
        refused=tuple(found.refused),
        left_out="; ".join(found.left_out),
        others=tuple(found.others),
    )


def _several(paths: StudyPaths) -> list[Path]:
    if isinstance(paths, str | os.PathLike):
        return [Path(paths)]
    return [Path(path) for path in paths]


def _add_path(found: _Found, path: Path, despite: Collection[str]) -> None:
    if is_folder(path):
        listed = expand_inputs([path])
        found.others += [str(one) for one in listed.images]
        if listed.left_out:
            found.left_out.append(listed.left_out)
        for scan in listed.scans:
            _add_file(found, ScanFile.at(scan, limit=MAX_SCAN_BYTES), first_bytes(scan), despite)
        return
    start = first_bytes(path)
    if kind_of(start) == "zip":
        _add_archive(found, path, despite)
    else:
        _add_file(found, ScanFile.at(path, limit=MAX_SCAN_BYTES), start, despite)


def _add_archive(
    found: _Found, path: Path, despite: Collection[str], content: bytes | None = None
) -> None:
    try:
        members = list(Archive(path, content).members())
    except InputError as error:
        found.refused.append(Refused(name=str(path), error=error.without_frames()))
        return
    for member in members:
        try:
            start = member.start()
        except InputError as error:
            found.refused.append(Refused(name=member.name, error=error.without_frames()))
            continue
        kind = kind_of(start)
        if kind is None:
            found.others.append(member.name)
            continue
        if kind == "zip":
            nested = UnsupportedImage(
                f"{shown_name(member.name)}: is an archive within an archive",
                hint="unpack it, and give the folder",
            )
            found.refused.append(Refused(name=member.name, error=nested, is_archive=True))
        else:
            _add_file(found, member.file, start, despite)


def _add_file(found: _Found, file: ScanFile, start: bytes, despite: Collection[str]) -> None:
    kind = kind_of(start)
    try:
        slices = _reader(kind, despite)(file)
        if len(found.slices) + len(slices) > MAX_SLICES:
            raise InputOverLimit(
                f"{shown_name(file.name)}: more than {MAX_SLICES:,} slices in one run",
                hint="give fewer files at a time",
            )
    except MissingDependency as error:
        name, first, count = found.missing.get(kind or "", (file.name, error.without_frames(), 0))
        found.missing[kind or ""] = (name, first, count + 1)
    except BrainError as error:
        found.refused.append(Refused(name=file.name, error=error.without_frames()))
    else:
        found.slices.extend(slices)


def _reader(
    kind: ScanKind | None, despite: Collection[str]
) -> Callable[[ScanFile], list[ScanSlice]]:
    # Here, because only who has such files needs the packages.
    if kind == "nifti":
        from edge_infer.nifti.read import open_nifti

        return open_nifti
    if kind == "dicom":
        from edge_infer.dicom.read import open_dicom

        return lambda file: open_dicom(file, despite=despite)
    return _refuse_unknown


def _refuse_unknown(file: ScanFile) -> list[ScanSlice]:
    file.read()  # a missing or forbidden file says so
    raise UnsupportedImage(
        f"{shown_name(file.name)}: is no scan that is read here",
        hint="give DICOM or NIfTI files, archives of them, or folders",
    )


def _series_of(slices: Sequence[ScanSlice]) -> Iterator[Series]:
    groups: dict[tuple[str, str, str, str], list[ScanSlice]] = {}
    of_series: dict[tuple[str, str, str], set[str]] = {}
    of_study: dict[str, set[str]] = {}
    for one in slices:
        key, patient = _key(one), one.identity.patient if one.identity else ""
        groups.setdefault((*key, patient), []).append(one)
        of_series.setdefault(key, set()).add(patient)
        if one.identity and one.identity.study_instance_uid:
            of_study.setdefault(one.identity.study_instance_uid, set()).add(patient)
    number = 0
    for (study, series, place, _), members in groups.items():
        first = members[0].identity
        is_shared = len(of_series[study, series, place]) > 1
        warnings = []
        if is_shared:
            warnings.append(_SHARED_SERIES)
        elif first and len(of_study.get(first.study_instance_uid, ())) > 1:
            warnings.append(_SHARED_STUDY)
        if first and not first.series_instance_uid:
            warnings.append(_UNNAMED)
        for stack in stacks_of(members):
            number += 1
            yield _series(number, stack, warnings, is_shared=is_shared)


def _key(one: ScanSlice) -> tuple[str, str, str]:
    """Return what slices of one series share; without identifiers the file, or study and folder of single slices."""
    named = one.identity
    if named is None:
        return ("", "", one.file.name)
    if named.series_instance_uid:
        return named.study_instance_uid, named.series_instance_uid, ""
    if named.frame_number is not None:
        return named.study_instance_uid, "", one.file.name
    return named.study_instance_uid, "", _folder(one.file)


def _folder(file: ScanFile) -> str:
    if file.path is not None:
        return str(file.path.parent)
    archive, mark, member = file.name.rpartition("!")
    return f"{archive}{mark}{PurePath(member).parent}"


def _series(number: int, stack: Stack, warnings: Sequence[str], *, is_shared: bool) -> Series:
    first = stack.slices[0]
    planes = {None if one.geometry is None else one.geometry.plane for one in stack.slices}
    return Series(
        number=number,
        study_instance_uid=first.identity.study_instance_uid if first.identity else "",
        series_instance_uid=first.identity.series_instance_uid if first.identity else "",
        slices=stack.slices,
        plane=next(iter(planes)) if len(planes) == 1 else None,
        has_places=stack.has_places,
        gaps=stack.gaps,
        warnings=(*warnings, *stack.warnings),
        names_several_patients=is_shared,
    )
