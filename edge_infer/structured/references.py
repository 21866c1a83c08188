"""References to the images that a result is about: objects, and frames of objects with several."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from edge_infer.scan_slice import Identity
from edge_infer.structured.uids import as_is

__all__ = ["Reference", "references_to", "series_item"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image that is referred to.

    Attributes:
        sop_class_uid: What kind of object it is.
        sop_instance_uid: Which object it is.
        frames: From 1; empty for an object of a single frame.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()

    def whole(self) -> "Reference":
        """Return the reference to the whole object."""
        return replace(self, frames=())

    def item(self) -> Dataset:
        """Return it as an item of a sequence."""
        item = Dataset()
        item.add(as_is("ReferencedSOPClassUID", self.sop_class_uid))
        item.add(as_is("ReferencedSOPInstanceUID", self.sop_instance_uid))
        if self.frames:
            item.ReferencedFrameNumber = list(self.frames)
        return item


def references_to(identities: Iterable[Identity]) -> list[Reference]:
    """Return one reference for each object, in the order given; frames of one object are gathered."""
    frames: dict[tuple[str, str], list[int]] = {}
    for one in identities:
        found = frames.setdefault((one.sop_class_uid, one.sop_instance_uid), [])
        if one.frame_number is not None:
            found.append(one.frame_number)
    return [
        Reference(sop_class_uid=kind, sop_instance_uid=uid, frames=tuple(sorted(numbers)))
        for (kind, uid), numbers in frames.items()
    ]


def series_item(references: Iterable[Reference], series_uid: str) -> Dataset:
    """Return the objects of a series as evidence of a report (PS3.3 10.4 and C.17.2): no frames."""
    item = Dataset()
    item.add(as_is("SeriesInstanceUID", series_uid))
    item.ReferencedSOPSequence = [one.whole().item() for one in references]
    return item
