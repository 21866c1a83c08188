"""What a manifest states about classes that are not the four brain classes: their order and the negative one.

Two columns: ``class_id``, the number of the row's class, and ``negative``, 1 for the negative class and 0 for others; 0
everywhere states that no class is such. So ``brain-train`` needs no option that ``brain-data split`` was given. Without
the second column it is open which class is negative: older manifests lack it where none is, and joined ones where none
of their sources says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_infer.classes import Classes
from train.data.manifest_table import Table
from train.data.problems import refuse
from train.data.spelling import spelt

__all__ = ["CLASS_COLUMNS", "StatedClasses", "class_cells", "stated_classes"]

_ID, _NEGATIVE = CLASS_COLUMNS = ("class_id", "negative")

_HINT = "class_id numbers the classes from 0, one number for each label; without the column they are sorted by name"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedClasses:
    """What a manifest states.

    Attributes:
        classes: In their order.
        says_negative: Whether it says which class is negative, or that none is; otherwise that is open.
    """

    classes: Classes
    says_negative: bool


def class_cells(classes: Classes, label: int, *, says_negative: bool = True) -> dict[str, int]:
    """Return the cells of a row, by column; none for the four brain classes.

    Args:
        classes: Of the data set.
        label: Class id of the row.
        says_negative: Whether no negative class means that none is; otherwise it is left open.
    """
    if classes.is_brain:
        return {}
    cells = {_ID: label}
    if says_negative or classes.negative_id is not None:
        cells[_NEGATIVE] = int(label == classes.negative_id)
    return cells


def stated_classes(rows: Table, *, what: str) -> StatedClasses | None:
    """Read what a manifest states.

    Args:
        rows: Number of each row's line, and its cells by column.
        what: The manifest, for messages.

    Returns:
        None if no row has a ``class_id``.

    Raises:
        DataRefused: Cells are missing or contradict each other; all of them are named.
    """
    if not any(cell[_ID] for _, cell in rows):
        return None
    names: dict[str, str] = {}
    negative: dict[str, str] = {}
    problems = []
    for line, cell in rows:
        label = spelt(cell["label"])
        if not cell[_ID]:
            problems.append(f"line {line}: class_id is empty")
            continue
        for column, known, value in (
            (_ID, names, label),
            (_NEGATIVE, negative, cell[_NEGATIVE] or "0"),
        ):
            key = cell[_ID] if column == _ID else label
            if known.setdefault(key, value) != value:
                problems.append(f"line {line}: {column} of {label} is not as in an earlier line")
    if not problems:
        problems = _wrong(names, negative)
    refuse(problems, what=f"{what}: classes", hint=_HINT)
    labels = tuple(names[str(number)] for number in range(len(names)))
    return StatedClasses(
        classes=Classes(labels, next((label for label in labels if negative[label] == "1"), None)),
        says_negative=any(cell[_NEGATIVE] for _, cell in rows),
    )


def _wrong(names: Mapping[str, str], negative: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the classes as a whole."""
    problems = []
    if sorted(names) != sorted(map(str, range(len(names)))):
        problems.append(
            f"class_id has the values {', '.join(sorted(names))}, expected 0 to {len(names) - 1}"
        )
    if len(set(names.values())) < len(names):
        problems.append("a label has two numbers")
    if not set(negative.values()) <= {"0", "1"}:
        problems.append("negative is neither 0 nor 1")
    if list(negative.values()).count("1") > 1:
        problems.append("two classes are negative")
    if not problems:
        try:
            Classes(tuple(names.values()))
        except ValueError as error:
            problems.append(str(error))
    return problems
