"""Engines take turns, and exactly the requested queries are timed."""

from typing import Any

from benchmarks.interleaving import drive
from edge_infer.errors import InferenceFailed


class _Recorder:
    """Records its requests; a query takes as many milliseconds as its name has letters."""

    def __init__(self, name: str, log: list[tuple[str, str]]) -> None:
        self.name, self.log = name, log

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if arguments["n"]:
            self.log.append((self.name, do))
        return {"ms": [float(len(self.name))] * arguments["n"]}


class _Breaks(_Recorder):
    """Fails at its third query."""

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "query" and sum(entry == (self.name, "query") for entry in self.log) == 2:
            raise InferenceFailed("out of memory")
        return super().ask(do, **arguments)


def test_an_engine_that_fails_in_the_middle_is_left_out_and_the_others_go_on() -> None:
    log: list[tuple[str, str]] = []
    workers = {"good": _Recorder("good", log), "bad": _Breaks("bad", log)}
    timings = drive(workers, ["one.jpg"], rounds=5, pause_seconds=0.0)
    assert timings["bad"].failure == ["out of memory"]
    assert timings["good"].failure == []
    assert len(timings["good"].model) == 5


def test_the_order_is_reversed_every_other_round_and_the_warm_up_is_not_counted() -> None:
    log: list[tuple[str, str]] = []
    workers = {name: _Recorder(name, log) for name in ("a", "bb", "peak")}
    turns = []
    timings = drive(
        workers,
        ["one.jpg", "two.jpg"],
        rounds=3,
        model_only=frozenset({"peak"}),
        turn_done=lambda: turns.append(1),
        pause_seconds=0.0,
    )
    warm_up = [("a", "answer"), ("bb", "answer")]
    assert log[:2] == warm_up
    asked = [name for name, do in log[2:] if do == "query"]
    assert asked == ["a", "bb", "peak", "peak", "bb", "a", "a", "bb", "peak"]
    assert [len(queries) for queries in timings["bb"].model] == [4, 4, 4]
    assert timings["bb"].end_to_end == [[2.0, 2.0]] * 3
    assert timings["peak"].end_to_end == []
    assert len(turns) == 9
