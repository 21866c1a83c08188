"""What the driver does with its engine's workers, with an engine that a test plays."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_infer.batch import engine
from edge_infer.batch.clusters import WorkersLost
from edge_infer.batch.engine import run_on_engine
from edge_infer.batch.journal import Journal
from edge_infer.batch.loading import BundleSource
from edge_infer.batch.partition import Order, journal_path
from edge_infer.batch.submissions import Submissions
from edge_infer.errors import CannotWrite, InferenceFailed, MissingDependency

distributed = pytest.importorskip("distributed")

ORDER = Order(run_id="run", source=BundleSource(), worker="")
DONE = {"units": 10}


class Future:
    """Has ended with a result or an error."""

    def __init__(self, outcome: object) -> None:
        self.status = "error" if isinstance(outcome, Exception) else "finished"
        self._outcome = outcome

    def result(self) -> object:
        return self._outcome

    exception = result

    def release(self) -> None:
        pass

    def add_done_callback(self, call: Callable[["Future"], None]) -> None:
        call(self)


class Client:
    """Answers each partition by a function of its number and how often it was given before."""

    def __init__(self, answer: Callable[[int, int], object], workers: int = 2) -> None:
        self.answer, self.present = answer, workers
        self.given: list[int] = []

    def nthreads(self) -> dict[int, int]:
        return dict.fromkeys(range(self.present), 1)

    def submit(self, _task: object, _output: str, number: int, _words: object, **_: Any) -> Future:
        self.given.append(number)
        return Future(self.answer(number, self.given.count(number) - 1))


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_LOOK_S", 0.01)
    monkeypatch.setattr(engine, "_COUNT_WORKERS_S", 0.0)
    monkeypatch.setattr("edge_infer.batch.submissions._BUSY_S", 0.02)


def run(client: Client, output: Path, count: int, **more: Any) -> list[int]:
    progress: list[int] = []
    waits = more.pop("waits", lambda: None)
    numbers = iter(range(count))
    run_on_engine(client, output, numbers, ORDER, progress=progress.append, waits=waits, **more)
    return progress


def killed() -> Exception:
    error: Exception = distributed.KilledWorker("task", None, 3)
    return error


def test_each_partition_is_given_once_and_its_units_count(tmp_path: Path) -> None:
    client = Client(lambda _number, _before: DONE)
    assert run(client, tmp_path, 7)[-1] == 70
    assert client.given == list(range(7))


def test_no_more_than_two_partitions_a_worker_are_taken_from_the_plan(tmp_path: Path) -> None:
    taken, ended = [], []

    def numbers() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    def answer(number: int, _before: int) -> object:
        assert len(taken) - len(ended) <= 6
        ended.append(number)
        return DONE

    run_on_engine(
        Client(answer, workers=3), tmp_path, numbers(), ORDER, progress=lambda _: None, waits=list
    )
    assert len(ended) == 50


def test_what_another_process_works_on_is_tried_again_later_and_said_once(tmp_path: Path) -> None:
    said: list[int] = []
    client = Client(lambda number, before: {"busy": True} if number == 1 and before < 3 else DONE)
    run(client, tmp_path, 3, waits=lambda: said.append(1))
    assert client.given == [0, 1, 2, 1, 1, 1]
    assert said == [1]


def test_a_partition_whose_workers_end_goes_on_as_long_as_units_are_answered(
    tmp_path: Path,
) -> None:
    def answer(number: int, before: int) -> object:
        if before == 8:
            return DONE
        with Journal(journal_path(tmp_path, number), "run") as journal:
            journal.finish(before, [])
        return killed()

    client = Client(answer)
    run(client, tmp_path, 1)
    assert len(client.given) == 9


def test_a_partition_that_waits_while_workers_die_at_another_that_gets_on_is_not_blamed(
    tmp_path: Path,
) -> None:
    def answer(number: int, before: int) -> object:
        if number == 1:
            with Journal(journal_path(tmp_path, 1), "run") as journal:
                journal.finish(before, [])
        return DONE if before == 8 else killed()

    client = Client(answer)
    run(client, tmp_path, 2)
    assert client.given.count(0) == 9


def test_units_of_an_earlier_run_are_not_counted_as_answered(tmp_path: Path) -> None:
    with Journal(journal_path(tmp_path, 0), "run") as journal:
        for unit in range(4):
            journal.finish(unit, [])
    progress = run(Client(lambda _number, _before: DONE), tmp_path, 1, processes=2)
    assert progress == [0, 6]


def test_workers_that_end_without_an_answer_end_the_run(tmp_path: Path) -> None:
    client = Client(lambda _number, _before: killed())
    with pytest.raises(InferenceFailed, match="before they have answered"):
        run(client, tmp_path, 1)
    assert len(client.given) == 3


def test_an_error_of_a_worker_in_a_cluster_names_it(tmp_path: Path) -> None:
    words = {"code": "cannot_write", "message": "out: is full", "hint": "make room"}
    answers = {"error": words, "worker": "tls://10.0.0.3:1"}
    with pytest.raises(CannotWrite, match=r"^worker tls://10\.0\.0\.3:1: out: is full"):
        run(Client(lambda _number, _before: answers), tmp_path, 1)
    with pytest.raises(CannotWrite, match=r"^out: is full"):
        run(Client(lambda _number, _before: answers | {"worker": "0"}), tmp_path, 1)


def test_a_bug_shows_as_one(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(Client(lambda _number, _before: ZeroDivisionError()), tmp_path, 1)


def test_a_worker_without_the_package_is_told_of(tmp_path: Path) -> None:
    absent = ModuleNotFoundError("No module named 'edge_infer'", name="edge_infer")
    with pytest.raises(MissingDependency, match="lacks edge_infer"):
        run(Client(lambda _number, _before: absent), tmp_path, 1)


def test_a_process_that_is_not_replaced_ends_the_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_REPLACED_S", 0.05)
    client = Client(lambda _number, _before: {"busy": True}, workers=1)
    with pytest.raises(WorkersLost, match="1 of 2"):
        run(client, tmp_path, 1, processes=2)


def test_a_cluster_without_workers_is_waited_for_and_said_once(tmp_path: Path) -> None:
    client, said = Client(lambda _number, _before: DONE, workers=0), []

    def come() -> None:
        said.append(1)
        client.present = 1

    run(client, tmp_path, 2, lacks_workers=come)
    assert said == [1]
    assert client.given == [0, 1]


def test_a_unit_that_takes_long_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SLOW_S", 0.05)
    slow: list[int] = []

    class Working(Future):
        def add_done_callback(self, call: Callable[[Future], None]) -> None:
            self.call = call

    working = Working(DONE)

    class Busy(Client):
        def submit(self, *_: object, **__: Any) -> Future:
            with Journal(journal_path(tmp_path, 0), "run") as journal:
                journal.start(7)
            return working

    def end(unit: int) -> None:
        slow.append(unit)
        working.call(working)

    run(Busy(lambda _number, _before: DONE), tmp_path, 1, processes=2, is_slow=end)
    assert slow == [7]


def test_a_unit_that_a_process_before_began_is_not_slow_while_its_partition_waits(
    tmp_path: Path,
) -> None:
    def begin(unit: int) -> None:
        with Journal(journal_path(tmp_path, 0), "run") as journal:
            journal.start(unit)

    def slow_ones() -> list[int]:
        assert given.answered == 0
        time.sleep(0.01)
        return given.slow_units(0.005)

    begin(7)  # and was interrupted
    outcomes = iter([killed(), {"busy": True}, DONE])
    given = Submissions(Client(lambda _number, _before: next(outcomes)), tmp_path, ORDER)
    given.give(0)
    assert slow_ones() == []
    begin(8)  # by the worker that is killed
    assert slow_ones() == [8]
    given.take(0.01)
    begin(9)  # by another shard that is at it; it ends, too
    assert not given
    time.sleep(0.03)
    given.give_again()
    assert len(given) == 1
    assert slow_ones() == []


def test_a_unit_whose_worker_was_killed_is_not_slow_while_its_partition_waits(
    tmp_path: Path,
) -> None:
    class Waiting(Future):
        def add_done_callback(self, call: Callable[[Future], None]) -> None:
            pass

    class Beginning(Client):
        def submit(self, *words: Any, **more: Any) -> Future:
            ended = super().submit(*words, **more)
            if len(self.given) > 1:
                return Waiting(DONE)
            with Journal(journal_path(tmp_path, 0), "run") as journal:
                journal.start(7)
            return ended

    given = Submissions(Beginning(lambda _number, _before: killed()), tmp_path, ORDER)
    given.give(0)
    given.take(0.01)
    assert (len(given), given.answered) == (1, 0)
    time.sleep(0.01)
    assert given.slow_units(0.005) == []
