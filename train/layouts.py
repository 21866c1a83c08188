"""Find the pictures of a data set, whatever its layout, and check every one before work starts.

Known layouts, below the given folder or its ``classification_task`` (BRISC 2025):

    train/glioma/…  val/glioma/…  test/glioma/…     BRISC, and plain trees; val may be missing
    Training/glioma_tumor/…  Testing/no_tumor/…     Bhuvaji ("sartaj")
    Training/glioma/…  Testing/notumor/…            Nickparvar
    glioma/…  meningioma/…                          not divided
    data/train-00000-of-00001.parquet               Hugging Face datasets
"""

from collections.abc import Iterator
from pathlib import Path

from edge_infer.errors import DataRefused, NoInputs, UnreadableInput
from train.class_names import label_id
from train.manifest_csv import read_manifest
from train.parquet_folder import find_parquet_files, read_parquet_files
from train.problems import refuse
from train.samples import Progress, Sample, Split
from train.split_names import split_of
from train.verification import verified

__all__ = ["load_samples"]

_PICTURES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})
# What file managers leave behind.
_LITTER = frozenset({"desktop.ini", "thumbs.db", "__macosx"})
_HINT = "correct, rename or remove them, then try again"


def load_samples(
    root: Path,
    *,
    manifest: Path | None = None,
    dataset: str = "",
    verify: bool = True,
    progress: Progress | None = None,
) -> list[Sample]:
    """List the pictures of a data set in a stable order.

    Args:
        root: Folder of the data set.
        manifest: A ``manifest.csv`` that gives labels, groups and splits; its rows below ``root``
            are taken and nothing else. Without one the folders say the label and the split, and a
            manifest that happens to lie there is not used.
        dataset: Take only the manifest's rows of this data set.
        verify: Decode every picture; also fills in size and mode where the manifest does not.
            Without it only the names are checked.
        progress: Called with (done, total) while pictures are decoded.

    Raises:
        UnreadableInput: ``root`` or the manifest cannot be read.
        NoInputs: There is no picture in any known layout.
        DataRefused: Unknown class folders, empty classes, files that are no pictures or are
            damaged: all in one error.
    """
    if not root.is_dir():
        raise UnreadableInput(
            f"{root}: found no folder of that name", hint="give the folder of the data set"
        )
    if manifest is None:
        if dataset:
            raise ValueError("dataset chooses rows of a manifest, but no manifest was given")
        samples, problems = _from_folders(root)
    else:
        samples, problems = _from_manifest(root, manifest, dataset), []
    if not samples and not problems:
        raise NoInputs(
            f"{root}: found no pictures",
            hint="expected train/<class>, <class> or parquet files in it",
        )
    if verify:
        samples, unreadable = verified(samples, progress)
        problems += unreadable
    refuse(problems, what=f"{root}: the data set cannot be used", hint=_HINT)
    return samples


def _from_manifest(root: Path, manifest: Path, dataset: str) -> list[Sample]:
    top = root.resolve()
    rows = [row for row in read_manifest(manifest) if not dataset or row.dataset == dataset]
    below = [
        row
        for row in rows
        if isinstance(row.source, Path) and row.source.resolve().is_relative_to(top)
    ]
    if not below:
        of_dataset = f" of {dataset!r}" if dataset else ""
        raise NoInputs(
            f"{manifest}: none of its {len(rows)} rows{of_dataset} lies below {root}",
            hint="paths in a manifest count from the manifest's own folder",
        )
    return below


def _from_folders(root: Path) -> tuple[list[Sample], list[str]]:
    files = find_parquet_files(root)
    if files:
        return read_parquet_files(root, files)
    top = root / "classification_task" if (root / "classification_task").is_dir() else root
    parts = [
        (split, folder) for folder in _folders(top) if (split := split_of(folder.name)) is not None
    ]
    samples: list[Sample] = []
    problems: list[str] = []
    for split, folder in parts or [("", top)]:
        for item in _class_tree(root, folder, split):
            if isinstance(item, Sample):
                samples.append(item)
            else:
                problems.append(item)
    if parts:
        problems += [
            f"{_name(root, x)}: a class folder beside the splits"
            for x in _folders(top)
            if _is_class(x)
        ]
    return samples, problems


def _class_tree(root: Path, folder: Path, split: Split) -> Iterator[Sample | str]:
    """Yield the samples of ``folder/<class>/…``, and a line for each thing that is wrong."""
    for class_folder in _folders(folder):
        name = _name(root, class_folder)
        try:
            label = label_id(class_folder.name)
        except DataRefused as error:
            yield f"{name}: {error.message}"
            continue
        files = [
            file
            for file in sorted(class_folder.rglob("*"))
            if file.is_file() and not _is_litter(file)
        ]
        if not files:
            yield f"{name}: is empty"
        for file in files:
            if file.suffix.lower() not in _PICTURES:
                yield f"{_name(root, file)}: is not one of {', '.join(sorted(_PICTURES))}"
                continue
            yield Sample(
                source=file,
                name=_name(root, file),
                label=label,
                split=split,
                dataset=root.resolve().name,
            )


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_litter(path))


def _is_litter(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in _LITTER


def _is_class(folder: Path) -> bool:
    try:
        label_id(folder.name)
    except DataRefused:
        return False
    return True


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
