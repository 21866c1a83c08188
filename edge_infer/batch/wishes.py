"""What a run is asked for, and what its user sees meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge_infer.batch.joined_cluster import ClusterAddress
from edge_infer.batch.loading import BundleSource
from edge_infer.batch.partition_files import Format
from edge_infer.machine import usable_cores

__all__ = ["Shard", "Shown", "Wishes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Every ``count``-th partition, from the ``number``-th on, counted from 1."""

    number: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a run is asked for.

    Attributes:
        inputs: Paths and URLs, as given.
        lists: Files that list more.
        output: Folder of the results.
        source: Where the bundle lies.
        scope: As for ``Classifier.load``.
        despite: Refusals of scans to overrule.
        timeout_s: As for ``Classifier.load``.
        partition_size: Files a partition.
        workers: Processes; None takes the usable cores, 1 needs no engine.
        cluster: One to join, instead of processes here.
        shard: Only these partitions, in this process.
        formats: Of the rows.
        embeddings: Whether rows hold them.
    """

    inputs: tuple[str, ...]
    output: Path
    lists: tuple[str, ...] = ()
    source: BundleSource = field(default_factory=BundleSource)
    scope: Literal["enforce", "report", "off"] = "enforce"
    despite: tuple[str, ...] = ()
    timeout_s: float | None = None
    partition_size: int = 1000
    workers: int | None = None
    cluster: ClusterAddress | None = None
    shard: Shard | None = None
    formats: tuple[Format, ...] = ("parquet",)
    embeddings: bool = False

    @property
    def needs_engine(self) -> bool:
        """Whether partitions are answered in other processes."""
        return self.cluster is not None or (self.shard is None and self.processes > 1)

    @property
    def processes(self) -> int:
        """How many are started here."""
        return usable_cores() if self.workers is None else self.workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the user sees meanwhile.

    Attributes:
        say: Is called with a line.
        progress: Is called with units done and to do, of this start.
        listed: Is called with how many units were listed so far.
    """

    say: Callable[[str], None] = lambda _: None
    progress: Callable[[int, int], None] = lambda _done, _total: None
    listed: Callable[[int], None] = lambda _: None
