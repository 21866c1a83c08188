"""Whose turn it is: rounds in the order in which they came, without reading every note each time."""

from collections.abc import Sequence

from edge_infer.node.notes import read_note
from edge_infer.node.spool import Round

__all__ = ["Turns"]


class Turns:
    """Remembers when each waiting round came.

    Args:
        field: Of the note, holding that time.
    """

    def __init__(self, field: str) -> None:
        self._field = field
        self._times: dict[str, float] = {}

    def in_order(self, waiting: Sequence[Round]) -> list[Round]:
        """Return the rounds, first come first."""
        names = {one.name for one in waiting}
        self._times = {name: time for name, time in self._times.items() if name in names}
        for one in waiting:
            if one.name not in self._times:
                value = read_note(one.folder).get(self._field)
                self._times[one.name] = float(value) if isinstance(value, int | float) else 0.0
        return sorted(waiting, key=lambda one: (self._times[one.name], one.key, one.number))
