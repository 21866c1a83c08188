"""What partitions' statistics come to when they are added up, one after another."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_infer.batch.metadata import Metadata
from edge_infer.batch.statistics import Counts
from edge_infer.batch.throughput import Spell, Throughput
from edge_infer.errors import DataRefused

__all__ = ["Totals"]


class Totals:
    """Sums over partitions.

    Attributes:
        metadata: What all rows share; None before the first partition.
        counts: Of rows.
        throughput: When partitions were worked on.
        workers: By name, their ``partitions``, ``units`` and ``seconds``.
        sizes: In bytes, by format.
        partitions: How many.
        units: How many they have.
    """

    def __init__(self) -> None:
        self.metadata: Metadata | None = None
        self.counts, self.throughput = Counts(), Throughput()
        self.workers: dict[str, dict[str, float]] = {}
        self.sizes: dict[str, int] = {}
        self.partitions = self.units = 0

    def add(self, name: str, fields: Mapping[str, Any]) -> None:
        """Add the statistics of a partition.

        Args:
            name: Of their file, for the message.
            fields: Of ``read_statistics``.

        Raises:
            DataRefused: They are of another run.
        """
        metadata = Metadata.parsed(json.dumps(fields["metadata"]).encode())
        if self.metadata not in (None, metadata):
            raise DataRefused(
                f"{name}: is of another run than the first partition",
                hint="name a new folder for each run",
            )
        self.metadata = metadata
        self.partitions += 1
        self.units += fields["units"]
        self.counts.merge(fields["counts"])
        now, seconds = fields["units"] - fields["kept"], fields["seconds"]
        self.throughput.add(
            started=fields["started"],
            seconds=seconds,
            units=now,
            spells=[Spell(**one) for one in fields["spells"]],
        )
        worker = self.workers.setdefault(
            fields["worker"], {"partitions": 0, "units": 0, "seconds": 0.0}
        )
        for key, value in (("partitions", 1), ("units", now), ("seconds", seconds)):
            worker[key] = round(worker[key] + value, 3)
        for file, facts in fields["files"].items():
            ending = Path(file).suffix.removeprefix(".")
            self.sizes[ending] = self.sizes.get(ending, 0) + facts["size_bytes"]
