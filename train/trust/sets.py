"""The sets of images beside the part: from tables of other sources, folders, and other data sets of the manifest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edge_infer.classes import BRAIN, Classes
from edge_infer.errors import NoInputs
from edge_infer.inputs import expand_inputs
from edge_infer.names import shown_name
from train.data.manifest_table import read_table
from train.data.problems import refuse
from train.data.samples import Sample, classes_of
from train.trust.image_set import NO_CLASS, AskedImage, ImageSet, Kind

__all__ = ["folder_sets", "other_data_sets", "part_images", "table_sets", "without_learnt"]

_REQUIRED = ("path", "label")
_COLUMNS = (*_REQUIRED, "source", "patient_id", "modality", "licence")

#: The label of what is no head at all.
_FOREIGN = "out_of_scope"
#: Sequences of the training images; of tumours only, since no_tumor came from several.
_T1 = ("T1c", "T1", "T1 or T1c")
_UNKNOWN = ("", "?")
#: Sources that docs/experiments/healthy_volumes.py cuts from a volume without a skull.
_SKULL_STRIPPED = ("mni152",)
#: Data sets whose images without a tumour are known to be of several sequences, without saying which.
_MIXED_HEALTHY = ("sartaj",)

#: How a set's images differ from what a bundle was made for.
_NOTES = {
    "foreign": "no head, or no scan",
    "lesion": "a head with a lesion of another class",
    "sequence": "another sequence (FLAIR or T2) of a class it knows",
    "stripped": "an average of 152 heads without skull: one head, however many slices",
    "mixed": "T1, T2 and FLAIR in one folder: nothing tells which, so some may be in scope",
    "scanner": "T1 of another scanner",
    "healthy": "without a tumour, of another scanner",
    "unknown": "the sequence is not known, so some may be out of scope",
    "data set": "another data set",
}


def table_sets(table: Path, classes: Classes = BRAIN) -> list[ImageSet]:
    """Sort a table's images by source, label and sequence.

    Needed are the columns ``path`` (from the table's folder) and ``label``; used are ``source``, ``patient_id``,
    ``modality`` and ``licence``. A label that is no class is a lesion of another kind, or no head at all if it is
    ``out_of_scope``: those are told apart by the folder that they lie in.

    Args:
        table: The file.
        classes: What the bundle tells apart.

    Raises:
        UnreadableInput: The table cannot be read.
        DataRefused: A column is missing, or rows have no path or label.
        NoInputs: It has no rows.
    """
    sets: dict[tuple[str, Kind, str], list[AskedImage]] = {}
    problems = []
    hint = "docs/trust.md lists the columns"
    for line, row in read_table(table, _COLUMNS, required=_REQUIRED, hint=hint):
        if not row["path"] or not row["label"] or "\0" in row["path"]:
            problems.append(f"line {line}: path or label is empty")
            continue
        sets.setdefault(_sorted_by(row, table, classes), []).append(
            AskedImage(
                source=table.parent / row["path"],
                name=row["path"],
                label=classes.names.index(row["label"])
                if row["label"] in classes.names
                else NO_CLASS,
                group=row["patient_id"],
                licence=row["licence"],
            )
        )
    refuse(problems, what=f"{shown_name(table)}: bad rows", hint="correct the table")
    if not sets:
        raise NoInputs(f"{shown_name(table)}: names no image", hint=hint)
    return [
        ImageSet(name=name, kind=kind, note=_NOTES[note], images=tuple(images))
        for (name, kind, note), images in sorted(sets.items())
    ]


def folder_sets(name: str, folder: Path, kind: Kind) -> list[ImageSet]:
    """Return a folder's images as a set, or a set of each of its subfolders.

    Args:
        name: For tables; before the names of subfolders.
        folder: With images. A file ``licences.csv`` (path, licence) says which of them a page may show.
        kind: What a bundle should do with them.

    Raises:
        NoInputs: It holds no image.
        UnreadableInput: A folder may not be read.
    """
    licences = _licences(folder / "licences.csv")
    sets: dict[str, list[AskedImage]] = {}
    for path in expand_inputs([folder]).images:
        if not isinstance(path, Path):
            continue
        inside = path.relative_to(folder)
        key = f"{name} {inside.parts[0]}" if len(inside.parts) > 1 else name
        sets.setdefault(key, []).append(
            AskedImage(
                source=path, name=inside.as_posix(), licence=licences.get(inside.as_posix(), "")
            )
        )
    return [
        ImageSet(name=key, kind=kind, note="", images=tuple(images))
        for key, images in sorted(sets.items())
    ]


def other_data_sets(
    samples: Sequence[Sample], others: Sequence[Sample], licences: Mapping[str, str]
) -> list[ImageSet]:
    """Return other data sets of a manifest, without images that share a patient or a copy with the one measured.

    Args:
        samples: The data set measured.
        others: Of the others.
        licences: Of data sets, by name.
    """
    own = {sample.group for sample in samples if sample.group}
    sets: dict[tuple[str, bool], list[AskedImage]] = {}
    for sample in others:
        if sample.group in own or sample.is_copy or sample.label_conflict:
            continue
        key = sample.dataset, sample.label == sample.classes.negative_id
        sets.setdefault(key, []).append(_asked(sample, licences))
    classes = classes_of(others)
    return [
        _data_set(name, images, classes, healthy=healthy)
        for (name, healthy), images in sorted(sets.items())
    ]


def without_learnt(sets: Sequence[ImageSet], learnt: Iterable[Sample]) -> list[ImageSet]:
    """Return the sets without images that the bundle's model learnt from; a set of nothing else goes.

    Args:
        sets: Any.
        learnt: All images of the manifest that the model was trained with; those of its train part are meant. Files are
            compared, so the manifest must name the same ones.
    """
    known = {
        sample.source.resolve()
        for sample in learnt
        if sample.split == "train" and isinstance(sample.source, Path)
    }
    left = []
    for one in sets:
        images = tuple(
            image
            for image in one.images
            if not (isinstance(image.source, Path) and image.source.resolve() in known)
        )
        if images:
            left.append(replace(one, images=images))
    return left


def part_images(
    samples: Sequence[Sample], rows: Sequence[int], licences: Mapping[str, str]
) -> list[AskedImage]:
    """Return the images of a part.

    Args:
        samples: All of the data set.
        rows: Indices of the part's images.
        licences: Of data sets, by name.

    Raises:
        NoInputs: There are none.
    """
    if not rows:
        raise NoInputs("the part has no image", hint="--split names another part")
    return [_asked(samples[row], licences) for row in rows]


def _asked(sample: Sample, licences: Mapping[str, str]) -> AskedImage:
    return AskedImage(
        source=sample.source,
        name=sample.name,
        label=sample.label,
        group=sample.group,
        licence=licences.get(sample.dataset, ""),
    )


def _data_set(
    name: str, images: Iterable[AskedImage], classes: Classes, *, healthy: bool
) -> ImageSet:
    mixed = healthy and name in _MIXED_HEALTHY
    return ImageSet(
        name=f"{name} {classes.negative if healthy else _others(classes)}",
        kind=Kind.NEAR if mixed else Kind.ELSEWHERE,
        note=_NOTES["mixed" if mixed else "data set"],
        images=tuple(images),
    )


def _others(classes: Classes) -> str:
    return "tumours" if classes.is_brain else "other classes"


def _sorted_by(row: Mapping[str, str], table: Path, classes: Classes) -> tuple[str, Kind, str]:
    """Return the set that a row belongs to: its name, its kind, and the key of its note."""
    source = row["source"] or table.absolute().parent.name
    label, modality = row["label"], row["modality"]
    if label == _FOREIGN:
        return f"{source} {Path(row['path']).parent.name}".strip(), Kind.FAR, "foreign"
    if source in _SKULL_STRIPPED:
        return f"{source} skull-stripped", Kind.NEAR, "stripped"
    if label not in classes.names:
        return f"{source} {label}", Kind.NEAR, "lesion"
    if label == classes.negative and modality in (*_T1, *_UNKNOWN):
        return f"{source} {label}", Kind.ELSEWHERE, "healthy"
    if modality in _UNKNOWN:
        return f"{source} unknown sequence", Kind.ELSEWHERE, "unknown"
    if modality in _T1:
        return f"{source} {_others(classes)} T1", Kind.ELSEWHERE, "scanner"
    return f"{source} {modality}", Kind.NEAR, "sequence"


def _licences(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    rows = read_table(path, ("path", "licence"), required=("path", "licence"), hint="")
    return {row["path"]: row["licence"] for _, row in rows}
