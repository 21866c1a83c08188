"""A part of a header whose values are looked up once, however often they are asked for.

pydicom takes 20 us to look up a value, and all frames of a file ask for those that they share: 4,000 frames took 7 s.
"""

import functools
from collections.abc import KeysView
from typing import Any

__all__ = ["Remembered"]


class Remembered:
    """What the readers of ``header`` use of a pydicom dataset. A bad value raises each time, as there.

    Args:
        dataset: Not changed from now on.
    """

    elements = ()  # ``header.items_of`` tells items by it

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._tags: KeysView[int] = dataset.keys()
        self._values: dict[str, Any] = {}

    def get(self, keyword: str) -> Any:
        """Return a value by keyword, items of sequences remembered likewise; None if it is missing."""
        try:
            return self._values[keyword]
        except KeyError:
            found = self._dataset.get(keyword) if keyword in self else None
            self._values[keyword] = found = _remembered(found)
            return found

    def __len__(self) -> int:
        return len(self._tags)

    def __contains__(self, which: str | int) -> bool:
        return (_tag_of(which) if isinstance(which, str) else which) in self._tags

    def __getitem__(self, tag: int) -> Any:
        return self._dataset[tag]

    def keys(self) -> KeysView[int]:
        """Return the tags."""
        return self._tags


def _remembered(value: Any) -> Any:
    from pydicom.sequence import Sequence

    return [Remembered(item) for item in value] if isinstance(value, Sequence) else value


@functools.cache
def _tag_of(keyword: str) -> int | None:
    from pydicom.datadict import tag_for_keyword

    return tag_for_keyword(keyword)
