"""A plan: each unit once, the same for all who go on with it, and nobody else's."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.batch.plan import BundleFacts, planned_units, prepare_run
from edge_infer.batch.run_file import Request, RunFile, read_run
from edge_infer.batch.units import Unit
from edge_infer.errors import CannotWrite, NoInputs, UnreadableInput

REQUEST = Request(
    inputs=("/archive",),
    lists=(),
    manifest_sha256="0" * 64,
    versions={"brain-edge": "1"},
    scope="enforce",
    despite=(),
    timeout_s=None,
    formats=("jsonl",),
    embeddings=False,
    partition_size=3,
)
BUNDLE = BundleFacts(model="tiny", precision="fp32", labels=("a", "b"))


def images(count: int) -> list[Unit]:
    return [Unit(kind="image", source=f"/archive/{number}.png") for number in range(count)]


def prepared(output: Path, units: list[Unit], request: Request = REQUEST) -> RunFile:
    return prepare_run(output, request, BUNDLE, lambda: units)


def refuse_to_list() -> list[Unit]:
    raise AssertionError("listed again")


def test_every_unit_is_in_one_partition_and_keeps_its_number(tmp_path: Path) -> None:
    run = prepared(tmp_path, images(7))
    assert (run.units, run.partitions) == (7, 3)
    parts = [list(planned_units(tmp_path, number)) for number in range(3)]
    assert [len(part) for part in parts] == [3, 3, 1]
    assert [pair for part in parts for pair in part] == list(enumerate(images(7)))


def test_a_study_weighs_as_much_as_it_has_files(tmp_path: Path) -> None:
    study = Unit(kind="study", source="/s", members=("/s/1", "/s/2"))
    prepared(tmp_path, [study, study, *images(2)])
    sizes = [len(list(planned_units(tmp_path, number))) for number in range(2)]
    assert sizes == [2, 2]  # 4 files, then 2


def test_the_same_request_goes_on_without_listing_again(tmp_path: Path) -> None:
    first = prepared(tmp_path, images(4))
    assert prepare_run(tmp_path, REQUEST, BUNDLE, refuse_to_list) == first


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"manifest_sha256": "1" * 64}, "bundle"),
        ({"inputs": ("/other",)}, "inputs"),
        ({"embeddings": True, "scope": "off"}, "--scope, --embeddings"),
        ({"versions": {"brain-edge": "2"}}, "versions of the packages"),
        ({"partition_size": 4}, "--partition-size"),
        ({"timeout_s": 1.0}, "--timeout"),
    ],
)
def test_another_request_is_refused_and_what_changed_is_named(
    tmp_path: Path, changed: dict[str, object], named: str
) -> None:
    prepared(tmp_path, images(1))
    with pytest.raises(CannotWrite, match=f"other settings: {named};") as raised:
        prepared(tmp_path, images(1), replace(REQUEST, **changed))
    assert "another --output" in raised.value.hint


def test_a_plan_that_was_ended_halfway_is_made_again(tmp_path: Path) -> None:
    def ended() -> Iterator[Unit]:
        yield from images(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_run(tmp_path, REQUEST, BUNDLE, ended)
    assert read_run(tmp_path) is None
    # As a kill leaves it: a plan without run.json, and a half-written one beside it.
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "part-000000.jsonl").write_text('{"unit": 9', encoding="utf-8")
    (tmp_path / ".plan.0123456789abcdef.tmp").mkdir()
    assert prepared(tmp_path, images(2)).units == 2
    assert list(planned_units(tmp_path, 0)) == list(enumerate(images(2)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan", "run.json"]


def test_nothing_to_classify_leaves_the_folder_free(tmp_path: Path) -> None:
    with pytest.raises(NoInputs):
        prepared(tmp_path / "new", [])
    assert prepared(tmp_path / "new", images(1)).units == 1


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(CannotWrite, match=r"such as thesis\.txt"):
        prepared(tmp_path, images(1))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_of_several_that_start_at_once_one_lists(tmp_path: Path) -> None:
    listings, runs = [], []

    def listed() -> Iterator[Unit]:
        listings.append(1)
        yield from images(300)

    def start() -> None:
        runs.append(prepare_run(tmp_path, REQUEST, BUNDLE, listed))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listings) == 1
    assert runs == [runs[0]] * 4


def test_the_same_inputs_and_options_are_the_same_run_anywhere(tmp_path: Path) -> None:
    first, same, other = (
        prepared(tmp_path / name, images(count)).run_id
        for name, count in (("a", 4), ("b", 4), ("c", 5))
    )
    assert first == same != other


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 2}', '{"run_id": "1"}'])
def test_a_damaged_run_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(CannotWrite, match=r"run\.json: cannot be read"):
        prepared(tmp_path, images(1))


def test_run_json_comes_back_as_it_was(tmp_path: Path) -> None:
    run = prepared(tmp_path, images(4))
    assert RunFile.from_json(json.loads(json.dumps(run.as_json()))) == run
    assert read_run(tmp_path) == run


def test_a_name_that_is_not_utf8_keeps_its_bytes(tmp_path: Path) -> None:
    odd = [Unit(kind="image", source="/archive/\udcff\n.png")]
    prepared(tmp_path, odd)
    assert list(planned_units(tmp_path, 0)) == [(0, odd[0])]


def test_a_worker_that_does_not_see_the_plan_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput) as raised:
        list(planned_units(tmp_path, 0))
    assert "--output" in raised.value.hint
