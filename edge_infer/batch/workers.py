"""Who answers: this process, processes that are started here, or a cluster that is there."""

from collections.abc import Callable, Iterator
from itertools import chain

from edge_infer.batch.clusters import WorkersLost, local_cluster
from edge_infer.batch.engine import run_on_engine
from edge_infer.batch.held import WORK
from edge_infer.batch.here import run_here
from edge_infer.batch.joined_cluster import ClusterAddress, joined_cluster
from edge_infer.batch.partition import Order
from edge_infer.batch.share import Share
from edge_infer.batch.wishes import Shown, Wishes
from edge_infer.errors import InferenceFailed
from edge_infer.names import counted, shown_name

__all__ = ["answer_share"]

#: So often workers may be lost in a row without one more answer.
_MOST_LOSSES = 3


def answer_share(wishes: Wishes, share: Share, shown: Shown) -> None:
    """Answer the partitions of a share that are left.

    Raises:
        BrainError: Something concerns more than one unit.
    """
    pending = share.pending()
    first = next(pending, None)
    if first is None:
        return  # no engine is started for nothing
    pending = chain([first], pending)
    if not wishes.needs_engine:
        _here(wishes, share, pending, shown)
    elif wishes.cluster is None:
        _on_processes(wishes, share, pending, shown)
    else:
        _on_cluster(wishes, wishes.cluster, share, pending, shown)


def _here(wishes: Wishes, share: Share, pending: Iterator[int], shown: Shown) -> None:
    done, to_do = 0, share.units_left

    def on_unit() -> None:
        nonlocal done
        done += 1
        shown.progress(done, max(done, to_do))

    shard = wishes.shard
    name = "this process" if shard is None else f"shard {shard.number} of {shard.count}"
    order = Order(run_id=share.run.run_id, source=wishes.source, worker=name)
    run_here(wishes.output, pending, order, on_unit=on_unit, waits=_waits(shown))


def _on_processes(wishes: Wishes, share: Share, pending: Iterator[int], shown: Shown) -> None:
    """Workers that end are started again by Dask, unless they end while they start; then all are started anew."""
    losses = done = 0
    to_do = share.units_left
    workers = max(1, min(wishes.processes, share.left))
    shown.say(f"starting {counted(workers, 'worker')}")
    while True:
        before = done

        def progress(count: int, before: int = before) -> None:
            nonlocal done
            done = max(done, before + count)
            shown.progress(done, max(done, to_do))

        try:
            with local_cluster(workers, wishes.output / WORK / "engine") as client:
                run_on_engine(
                    client,
                    wishes.output,
                    pending,
                    _order(wishes, share),
                    progress=progress,
                    processes=workers,
                    waits=_waits(shown),
                    is_slow=lambda unit: shown.say(_slow_words(unit)),
                )
            return
        except WorkersLost as error:
            losses = 0 if done > before else losses + 1
            if losses == _MOST_LOSSES:
                raise InferenceFailed(
                    f"the engine's workers do not start ({error})",
                    hint="try --workers 1, which needs no engine; is there enough memory?",
                ) from error
        shown.say("workers ended while they started; starting all of them again")
        pending = share.pending()


def _on_cluster(
    wishes: Wishes, cluster: ClusterAddress, share: Share, pending: Iterator[int], shown: Shown
) -> None:
    to_do = share.units_left
    shown.say(f"joining the cluster at {shown_name(cluster.address)}")
    with joined_cluster(cluster) as client:
        run_on_engine(
            client,
            wishes.output,
            pending,
            _order(wishes, share),
            progress=lambda done: shown.progress(done, max(done, to_do)),
            waits=_waits(shown),
            lacks_workers=lambda: shown.say("the cluster has no workers; waiting for them"),
        )


def _order(wishes: Wishes, share: Share) -> Order:
    return Order(run_id=share.run.run_id, source=wishes.source, worker="")


def _waits(shown: Shown) -> Callable[[], None]:
    return lambda: shown.say("what is left is being worked on by other processes; waiting for them")


def _slow_words(unit: int) -> str:
    return (
        f"unit {unit} (its line in plan/ names it) has been worked on for more than 5 minutes; in a run with "
        "--timeout, what takes longer is a row"
    )
