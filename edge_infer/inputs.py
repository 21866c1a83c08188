"""Turn files and folders from a command line into the list of images to read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.errors import NoInputs
from edge_infer.folder_walk import Walk, is_folder
from edge_infer.names import shown_name, shown_names
from edge_infer.standard_input import StandardInput

__all__ = ["HEATMAP_ENDING", "IMAGE_ENDINGS", "Inputs", "expand_inputs"]

IMAGE_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")

#: Ending of the files that ``--heatmap`` draws into a folder; they are never read as scans.
HEATMAP_ENDING = ".heatmap.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What to classify, and what was left out.

    Attributes:
        images: Files and standard input, in order.
        heatmaps: Files in folders that are named as heatmaps are.
        other_files: Files in folders without an image's ending.
        repeated: Links in folders to folders that are read anyway.
    """

    images: list[Path | StandardInput] = field(default_factory=list)
    heatmaps: list[Path] = field(default_factory=list)
    other_files: list[Path] = field(default_factory=list)
    repeated: list[Path] = field(default_factory=list)

    @property
    def left_out(self) -> str:
        """What was left out, counted and named, in a line; empty if nothing was."""
        kinds = (
            (self.heatmaps, f"named as heatmaps are, *{HEATMAP_ENDING}"),
            (self.other_files, "without an image's ending"),
            (self.repeated, "linked to a folder that is read already"),
        )
        return "; ".join(
            f"{len(paths)} {words} ({shown_names([path.name for path in paths])})"
            for paths, words in kinds
            if paths
        )


def expand_inputs(inputs: Iterable[Path | StandardInput]) -> Inputs:
    """List the images: files and standard input as given, and the sorted content of folders.

    Args:
        inputs: Files are accepted with any ending, and need not exist until they are read. In
            folders and their subfolders, linked ones included, only files with an image's ending
            are used, without hidden files and heatmaps.

    Raises:
        NoInputs: A folder has no image, or nothing was given.
        UnreadableInput: A folder may not be read.
    """
    found = Inputs()
    for given in inputs:
        if isinstance(given, Path) and is_folder(given):
            _add_folder(found, given)
        else:
            found.images.append(given)
    if not found.images:
        raise NoInputs("nothing to classify was given", hint="name images or folders")
    return found


def _add_folder(found: Inputs, folder: Path) -> None:
    walk = Walk(is_skipped=lambda name: name.startswith("."))
    here = Inputs(repeated=walk.repeated)
    for path in walk.files(folder):
        name = path.name.lower()
        if name.endswith(HEATMAP_ENDING):
            here.heatmaps.append(path)
        elif name.endswith(IMAGE_ENDINGS):
            here.images.append(path)
        else:
            here.other_files.append(path)
    if not here.images:
        beside = f"; left out: {here.left_out}" if here.left_out else ""
        raise NoInputs(
            f"{shown_name(folder)}: folder has no image{beside}",
            hint=f"images end in {', '.join(IMAGE_ENDINGS)}",
        )
    for kind in ("images", "heatmaps", "other_files", "repeated"):
        getattr(found, kind).extend(getattr(here, kind))
