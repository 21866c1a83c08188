"""The frames of a file, and where the header of each stands: in functional groups, or at the top.

In enhanced files a value may be in the group of the frame, in that shared by all, or at the top (PS3.3 C.7.6.16).
Legacy converted ones keep what has no group of its own among the "unassigned" attributes of the frame or of all frames
(PS3.3 C.7.6.16.2.25), such as times and code words of the sequence. Classic files have the last only.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from edge_infer.dicom.header import (
    Dataset,
    has_value,
    item_of,
    items_of,
    number,
    numbers,
    whole,
    words,
)
from edge_infer.dicom.remembered import Remembered
from edge_infer.errors import CorruptImage, InputOverLimit

__all__ = ["MAX_FRAMES", "Frame", "frames_of"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

MAX_FRAMES = 4096
_OWN_CONVERTED = "UnassignedPerFrameConvertedAttributesSequence"
_SHARED_CONVERTED = "UnassignedSharedConvertedAttributesSequence"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame, and how to look up its values.

    Attributes:
        top: The header of the file.
        own: Its functional groups; None where there are none.
        shared: Those of all frames.
        index: From 0.
        count: Frames in the file.
        known: What was found out for frames of this file, by what it depends on; for ``once``.
    """

    top: Dataset = field(repr=False)
    own: Dataset | None = field(repr=False)
    shared: Dataset | None = field(repr=False)
    index: int
    count: int
    known: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, find: Callable[[K], T], given: K) -> T:
        """Return ``find(given)``, which is called once for all frames."""
        key = (find, given)
        if key not in self.known:
            self.known[key] = find(given)
        found: T = self.known[key]
        return found

    def group(self, sequence: str) -> Dataset | None:
        """Return the item of a functional group: its own, else the shared one."""
        return item_of(self.own, sequence) or item_of(self.shared, sequence)

    @cached_property
    def converted(self) -> tuple[Dataset, ...]:
        """The unassigned attributes of a legacy converted image, of the frame first."""
        places = ((self.own, _OWN_CONVERTED), (self.shared, _SHARED_CONVERTED))
        return tuple(
            item for groups, name in places if groups is not None for item in items_of(groups, name)
        )

    @property
    def plain(self) -> tuple[Dataset, ...]:
        """Where attributes stand that have no functional group: the unassigned ones, then the top."""
        return (*self.converted, self.top)

    def place_of(self, keyword: str, *, within: str = "") -> Dataset | None:
        """Return the dataset in which an attribute stands; None if in none.

        Args:
            keyword: Of the attribute.
            within: A functional group, which is looked at before ``plain``.
        """
        group = self.group(within) if within else None
        places = self.plain if group is None else (group, *self.plain)
        there = [place for place in places if keyword in place]
        if len(there) > 1:
            there.sort(key=lambda one: not has_value(one, keyword))  # stable: empty ones last
        return there[0] if there else None

    def number(self, keyword: str, *, within: str = "") -> float | None:
        """Return a finite number."""
        place = self.place_of(keyword, within=within)
        return None if place is None else number(place, keyword)

    def whole(self, keyword: str) -> int | None:
        """Return a whole number that has no functional group."""
        place = self.place_of(keyword)
        return None if place is None else whole(place, keyword)

    def item(self, keyword: str, *, within: str = "") -> Dataset | None:
        """Return the first item of a sequence."""
        place = self.place_of(keyword, within=within)
        return None if place is None else item_of(place, keyword)

    def numbers(self, keyword: str, count: int, *, within: str) -> tuple[float, ...] | None:
        """Return exactly so many finite numbers."""
        place = self.place_of(keyword, within=within)
        return None if place is None else numbers(place, keyword, count)

    def words(self, keyword: str, *, within: str = "") -> tuple[str, ...]:
        """Return code words."""
        place = self.place_of(keyword, within=within)
        return () if place is None else words(place, keyword)

    @property
    def is_single(self) -> bool:
        """Whether the file has no other frame."""
        return self.count == 1

    @cached_property
    def image_type(self) -> tuple[str, ...]:
        """Frame Type, else Image Type; with what a legacy converted image keeps of that of the frame."""
        group = self.group("MRImageFrameTypeSequence")
        given = (words(group, "FrameType") if group is not None else ()) or words(
            self.top, "ImageType"
        )
        more = [word for place in self.converted for word in words(place, "ImageType")]
        return (*given, *(word for word in more if word not in given))


def frames_of(header: Dataset, name: str) -> list[Frame]:
    """Return the frames of a file, at least one.

    Raises:
        CorruptImage: There are not as many groups as frames.
        InputOverLimit: There are more than 4,096.
    """
    stated = whole(header, "NumberOfFrames")
    count = 1 if stated is None or stated == 0 else stated
    if count < 0:
        raise CorruptImage(f"{name}: DICOM header states a negative number of frames")
    if count > MAX_FRAMES:
        raise InputOverLimit(f"{name}: file has {count:,} frames, expected at most {MAX_FRAMES:,}")
    top = Remembered(header)
    groups = items_of(top, "PerFrameFunctionalGroupsSequence")
    if groups and len(groups) != count:
        raise CorruptImage(
            f"{name}: DICOM header is damaged (it states {count} frames and describes {len(groups)})",
            hint="copy or export the file again",
        )
    known: dict[Hashable, Any] = {}
    shared = item_of(top, "SharedFunctionalGroupsSequence")
    return [
        Frame(
            top=top,
            own=groups[index] if groups else None,
            shared=shared,
            index=index,
            count=count,
            known=known,
        )
        for index in range(count)
    ]
