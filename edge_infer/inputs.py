"""Turn files and folders from a command line into the images and the files of scans to read.

In folders, images are told by the endings of their names, and every other file is looked into: DICOM files often have
no ending at all. A file that was named is looked into whatever it is called.
"""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.errors import NoInputs
from edge_infer.folder_walk import Walk, is_folder, is_litter
from edge_infer.names import shown_name, shown_names
from edge_infer.scan_files import START_BYTES, ScanKind, kind_of
from edge_infer.standard_input import StandardInput

__all__ = ["HEATMAP_ENDING", "IMAGE_ENDINGS", "Inputs", "expand_inputs", "first_bytes"]

IMAGE_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")

#: Ending of the files that ``--heatmap`` draws into a folder; they are never read as scans.
HEATMAP_ENDING = ".heatmap.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What to classify, and what was left out.

    Attributes:
        images: Files and standard input, in order.
        scans: Files of scans: DICOM, NIfTI, and archives that were named.
        archives: Archives in folders, which are not opened unasked: documents of offices are such archives, too.
        heatmaps: Files in folders that are named as heatmaps are.
        other_files: Files in folders that are no scans and have no image's ending.
        repeated: Links in folders to folders that are read anyway.
    """

    images: list[Path | StandardInput] = field(default_factory=list)
    scans: list[Path] = field(default_factory=list)
    archives: list[Path] = field(default_factory=list)
    heatmaps: list[Path] = field(default_factory=list)
    other_files: list[Path] = field(default_factory=list)
    repeated: list[Path] = field(default_factory=list)

    @property
    def left_out(self) -> str:
        """What was left out, counted and named, in a line; empty if nothing was."""
        kinds = (
            (self.heatmaps, f"named as heatmaps are, *{HEATMAP_ENDING}"),
            (self.archives, "ZIP archives in a folder: name them to read them"),
            (self.other_files, "without an image's ending"),
            (self.repeated, "linked to a folder that is read already"),
        )
        return "; ".join(
            f"{len(paths)} {words} ({shown_names([path.name for path in paths])})"
            for paths, words in kinds
            if paths
        )


def expand_inputs(inputs: Iterable[Path | StandardInput]) -> Inputs:
    """List the images and scans: files and standard input as given, and the sorted content of folders.

    Args:
        inputs: Files are accepted with any ending, and need not exist until they are read. In
            folders and their subfolders, linked ones included, only scans and files with an image's
            ending are used, without heatmaps, hidden files and what programs leave (``is_litter``).

    Raises:
        NoInputs: A folder has no image and no scan, or nothing was given.
        UnreadableInput: A folder may not be read.
    """
    found = Inputs()
    for given in inputs:
        if isinstance(given, Path) and is_folder(given):
            _add_folder(found, given)
        elif isinstance(given, Path) and _kind(given) is not None:
            found.scans.append(given)
        else:
            found.images.append(given)
    if not found.images and not found.scans:
        raise NoInputs("nothing to classify was given", hint="name images, scans or folders")
    return found


def _add_folder(found: Inputs, folder: Path) -> None:
    walk = Walk(is_skipped=is_litter)
    here = Inputs(repeated=walk.repeated)
    for path in walk.files(folder):
        name = path.name.lower()
        if name.endswith(HEATMAP_ENDING):
            here.heatmaps.append(path)
        elif name.endswith(IMAGE_ENDINGS):
            here.images.append(path)
        elif (kind := _kind(path)) is None:
            here.other_files.append(path)
        else:
            (here.archives if kind == "zip" else here.scans).append(path)
    if not here.images and not here.scans:
        beside = f"; left out: {here.left_out}" if here.left_out else ""
        raise NoInputs(
            f"{shown_name(folder)}: folder has no image{beside}",
            hint=f"images end in {', '.join(IMAGE_ENDINGS)}; scans are told by their content",
        )
    for name in ("images", "scans", "archives", "heatmaps", "other_files", "repeated"):
        getattr(found, name).extend(getattr(here, name))


def _kind(path: Path) -> ScanKind | None:
    """Return which kind of scan a file is; None for anything else, and where it cannot be read."""
    return kind_of(first_bytes(path))


def first_bytes(path: Path) -> bytes:
    """Return the first bytes of a regular file; nothing of any other, and where it cannot be read."""
    try:  # O_NONBLOCK: otherwise opening a pipe without a writer would block
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except (OSError, ValueError):  # ValueError: a null character in the name
        return b""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.read(descriptor, START_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
