"""Content items of a structured report (PS3.3 C.17.3): texts, codes, numbers, references, and what holds them."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydicom.dataset import Dataset

from edge_infer.structured.codes import Code
from edge_infer.structured.words import plain_ascii

__all__ = [
    "CONTAINS",
    "MODIFIER",
    "OBSERVED",
    "code",
    "code_item",
    "container",
    "images",
    "number",
    "template",
    "text",
    "uid_reference",
]

# Relationships of an item to the one above it.
CONTAINS, MODIFIER, OBSERVED = "CONTAINS", "HAS CONCEPT MOD", "HAS OBS CONTEXT"

_SOURCE = Code("121112", "DCM", "Source of Measurement")
_NO_UNITS = Code("1", "UCUM", "no units")


def code_item(given: Code) -> Dataset:
    """Return an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = given
    return item


def template(identifier: str) -> Dataset:
    """Return an item that names a template of DICOM's (PS3.16)."""
    item = Dataset()
    item.MappingResource, item.TemplateIdentifier = "DCMR", identifier
    return item


def container(
    name: Code, items: Iterable[Dataset], *, tid: str = "", relation: str = CONTAINS
) -> Dataset:
    """Return a CONTAINER.

    Args:
        name: What it holds.
        items: Its content.
        tid: Which template it follows.
        relation: To what holds it; empty at the root.
    """
    item = _item("CONTAINER", name, relation)
    item.ContinuityOfContent = "SEPARATE"
    if tid:
        item.ContentTemplateSequence = [template(tid)]
    item.ContentSequence = list(items)
    return item


def text(name: Code, value: str, *, relation: str = CONTAINS) -> Dataset:
    """Return a TEXT; empty texts are not allowed, so an empty one becomes a dash."""
    item = _item("TEXT", name, relation)
    item.TextValue = plain_ascii(value) or "-"
    return item


def code(
    name: Code, value: Code, *, relation: str = CONTAINS, below: Sequence[Dataset] = ()
) -> Dataset:
    """Return a CODE."""
    item = _item("CODE", name, relation)
    item.ConceptCodeSequence = [code_item(value)]
    return _with(item, below)


def number(name: Code, value: float, *, below: Sequence[Dataset] = ()) -> Dataset:
    """Return a NUM without a unit; six places, or none for a whole number."""
    item = _item("NUM", name, CONTAINS)
    measured = Dataset()
    measured.NumericValue = str(value) if isinstance(value, int) else f"{value:.6f}"
    measured.MeasurementUnitsCodeSequence = [code_item(_NO_UNITS)]
    item.MeasuredValueSequence = [measured]
    return _with(item, below)


def uid_reference(name: Code, uid: str, *, relation: str = OBSERVED) -> Dataset:
    """Return a UIDREF."""
    item = _item("UIDREF", name, relation)
    item.UID = uid
    return item


def images(references: Iterable[Any]) -> list[Dataset]:
    """Return an IMAGE, a source of what stands beside it, for each reference.

    Args:
        references: ``edge_infer.structured.references.Reference``.
    """
    made = []
    for reference in references:
        item = _item("IMAGE", _SOURCE, CONTAINS)
        item.ReferencedSOPSequence = [reference.item()]
        made.append(item)
    return made


def _item(value_type: str, name: Code, relation: str) -> Dataset:
    item = Dataset()
    if relation:
        item.RelationshipType = relation
    item.ValueType = value_type
    item.ConceptNameCodeSequence = [code_item(name)]
    return item


def _with(item: Dataset, below: Sequence[Dataset]) -> Dataset:
    if below:
        item.ContentSequence = list(below)
    return item
