"""A whole run: plan it or go on with it, have its partitions answered, and sum it up."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge_infer.batch.partition import WORK
from edge_infer.batch.prepared import prepared
from edge_infer.batch.share import Share
from edge_infer.batch.summary import Summary, summarize
from edge_infer.batch.wishes import Shard, Shown, Wishes
from edge_infer.batch.workers import answer_share
from edge_infer.errors import CannotWrite
from edge_infer.lock_file import locked
from edge_infer.names import counted, shown_name

__all__ = ["Shard", "Shown", "Wishes", "run_batch"]


def run_batch(wishes: Wishes, shown: Shown) -> Summary | None:
    """Answer everything that is not answered yet, and sum it up.

    Returns:
        The summary; None if other shards have partitions to answer.

    Raises:
        BrainError: Something concerns more than one unit. What is finished stays; the same call goes on.
    """
    run = prepared(wishes, shown)
    output = wishes.output
    share = Share(output=output, run=run, shard=wishes.shard)
    with _alone_with(output, wishes.shard):
        left = share.left
        if left:
            shown.say(_words(share, left))
        answer_share(wishes, share, shown)
        if not share.is_run_finished:
            return None
        summary = summarize(output)
    shutil.rmtree(output / WORK, ignore_errors=True)
    return summary


@contextmanager
def _alone_with(output: Path, shard: Shard | None) -> Iterator[None]:
    """Hold the lock of this run's driver, or of a shard: the same command twice at once is a mistake."""
    own = "driver" if shard is None else f"shard-{shard.number}-of-{shard.count}"
    path = output / WORK / f".{own}.lock"
    with ExitStack() as stack:
        try:
            path.parent.mkdir(exist_ok=True)
            stack.enter_context(locked(path, output))
        except OSError as error:
            raise CannotWrite(
                f"{shown_name(path)}: cannot be written ({error.strerror or error})",
                hint="check that the folder is writable, has space left, and is on a file system with locks",
            ) from error
        yield


def _words(share: Share, left: int) -> str:
    run, mine = share.run, len(share.numbers)
    parts = [f"{counted(run.units, 'unit')} in {counted(run.partitions, 'partition')}"]
    if mine < run.partitions:
        parts.append(f"{mine} of them of this shard")
    if left < mine:
        parts.append(f"{mine - left} of them finished before")
    return ", ".join(parts)
