"""What a job says to the event loop."""

import json
from dataclasses import dataclass
from typing import Self

from edge_infer.answer_lines import Line
from edge_infer.errors import OutputError

__all__ = ["Ended", "Event", "Lines", "Progress", "Told"]


@dataclass(frozen=True, slots=True)
class Told:
    """A line.

    Attributes:
        text: With its line end.
        outcome: For the metrics: a decision, the code of an error, ``skipped``, or ``series`` with its finding.
        error_code: Of a line that is an error.
        timings_ms: By step.
    """

    text: bytes
    outcome: str
    error_code: str | None
    timings_ms: dict[str, float]

    @classmethod
    def of(cls, line: Line) -> Self:
        """Return a line of ``AnswerLines`` as it is sent."""
        code = line["error"]["code"] if "error" in line else None
        outcome: str = code or line.get("decision") or line.get("status", "")
        if line.get("kind") == "series":
            outcome = f"series {line['finding']}"
        return cls(
            text=(json.dumps(line, allow_nan=False) + "\n").encode("ascii"),
            outcome=outcome,
            error_code=code,
            timings_ms=line.get("timings_ms", {}),
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of an answer that has more."""

    lines: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a series is."""

    done: int
    total: int

    @property
    def lines(self) -> tuple[Told, ...]:
        """None: it is no line of the answer."""
        return ()


@dataclass(frozen=True, slots=True)
class Ended:
    """There is nothing more.

    Attributes:
        told: The only line, of an answer that has no other.
        is_scan: Whether that line is of a scan or an archive.
        bug: Where the work failed, if it did.
        is_out_of_memory: Whether it failed since there was too little memory.
        unrecorded: Why the answer could not be recorded, and so is not given; None if it was, or need not be.
    """

    told: Told | None = None
    is_scan: bool = False
    bug: str | None = None
    is_out_of_memory: bool = False
    unrecorded: OutputError | None = None

    @property
    def lines(self) -> tuple[Told, ...]:
        """The only line, if there is one."""
        return () if self.told is None else (self.told,)


Event = Lines | Progress | Ended
