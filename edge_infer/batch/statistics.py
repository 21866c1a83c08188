"""What became of the rows of a partition, in numbers that add up over partitions."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_infer.batch.row import Row
from edge_infer.batch.throughput import Spell

__all__ = ["EXAMPLES", "STATISTICS_SCHEMA_VERSION", "Counts", "Statistics"]

STATISTICS_SCHEMA_VERSION = 1

#: Of the files that failed with a code, so many are named.
EXAMPLES = 5

#: As the key of what has no plane or device.
_UNKNOWN = ""

_ADDED = ("reasons", "findings", "series_reasons")
_TABLES = ("states", "labels", "planes", "devices")
_BY_CODE = ("failures", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What a worker knows of a partition beside its rows.

    Attributes:
        units: How many it has.
        started: When work on it began, in seconds since 1970.
        seconds: How long it took, rows written.
        worker: Name of the worker: host and number, no name of a person.
        kept: Units that earlier, interrupted starts had answered.
        spells: When those worked on it.
    """

    units: int
    started: float
    seconds: float
    worker: str
    kept: int = 0
    spells: tuple[Spell, ...] = ()


@dataclass(slots=True, kw_only=True)
class Counts:
    """Numbers of rows.

    Attributes:
        rows: All of them.
        states: By kind of row and state.
        labels: Of answered images and slices, by label and decision.
        planes: The same by plane; the empty name stands for unknown.
        devices: The same by device.
        reasons: Of answered images and slices, by reason; a row may have several.
        findings: Of series, by finding.
        series_reasons: Of series, by reason.
        failures: By code, ``count`` and ``examples``, each a source and a member; a series that failed is in it by its
            slices.
        refused: The same for files of scans that are intact and not for the model.
    """

    rows: int = 0
    states: dict[str, Counter[str]] = field(default_factory=dict)
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    planes: dict[str, Counter[str]] = field(default_factory=dict)
    devices: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    series_reasons: Counter[str] = field(default_factory=Counter)
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count a row."""
        self.rows += 1
        self.states.setdefault(row["kind"], Counter())[row["state"]] += 1
        if row["state"] == "failed":
            if row["kind"] == "series" and row["series"] is not None:
                return  # none of its slices could be read: each of them is counted, and one file is one failure
            is_refused = row["kind"] == "refused" and row["code"] == "scan_refused"
            of_code = (self.refused if is_refused else self.failures).setdefault(
                row["code"], {"count": 0, "examples": []}
            )
            of_code["count"] += 1
            if len(of_code["examples"]) < EXAMPLES:
                of_code["examples"].append([row["source"], row["member"]])
        elif row["kind"] == "series":
            self.findings[row["finding"] or _UNKNOWN] += 1
            self.series_reasons.update(row["reasons"] or ())
        elif row["state"] == "answered":
            for table, name in (
                (self.labels, row["label"]),
                (self.planes, row["plane"]),
                (self.devices, row["device"]),
            ):
                table.setdefault(name or _UNKNOWN, Counter())[row["decision"]] += 1
            self.reasons.update(row["reasons"] or ())

    def as_json(self) -> dict[str, Any]:
        """Return what ``merge`` takes, in an order that rows alone decide."""
        return {
            "rows": self.rows,
            **{name: _ordered(getattr(self, name)) for name in _ADDED},
            **{
                name: {key: _ordered(one) for key, one in sorted(getattr(self, name).items())}
                for name in _TABLES
            },
            **{name: dict(sorted(getattr(self, name).items())) for name in _BY_CODE},
        }

    def merge(self, fields: Mapping[str, Any]) -> None:
        """Add what another gave as JSON; examples are kept in the order of the calls."""
        self.rows += fields["rows"]
        for name in _ADDED:
            getattr(self, name).update(fields[name])
        for name in _TABLES:
            for key, one in fields[name].items():
                getattr(self, name).setdefault(key, Counter()).update(one)
        for name in _BY_CODE:
            for code, one in fields[name].items():
                mine = getattr(self, name).setdefault(code, {"count": 0, "examples": []})
                mine["count"] += one["count"]
                mine["examples"] = (mine["examples"] + one["examples"])[:EXAMPLES]


def _ordered(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))
