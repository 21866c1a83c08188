"""An association, as far as studies depend on it, and when a later one is its sender's new try.

A node whose disk is slow learns late that a sender lost patience: only when it has written the image that was under
way, and the new try may have begun by then, or even ended. So an association that began after the last image of the
broken one was heard is a new try, too, if it sent an image that the broken one had sent; another one may be a part that
is sent at the same time.
"""

from collections.abc import Set
from dataclasses import dataclass, field

from edge_infer.node.received import Received

__all__ = ["Break", "Link"]


@dataclass(slots=True, eq=False)
class Link:
    """An association, as far as studies depend on it.

    Attributes:
        token: Its name in marks.
        began: Its place among all beginnings, images and breaks.
        keys: Studies it has sent into.
        refused: Those of them of which an image was refused for want of room.
        series: Which series it has sent, by study; the last one stands last.
        heard: Place of its last image among all beginnings, images and breaks.
        names: Images it has sent, by study.
    """

    token: str
    began: int
    heard: int = 0
    keys: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    series: dict[str, dict[str, None]] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)

    def sends(self, received: Received) -> None:
        """It sends this image."""
        self.names.setdefault(received.key, set()).add(received.name)
        sent = self.series.setdefault(received.key, {})
        sent.pop(received.series_instance_uid, None)
        sent[received.series_instance_uid] = None

    def last_series(self, key: str) -> str:
        """Return the series it was sending; empty if unknown."""
        return next(reversed(self.series.get(key, {})), "")


@dataclass(frozen=True, slots=True)
class Break:
    """That an association ended otherwise than by a release.

    Attributes:
        place: At which it was noticed, among all beginnings, images and breaks.
        heard: Place of its last image.
        series: Which it was sending; empty if unknown.
        names: Images it had sent into the study.
    """

    place: int
    heard: int
    series: str
    names: Set[str] = frozenset()

    def is_before(self, link: Link, key: str) -> bool:
        """Whether an association began later; or while the break was not noticed yet, and was the sender's new try."""
        if link.began < self.place:
            return link.began > self.heard and bool(self.names & link.names.get(key, set()))
        return True

    def is_mended_by(self, link: Link, key: str) -> bool:
        """Whether a later association was the sender's new try: it sent into the series that was interrupted."""
        return not self.series or self.series in link.series.get(key, {})
