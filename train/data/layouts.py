"""Find the images of a data set, whatever its layout, and check every one before work starts.

Known layouts, below the given folder or its ``classification_task`` (BRISC 2025):

    train/glioma/…  val/glioma/…  test/glioma/…     BRISC, and plain trees; val may be missing
    Training/glioma_tumor/…  Testing/no_tumor/…     Bhuvaji ("sartaj")
    Training/glioma/…  Testing/notumor/…            Nickparvar
    glioma/…  meningioma/…                          not divided
    data/train-00000-of-00001.parquet               Hugging Face datasets

The folders of classes may have any names: ``train.data.labelling`` says which classes they are.
"""

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_infer.errors import DataRefused, NoInputs, UnreadableInput
from edge_infer.folder_walk import Walk, is_folder, is_litter
from edge_infer.inputs import IMAGE_ENDINGS
from edge_infer.names import shown_name, shown_names
from train.data.class_choice import ClassChoice
from train.data.class_names import is_brain_class
from train.data.labelling import Labelling, labelling
from train.data.manifest_csv import read_manifest
from train.data.parquet_folder import find_parquet_files, read_parquet_files
from train.data.problems import refuse
from train.data.samples import Progress, Sample, Split
from train.data.spelling import spelt
from train.data.split_names import split_of
from train.data.verification import missing_masks, verified

__all__ = ["load_samples"]

logger = logging.getLogger(__name__)

_HINT = "correct, rename or remove them, then try again"
_CLASSES_HINT = f"{_HINT}; if the names are classes of your own, name all of them with --classes"
#: What data sets keep beside their classes, in lower case.
_OTHER_CONTENT = frozenset(
    {"annotations", "bboxes", "csv", "image", "images", "label", "labels", "mask", "masks"}
)


def load_samples(
    root: Path,
    *,
    manifest: Path | None = None,
    dataset: str = "",
    choice: ClassChoice | None = None,
    verify: bool = True,
    progress: Progress | None = None,
) -> list[Sample]:
    """List the images of a data set in a stable order.

    Args:
        root: Folder of the data set.
        manifest: A ``manifest.csv`` with labels, groups and splits; only its rows below ``root``
            are used. Without one the folder names give label and split, even if ``root`` holds a
            manifest.
        dataset: Use only the manifest's rows of this data set.
        choice: What is asked of its classes; default: they are its own.
        verify: Decode every image, and fill in sizes and modes that the manifest lacks. Without it
            only the names are checked.
        progress: Called with (done, total) while images are decoded.

    Raises:
        UnreadableInput: ``root`` or the manifest cannot be read.
        NoInputs: There is no image in any known layout.
        DataRefused: Unknown class folders, classes other than asked for, empty classes, broken
            links, names that are not UTF-8, files that are damaged or not images, masks that a
            manifest states and that are not there: all in one error.
    """
    if not is_folder(root):
        raise UnreadableInput(
            f"{shown_name(root)}: found no readable folder of that name",
            hint="give the folder of the data set",
        )
    if manifest is None:
        if dataset:
            raise ValueError("dataset chooses rows of a manifest, but no manifest was given")
        samples, problems = _from_folders(root, choice)
    else:
        samples = _from_manifest(root, manifest, dataset, choice)
        problems = missing_masks(samples)
    if not samples and not problems:
        raise NoInputs(
            f"{shown_name(root)}: found no images",
            hint="expected train/<class>, <class> or parquet files in it",
        )
    if verify:
        samples, unreadable = verified(samples, progress)
        problems += unreadable
    hint = _CLASSES_HINT if any(": unknown class " in problem for problem in problems) else _HINT
    refuse(problems, what=f"{shown_name(root)}: the data set cannot be used", hint=hint)
    return samples


def _from_manifest(
    root: Path, manifest: Path, dataset: str, choice: ClassChoice | None
) -> list[Sample]:
    read = read_manifest(manifest, choice=choice)
    rows = [row for row in read if not dataset or row.dataset == dataset]
    below = [row for row in rows if isinstance(row.source, Path) and _lies_below(row.source, root)]
    if not below:
        of_dataset = f" of {dataset!r}" if dataset else ""
        raise NoInputs(
            f"{shown_name(manifest)}: none of its {len(rows)} rows{of_dataset} lies below {shown_name(root)}",
            hint="paths in a manifest count from the manifest's own folder",
        )
    return below


def _lies_below(file: Path, root: Path) -> bool:
    """Whether a file, or what it is linked to, lies below a folder; it need not exist."""
    return any(
        # Not Path.resolve, which raises for links in a circle.
        Path(path(file)).is_relative_to(path(root))
        for path in (os.path.realpath, os.path.abspath)
    )


def _from_folders(root: Path, choice: ClassChoice | None) -> tuple[list[Sample], list[str]]:
    files = find_parquet_files(root)
    if files:
        return read_parquet_files(root, files, choice=choice)
    top = root / "classification_task" if is_folder(root / "classification_task") else root
    parts = [
        (split, folder) for folder in _folders(top) if (split := split_of(folder.name)) is not None
    ]
    class_folders = [path for _, folder in parts or [("", top)] for path in _folders(folder)]
    names = {path.name for path in class_folders}
    known = labelling(names, choice)
    samples: list[Sample] = []
    problems = [] if choice and choice.items else _no_classes(root, class_folders, known)
    walk = Walk(is_skipped=is_litter)
    for split, folder in parts or [("", top)]:
        for item in _class_tree(root, folder, split, walk, known):
            if isinstance(item, Sample):
                samples.append(item)
            else:
                problems.append(item)
        _say_left_out(root, _images_beside_classes(folder), "images that lie in no class folder")
    if parts:
        beside = [x for x in _folders(top) if split_of(x.name) is None]
        classes = [x for x in beside if spelt(x.name) in known.labels or is_brain_class(x.name)]
        problems += [f"{_name(root, x)}: a class folder beside the splits" for x in classes]
        others = [x for x in beside if x not in classes]
        _say_left_out(root, others, "folders beside the parts")
    problems += [
        f"{_name(root, x)}: is linked to a folder that is read already" for x in walk.repeated
    ]
    return samples, problems


def _no_classes(root: Path, folders: Sequence[Path], known: Labelling) -> list[str]:
    """Return a line for each folder that is taken for a class of the data set's own, and is hardly one."""
    if not known.labels:
        return []
    return [
        f"{_name(root, folder)}: {problem}" for folder in folders if (problem := _no_class(folder))
    ]


def _no_class(folder: Path) -> str:
    """Say why a folder of any name is hardly a class; empty if nothing speaks against it."""
    if folder.name.lower() in _OTHER_CONTENT:
        return "is named as no class is; --classes names the classes if it is one"
    inner = [x.name for x in _folders(folder) if split_of(x.name) or is_brain_class(x.name)]
    if inner:
        return f"holds parts or classes itself ({shown_names(sorted(inner))}): is it a data set of its own?"
    return ""


def _class_tree(
    root: Path, folder: Path, split: Split, walk: Walk, known: Labelling
) -> Iterator[Sample | str]:
    """Yield the samples of ``folder/<class>/…``, and a line for each problem."""
    yield from (f"{_name(root, link)}: is a broken link" for link in _broken_links(folder))
    for class_folder in _folders(folder):
        name = _name(root, class_folder)
        try:
            label = known.id_of(class_folder.name)
        except DataRefused as error:
            yield f"{name}: {error.message}"
            continue
        before = len(walk.repeated)
        files = sorted(walk.files(class_folder))
        if not files and len(walk.repeated) == before:
            yield f"{name}: is empty"
        for file in files:
            name = file.relative_to(root).as_posix()
            problem = _problem(file, name)
            if problem:
                yield f"{shown_name(name)}: {problem}"
                continue
            yield Sample(
                source=file,
                name=name,
                label=label,
                classes=known.classes,
                split=split,
                dataset=shown_name(root.resolve().name),
            )


def _problem(file: Path, name: str) -> str:
    """Say why a file cannot be a sample, without opening it; empty if nothing speaks against it."""
    if file.suffix.lower() not in IMAGE_ENDINGS:
        return f"is not one of {', '.join(IMAGE_ENDINGS)}"
    try:
        name.encode()
        status = file.stat()
    except UnicodeEncodeError:
        return "its name is not UTF-8, so no manifest, table or report could name it"
    except OSError as error:
        return "is a broken link" if file.is_symlink() else f"cannot be read ({error.strerror})"
    return "" if stat.S_ISREG(status.st_mode) else "is not a regular file"


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if is_folder(path)]


def _broken_links(folder: Path) -> list[Path]:
    """Return the broken links beside the class folders: each may have been one."""
    return [path for path in _entries(folder) if path.is_symlink() and not _is_there(path)]


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _images_beside_classes(folder: Path) -> list[Path]:
    return [
        path
        for path in _entries(folder)
        if path.suffix.lower() in IMAGE_ENDINGS and _is_there(path) and not is_folder(path)
    ]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not is_litter(path.name))
    except OSError as error:
        raise UnreadableInput(
            f"{shown_name(folder)}: folder cannot be read ({error.strerror})",
            hint="check the permissions",
        ) from error


def _say_left_out(root: Path, paths: Sequence[Path], what: str) -> None:
    if paths:
        names = shown_names([path.relative_to(root).as_posix() for path in paths])
        logger.warning("left out: %d %s: %s", len(paths), what, names)


def _name(root: Path, path: Path) -> str:
    """Name a path in a message."""
    return shown_name(path.relative_to(root).as_posix())
