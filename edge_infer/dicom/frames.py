"""The frames of a file, and where the header of each stands: in functional groups, or at the top.

In enhanced files a value may be in the group of the frame, in that shared by all, or at the top (PS3.3 C.7.6.16);
legacy converted ones mix the places. Classic files have the last only.
"""

from dataclasses import dataclass, field
from functools import cached_property

from edge_infer.dicom.header import Dataset, item_of, items_of, number, numbers, whole, words
from edge_infer.errors import CorruptImage, InputOverLimit

__all__ = ["MAX_FRAMES", "Frame", "frames_of"]

MAX_FRAMES = 4096


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame, and how to look up its values.

    Attributes:
        top: The header of the file.
        own: Its functional groups; None where there are none.
        shared: Those of all frames.
        index: From 0.
        count: Frames in the file.
    """

    top: Dataset = field(repr=False)
    own: Dataset | None = field(repr=False)
    shared: Dataset | None = field(repr=False)
    index: int
    count: int

    def group(self, sequence: str) -> Dataset | None:
        """Return the item of a functional group: its own, else the shared one."""
        return item_of(self.own, sequence) or item_of(self.shared, sequence)

    def place_of(self, keyword: str, *, within: str) -> Dataset | None:
        """Return the dataset in which an attribute stands: the functional group, else the top; None if in neither."""
        group = self.group(within)
        if group is not None and keyword in group:
            return group
        return self.top if keyword in self.top else None

    def number(self, keyword: str, *, within: str) -> float | None:
        """Return a finite number."""
        place = self.place_of(keyword, within=within)
        return None if place is None else number(place, keyword)

    def numbers(self, keyword: str, count: int, *, within: str) -> tuple[float, ...] | None:
        """Return exactly so many finite numbers."""
        place = self.place_of(keyword, within=within)
        return None if place is None else numbers(place, keyword, count)

    def words(self, keyword: str, *, within: str) -> tuple[str, ...]:
        """Return code words."""
        place = self.place_of(keyword, within=within)
        return () if place is None else words(place, keyword)

    @property
    def is_single(self) -> bool:
        """Whether the file has no other frame."""
        return self.count == 1

    @cached_property
    def image_type(self) -> tuple[str, ...]:
        """Frame Type, else Image Type."""
        group = self.group("MRImageFrameTypeSequence")
        return (words(group, "FrameType") if group is not None else ()) or words(
            self.top, "ImageType"
        )


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
    groups = items_of(header, "PerFrameFunctionalGroupsSequence")
    if groups and len(groups) != count:
        raise CorruptImage(
            f"{name}: DICOM header is damaged (it states {count} frames and describes {len(groups)})",
            hint="copy or export the file again",
        )
    shared = item_of(header, "SharedFunctionalGroupsSequence")
    return [
        Frame(
            top=header,
            own=groups[index] if groups else None,
            shared=shared,
            index=index,
            count=count,
        )
        for index in range(count)
    ]
