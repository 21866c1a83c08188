"""A whole run: plan it or go on with it, have its partitions answered, and sum it up."""

import shutil

from edge_infer.batch.held import WORK, held
from edge_infer.batch.prepared import prepared
from edge_infer.batch.share import Share
from edge_infer.batch.summary import Summary, summarize
from edge_infer.batch.wishes import Shard, Shown, Wishes
from edge_infer.batch.workers import answer_share
from edge_infer.names import counted

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
    with held(output, _driver(wishes.shard)):
        left = share.left
        if left:
            shown.say(_words(share, left))
        answer_share(wishes, share, shown)
        if not share.is_run_finished:
            return None
        summary = summarize(output)
    shutil.rmtree(output / WORK, ignore_errors=True)
    return summary


def _driver(shard: Shard | None) -> str:
    """Name this run's driver, or a shard: the same command twice at once is a mistake."""
    return "driver" if shard is None else f"shard-{shard.number}-of-{shard.count}"


def _words(share: Share, left: int) -> str:
    run, mine = share.run, len(share.numbers)
    parts = [f"{counted(run.units, 'unit')} in {counted(run.partitions, 'partition')}"]
    if mine < run.partitions:
        parts.append(f"{mine} of them of this shard")
    if left < mine:
        parts.append(f"{mine - left} of them finished before")
    return ", ".join(parts)
