"""A set of images to ask a bundle about, and what is known of it."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

__all__ = ["NO_CLASS", "AskedImage", "ImageSet", "Kind"]

#: The label of an image that shows none of the classes.
NO_CLASS = -1


class Kind(StrEnum):
    """What a bundle should do with a set."""

    #: No head, or no scan: it should abstain on every image.
    FAR = "far"
    #: A head, but another sequence, another lesion or an edited image: it should abstain, which is harder.
    NEAR = "near"
    #: Heads of the classes it knows from other scanners: it should answer, and abstaining is a cost.
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedImage:
    """One image.

    Attributes:
        source: Its file, or its encoded bytes.
        name: For tables: its path from its set's folder.
        label: Class id, or ``NO_CLASS``.
        group: Its patient; empty if unknown.
        licence: As its manifest states it; empty if unknown.
    """

    source: Path | bytes = field(repr=False)
    name: str
    label: int = NO_CLASS
    group: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """Images that are reported together.

    Attributes:
        name: For tables, such as ``tcga_lgg FLAIR``.
        kind: What a bundle should do with them.
        note: What a reader must know of them.
        images: At least one.
    """

    name: str
    kind: Kind
    note: str
    images: tuple[AskedImage, ...] = field(repr=False)
