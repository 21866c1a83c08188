"""The partitions that a process is to answer, and which of them are left."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_infer.batch.partition import metadata_of
from edge_infer.batch.partition_files import STATISTICS, is_finished, part_numbers
from edge_infer.batch.run_file import RunFile
from edge_infer.batch.wishes import Shard

__all__ = ["Share"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """All partitions of a run, or those of a shard.

    Attributes:
        output: Folder of the run.
        run: It.
        shard: None for all partitions.
    """

    output: Path
    run: RunFile
    shard: Shard | None = None

    @property
    def numbers(self) -> range:
        """The partitions."""
        if self.shard is None:
            return range(self.run.partitions)
        return range(self.shard.number - 1, self.run.partitions, self.shard.count)

    @property
    def left(self) -> int:
        """How many partitions have no statistics yet."""
        finished = self._finished()
        return len(self.numbers) - sum(number in finished for number in self.numbers)

    @property
    def units_left(self) -> int:
        """About how many units those have; of a partition only the mean is known."""
        return round(self.run.units * self.left / self.run.partitions)

    @property
    def is_run_finished(self) -> bool:
        """Whether all partitions of the run have their files; another shard may be redoing one that was lost."""
        numbers, metadata = range(self.run.partitions), metadata_of(self.run)
        return self._finished().issuperset(numbers) and all(
            is_finished(self.output, number, metadata) for number in numbers
        )

    def pending(self) -> Iterator[int]:
        """Yield the partitions that are not finished, or whose files were lost or changed since."""
        metadata, finished = metadata_of(self.run), self._finished()
        for number in self.numbers:
            if number not in finished or not is_finished(self.output, number, metadata):
                yield number

    def _finished(self) -> set[int]:
        return set(part_numbers(self.output / STATISTICS, ".json"))
