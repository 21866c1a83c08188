"""What a listing leaves out, counted and named by example, in memory that does not grow."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from edge_infer.inputs import HEATMAP_ENDING
from edge_infer.names import shown_name

__all__ = ["Left", "LeftOut"]

_NAMED = 3


class Left(Enum):
    """Why something is no unit; the value completes "3 ..." in a sentence, its noun in the plural."""

    HEATMAP = f"named as heatmaps are, *{HEATMAP_ENDING}"
    ARCHIVE = "ZIP archives in a folder: name them to read them"
    OTHER = "without an image's ending"
    REPEATED = "folders that are read already"
    NESTED = "archives within an archive: unpack them to read them"
    NAMESAKE = "of a name that another file of the archive has, too"

    def words(self, count: int) -> str:
        """Return what completes a count in a sentence."""
        words = self.value if count != 1 else _OF_ONE.get(self.name, self.value)
        return str(words)


_OF_ONE = {
    "ARCHIVE": "ZIP archive in a folder: name it to read it",
    "REPEATED": "folder that is read already",
    "NESTED": "archive within an archive: unpack it to read it",
}


@dataclass(slots=True)
class _Few:
    count: int = 0
    names: list[str] = field(default_factory=list)


@dataclass(slots=True)
class LeftOut:
    """Counts by kind, with the first names of each."""

    _kinds: dict[Left, _Few] = field(default_factory=dict)

    def add(self, kind: Left, name: str) -> None:
        """Count one.

        Args:
            kind: Why.
            name: Its own name, without folders.
        """
        few = self._kinds.setdefault(kind, _Few())
        few.count += 1
        if len(few.names) < _NAMED:
            few.names.append(name)

    @property
    def counts(self) -> dict[str, int]:
        """How many of which kind, by the kind's name in small letters."""
        return {kind.name.lower(): self._kinds[kind].count for kind in Left if kind in self._kinds}

    @property
    def phrases(self) -> tuple[str, ...]:
        """A phrase for each kind; none if nothing was left out."""
        return tuple(self._phrases())

    def _phrases(self) -> Iterator[str]:
        for kind in Left:
            few = self._kinds.get(kind)
            if few is None:
                continue
            more = f" and {few.count - len(few.names):,} more" if few.count > len(few.names) else ""
            names = ", ".join(map(shown_name, few.names))
            yield f"{few.count:,} {kind.words(few.count)} ({names}{more})"
