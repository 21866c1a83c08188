"""Join data sets into one, so that no patient is in two parts and nothing is trained on that may not be."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from edge_infer.errors import DataRefused
from edge_infer.names import shown_name
from train.data.problems import refuse
from train.data.samples import SPLITS, Sample, Split
from train.data.source_rows import SourceRow
from train.splits.group_split import split_by_group
from train.splits.groups import components, patient_in_name

__all__ = ["join"]

_BARCODE = re.compile(r"tcga[-_]([a-z0-9]{2})[-_]([a-z0-9]{4})(?![a-z0-9])")


def join(
    rows: Sequence[SourceRow],
    *,
    fractions: tuple[float, float, float],
    seed: int,
    held_out: Collection[str] = (),
) -> list[Sample]:
    """Give every image a group and a part.

    The part is, by the first of these that applies: ``test`` for a group that is held out or holds images that may only
    be validated with, the manifest's own, that of other images of the group. What is left is divided by group.

    Args:
        rows: Of all manifests.
        fractions: Shares of train, val and test, of the images that are left to divide.
        seed: See ``split_by_group``.
        held_out: Names of groups, as they are in the result.

    Returns:
        A sample for each row, in their order.

    Raises:
        DataRefused: There is no such group, a file is in two manifests, or there are too few groups to divide.
    """
    _refuse_repeated(rows)
    samples = [
        replace(row.sample, group=group) for row, group in zip(rows, _groups(rows), strict=True)
    ]
    known = {sample.group for sample in samples}
    absent = sorted(set(held_out) - known)
    if absent:
        raise DataRefused(
            f"no image is of the group {', '.join(map(repr, absent))}",
            hint="a group is called as in the joined manifest: DATASET/PATIENT, or as its own manifest says",
        )
    # A patient who may only be validated with in one data set is not trained on in another.
    kept_back = set(held_out) | {
        sample.group for row, sample in zip(rows, samples, strict=True) if row.validate_only
    }
    parts: list[Split] = [
        "test" if sample.group in kept_back else sample.split for sample in samples
    ]
    fixed: dict[str, Split] = {}
    for sample, part in zip(samples, parts, strict=True):
        if part:  # of several, the last in order: what was tested on is not trained on
            fixed[sample.group] = max(fixed.get(sample.group, part), part, key=SPLITS.index)
    joined = [
        replace(sample, split=part or fixed.get(sample.group, ""))
        for sample, part in zip(samples, parts, strict=True)
    ]
    left = [sample for sample in joined if not sample.split]
    if not left:
        return joined
    divided = iter(split_by_group(left, fractions=fractions, seed=seed))
    return [sample if sample.split else next(divided) for sample in joined]


def _groups(rows: Sequence[SourceRow]) -> list[str]:
    """Name each row's group: as its manifest does, else by its patient, else it is a group of its own.

    Rows of one patient are one group, whatever their manifests call it. Names such as ``g000001`` mean something else
    in every manifest: one that an earlier group has too gets the number of its manifest, counted from 1.
    """
    first: dict[tuple[str, ...], int] = {}
    pairs = [
        (first.setdefault(key, number), number)
        for number, row in enumerate(rows)
        for key in _identities(row)
    ]
    names: dict[int, str] = {}
    taken: set[str] = set()
    component_of = components(len(rows), pairs)
    for component in component_of:
        if component in names:
            continue
        row, name = rows[component], _own_name(rows[component])
        names[component] = f"{row.manifest + 1}/{name}" if name in taken else name
        taken.add(names[component])
    return [names[component] for component in component_of]


def _own_name(row: SourceRow) -> str:
    sample = row.sample
    if sample.group:
        return sample.group
    within = row.patient or patient_in_name(sample.name) or sample.name
    return f"{sample.dataset}/{within}" if sample.dataset else within


def _identities(row: SourceRow) -> list[tuple[str, ...]]:
    """Return what tells that two rows are of one patient or group; upper and lower case are the same."""
    sample = row.sample
    found: list[tuple[str, ...]] = []
    dataset = sample.dataset.casefold()
    if sample.group:
        # DATASET/PATIENT is what an earlier join wrote; other names are known to their own manifest only.
        is_patient = bool(dataset) and sample.group.casefold().startswith(f"{dataset}/")
        found.append(("group", "" if is_patient else str(row.manifest), sample.group.casefold()))
    patient = (row.patient or patient_in_name(sample.name)).casefold()
    if patient:
        found.append(("group", "", f"{dataset}/{patient}") if dataset else ("patient", patient))
        barcode = _BARCODE.search(patient)
        if barcode:  # TCGA's patients are the same in every data set that was made of them
            found.append(("barcode", *barcode.groups()))
    return found


def _refuse_repeated(rows: Sequence[SourceRow]) -> None:
    seen: set[str | bytes] = set()
    problems = []
    for row in rows:
        source = row.sample.source
        file = os.path.realpath(source) if isinstance(source, Path) else source
        if file in seen:
            problems.append(f"{shown_name(row.sample.name)}: is listed twice")
        seen.add(file)
    refuse(problems, what="manifests that repeat images", hint="choose data sets with --dataset")
