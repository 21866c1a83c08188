"""One image of a data set: where it is, what it shows, which part it belongs to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from edge_infer.classes import BRAIN, Classes

__all__ = ["SPLITS", "Progress", "Sample", "Split", "classes_of"]

#: A part of a data set; empty if the data set is not divided.
Split: TypeAlias = Literal["train", "val", "test", ""]

SPLITS: tuple[Split, ...] = ("train", "val", "test")

#: Called with (done, total) during long work.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One labelled image.

    Attributes:
        source: Its file, or the encoded bytes if the data set keeps images inside a table.
        name: Used in messages and reports: its path from the data set's root, with ``/``.
        label: Class id, an index into the names of ``classes``.
        classes: Of its data set, whose samples share one object.
        split: The part it belongs to, or empty.
        group: Images of one group (a patient, copies of one image) must stay in one part.
            Empty if unknown.
        is_copy: It is a further copy of an earlier image; left out of reports.
        label_conflict: A copy of it has another label; left out of training and reports.
        dataset: The data set it came from.
        original_size: (width, height) before any shrinking, in pixels.
        original_mode: Pillow's mode before any shrinking.
        original_sha256: Of the file before any shrinking; empty if unknown.
        mask: The file of its tumour's mask, where a manifest states one; ``train.data.tumour_masks.mask_file`` finds
            others by their place.
    """

    source: Path | bytes = field(repr=False)
    name: str
    label: int
    classes: Classes = field(default=BRAIN, repr=False)
    split: Split = ""
    group: str = ""
    is_copy: bool = False
    label_conflict: bool = False
    dataset: str = ""
    original_size: tuple[int, int] | None = None
    original_mode: str = ""
    original_sha256: str = ""
    mask: Path | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.label < len(self.classes):
            raise ValueError(f"label is {self.label}, expected 0..{len(self.classes) - 1}")

    @property
    def class_name(self) -> str:
        """The name of the class; of the four brain classes, the canonical one."""
        return self.classes.names[self.label]


def classes_of(samples: Sequence[Sample]) -> Classes:
    """Return the classes that the samples of a data set share.

    Raises:
        ValueError: They have different ones: they are of several data sets.
    """
    found = {sample.classes for sample in samples}
    if len(found) > 1:
        raise ValueError("samples of data sets with different classes")
    return found.pop() if found else BRAIN
