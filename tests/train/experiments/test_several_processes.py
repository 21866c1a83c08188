import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parents[3] / "docs" / "training.md"


def test_the_page_has_the_table_of_the_results(
    load_experiment: Callable[[str], ModuleType],
) -> None:
    experiment = load_experiment("several_processes")
    result = json.loads(experiment.RESULT.read_text(encoding="utf-8"))
    assert experiment.table(result) in PAGE.read_text(encoding="utf-8")


def test_two_processes_differ_as_two_threads_do(
    load_experiment: Callable[[str], ModuleType],
) -> None:
    result = json.loads(load_experiment("several_processes").RESULT.read_text(encoding="utf-8"))
    assert len(result["rows"]) == 7, "every shipped default recipe"
    for row in result["rows"]:
        assert row["processes"] <= 10 * row["threads"]
        assert row["processes_float64_most"] < 1e-9


def test_the_page_has_the_table_of_the_times(
    load_experiment: Callable[[str], ModuleType],
) -> None:
    experiment = load_experiment("several_processes_speed")
    result = json.loads(experiment.RESULT.read_text(encoding="utf-8"))
    assert experiment.table(result) in PAGE.read_text(encoding="utf-8")
