"""The images of a site: all of a folder, with labels from its subfolders or from a table, or without any."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_infer.classes import BRAIN, Classes
from edge_infer.errors import DataRefused, NoInputs
from edge_infer.folder_walk import is_folder
from edge_infer.inputs import expand_inputs
from edge_infer.names import shown_name
from train.data.class_choice import ClassChoice
from train.data.labelling import Labelling, labelling
from train.data.manifest_table import read_table
from train.data.problems import refuse

__all__ = ["SiteImage", "folder_images", "labelled_images", "listed_images"]

_COLUMNS = ("path", "label", "group", "patient_id", "label_conflict", "first_of_copies")
_REQUIRED = ("path", "label")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteImage:
    """One image.

    Attributes:
        path: Its file.
        label: Class id; None without labels.
        group: Its patient; empty if unknown.
    """

    path: Path
    label: int | None = None
    group: str = ""


def folder_images(folder: Path) -> list[SiteImage]:
    """List a folder's images, those of subfolders included, without labels.

    Raises:
        NoInputs: It has no image.
        UnreadableInput: It may not be read.
    """
    if not is_folder(folder):
        raise NoInputs(f"{shown_name(folder)}: is no folder", hint="name a folder of images")
    return [
        SiteImage(path=path) for path in expand_inputs([folder]).images if isinstance(path, Path)
    ]


def labelled_images(folder: Path, classes: Classes = BRAIN) -> list[SiteImage]:
    """List the images of a folder whose subfolders are named as classes, such as ``glioma`` or ``no_tumor``.

    Args:
        folder: Of the subfolders.
        classes: Of the bundle.

    Raises:
        NoInputs: It has no image.
        UnreadableInput: It may not be read.
        DataRefused: An image lies in no subfolder, or a subfolder is not named as a class.
    """
    found, problems = [], dict[str, str]()
    known = _known(classes)
    for image in folder_images(folder):
        below = image.path.relative_to(folder).parts
        if len(below) < 2:
            problems[below[0]] = f"{shown_name(below[0])}: lies in no folder of a class"
            continue
        try:
            found.append(SiteImage(path=image.path, label=known.id_of(below[0])))
        except DataRefused as error:
            problems[below[0]] = error.message
    refuse(
        list(problems.values()),
        what=f"{shown_name(folder)}: labels cannot be read",
        hint=f"one subfolder for each class: {', '.join(classes.names)}",
    )
    return found


def listed_images(folder: Path, table: Path, classes: Classes = BRAIN) -> list[SiteImage]:
    """Read images and labels from a CSV file.

    Args:
        folder: Only images below it are used.
        table: Columns ``path`` (from the table's folder) and ``label``; ``group`` or ``patient_id`` says which images
            are of one patient. Rows that state ``label_conflict`` 1 or ``first_of_copies`` 0 are left out.
        classes: Of the bundle.

    Raises:
        UnreadableInput: The table is missing, may not be read or is not UTF-8 text.
        DataRefused: A column is missing, or a label is unknown.
        NoInputs: No row is below the folder.
    """
    found: list[SiteImage] = []
    problems: list[str] = []
    known = _known(classes)
    root = folder.resolve()
    rows = read_table(
        table, _COLUMNS, required=_REQUIRED, hint="it needs at least path and label", what="table"
    )
    for line, cell in rows:
        path = table.parent / cell["path"]
        if not cell["path"] or "\0" in cell["path"]:
            problems.append(f"line {line}: path is empty or holds a null character")
            continue
        is_used = cell["label_conflict"] != "1" and cell["first_of_copies"] != "0"
        if not (is_used and path.resolve().is_relative_to(root)):
            continue
        try:
            label = known.id_of(cell["label"])
        except DataRefused as error:
            problems.append(f"line {line}: {error.message}")
            continue
        group = cell["group"] or cell["patient_id"]
        found.append(SiteImage(path=path, label=label, group=group))
    refuse(problems, what=f"{shown_name(table)}: bad rows", hint="correct the table")
    if not found:
        raise NoInputs(
            f"{shown_name(table)}: lists no image below {shown_name(folder)}",
            hint="paths in it are relative to its own folder",
        )
    return found


def has_class_folders(images: Sequence[SiteImage], folder: Path, classes: Classes = BRAIN) -> bool:
    """Whether all images lie in subfolders that are named as classes."""
    known = _known(classes)
    try:
        for image in images:
            below = image.path.relative_to(folder).parts
            if len(below) < 2:
                return False
            known.id_of(below[0])
    except DataRefused:
        return False
    return True


def _known(classes: Classes) -> Labelling:
    """Return what is known of the names of classes: of the four brain classes every spelling, of others their names."""
    return labelling((), ClassChoice(model=classes))
