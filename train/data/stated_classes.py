"""What a manifest states about classes that are not the four brain classes: their order and the negative one.

Two columns: ``class_id``, the number of the row's class, and ``negative``, 1 for the negative class and 0 for others,
which is missing if no class is such. So ``brain-train`` needs no option that ``brain-data split`` was given.
"""

from collections.abc import Mapping

from edge_infer.classes import Classes
from train.data.manifest_table import Table
from train.data.problems import refuse
from train.data.spelling import spelt

__all__ = ["CLASS_COLUMNS", "class_cells", "stated_classes"]

_ID, _NEGATIVE = CLASS_COLUMNS = ("class_id", "negative")

_HINT = "class_id numbers the classes from 0, one number for each label; without the column they are sorted by name"


def class_cells(classes: Classes, label: int) -> dict[str, int]:
    """Return the cells of a row, by column; none for the four brain classes."""
    if classes.is_brain:
        return {}
    cells = {_ID: label}
    if classes.negative_id is not None:
        cells[_NEGATIVE] = int(label == classes.negative_id)
    return cells


def stated_classes(rows: Table, *, what: str) -> Classes | None:
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
    return Classes(labels, next((label for label in labels if negative[label] == "1"), None))


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
