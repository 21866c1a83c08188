"""The files of a partition: whole or not there, the same bytes for the same rows, read back as they were."""

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_rows import METADATA, batch_row, failed_row, mixed_rows, planned, written

from edge_infer.batch.partition_files import is_finished, part_numbers
from edge_infer.batch.reading import read_metadata, read_rows
from edge_infer.batch.row import FIELDS, Row
from edge_infer.batch.summary import summarize
from edge_infer.errors import CannotWrite, DataRefused, MissingDependency, NoInputs, UnreadableInput

ENDINGS = ("parquet", "jsonl")
OTHER_BUNDLE = replace(METADATA, manifest_sha256="cd" * 32)


def part(output: Path, ending: str, number: int = 0) -> Path:
    return output / "parts" / f"part-{number:06d}.{ending}"


def rewritten(output: Path, **changed: Any) -> Path:
    """The first line of a partition's JSON lines, with other fields."""
    path = part(output, "jsonl")
    first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text("".join([json.dumps(json.loads(first) | changed) + "\n", *rest]))
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_are_read_as_they_were_given(tmp_path: Path, ending: str) -> None:
    embedding = np.float32([0.1, -1e-30, 3.4e38, 1 / 3]).tolist()
    rows = [*mixed_rows(0, 40), batch_row(40, embedding=embedding), failed_row(41)]
    written(tmp_path, 0, rows)
    assert list(read_rows([part(tmp_path, ending)])) == rows
    assert read_metadata([part(tmp_path, ending)]) == METADATA


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_name_that_is_not_utf_8_is_kept_as_escapes(tmp_path: Path, ending: str) -> None:
    written(tmp_path, 0, [batch_row(0, source="caf\udce9.png", warnings=["\udce9"])])
    (row,) = read_rows([part(tmp_path, ending)])
    assert (row["source"], row["warnings"]) == ("caf\\udce9.png", ["\\udce9"])


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name, worker in (("one", "node1-0"), ("two", "node2-1")):
        written(tmp_path / name, 0, mixed_rows(0, 300), worker=worker, seconds=len(worker))
    for ending in ENDINGS:
        one, two = (part(tmp_path / name, ending).read_bytes() for name in ("one", "two"))
        assert one == two


def test_parquet_has_the_columns_of_fields_and_says_whose_rows_they_are(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    written(tmp_path, 0, [failed_row(0)])
    schema = parquet.read_schema(part(tmp_path, "parquet"))
    types = {"strings": "list<element: string>", "floats": "list<element: double>"}
    types |= {"float32s": "list<element: float>", "float64": "double"}
    assert {field.name: str(field.type) for field in schema} == {
        name: types.get(kind, kind) for name, kind, _ in FIELDS
    }
    told = json.loads(schema.metadata[b"brain_edge"])
    assert told["manifest_sha256"] == METADATA.manifest_sha256
    assert told["labels"] == list(METADATA.labels)
    assert "Research use only" in told["research_use_only"]
    chunk = parquet.ParquetFile(part(tmp_path, "parquet")).metadata.row_group(0).column(0)
    assert chunk.compression == "ZSTD"


def test_each_json_line_names_its_bundle_and_the_notice(tmp_path: Path) -> None:
    written(tmp_path, 0, mixed_rows(0, 3), formats=("jsonl",))
    for line in part(tmp_path, "jsonl").read_text().splitlines():
        fields = json.loads(line)
        assert fields["manifest_sha256"] == METADATA.manifest_sha256
        assert fields["schema_version"] == 1
        assert fields["research_use_only"].startswith("Research use only")


def test_json_lines_need_no_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    written(tmp_path, 0, mixed_rows(0, 3), formats=("jsonl",))
    assert len(list(read_rows([tmp_path / "parts"]))) > 0
    with pytest.raises(MissingDependency, match="pyarrow"):
        written(tmp_path / "other", 0, mixed_rows(0, 3), formats=("parquet",))
    with pytest.raises(MissingDependency, match="pyarrow"):
        list(read_rows([tmp_path / "some.parquet"]))


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, edge_infer.batch.reading, edge_infer.batch.summary\n"
        "print({'pyarrow', 'dask', 'pandas', 'onnxruntime'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_of_a_partition_that_ends_half_way_nothing_is_left(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield from mixed_rows(0, 20)
        raise KeyboardInterrupt

    written(tmp_path, 0, mixed_rows(0, 5))
    before = part(tmp_path, "parquet").read_bytes(), part(tmp_path, "jsonl").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path, 1, rows(), units=20)
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert files == [
        "_metadata.json", "part-000000.json", "part-000000.jsonl", "part-000000.parquet",
    ]  # fmt: skip
    assert before == (part(tmp_path, "parquet").read_bytes(), part(tmp_path, "jsonl").read_bytes())
    assert not is_finished(tmp_path, 1, METADATA)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    written(tmp_path, 0, mixed_rows(0, 5))
    before = {path: path.read_bytes() for path in tmp_path.rglob("part-*")}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match=r"part-000000\.\w+: cannot be written \(No space left"):
        written(tmp_path, 0, mixed_rows(0, 6))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*part-*")} == before


def test_a_folder_of_parts_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "parts").write_text("in the way")
    with pytest.raises(CannotWrite, match="cannot be written"):
        written(tmp_path, 0, [batch_row(0)])


def test_lines_of_another_run_do_not_come_beside_those_that_are_there(tmp_path: Path) -> None:
    written(tmp_path, 0, [batch_row(0)])
    with pytest.raises(CannotWrite, match="another run"):
        written(tmp_path, 1, [batch_row(1)], metadata=OTHER_BUNDLE)


@pytest.mark.parametrize("is_theirs", [False, True])
def test_what_another_worker_writes_at_the_same_time_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_theirs: bool
) -> None:
    replace_file = Path.replace

    def as_on_windows(path: Path, target: Path) -> Path:  # where somebody reads it just now
        if target.name != "_metadata.json":
            return replace_file(path, target)
        if is_theirs:
            target.write_bytes(path.read_bytes())
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr(Path, "replace", as_on_windows)
    if is_theirs:
        written(tmp_path, 0, [batch_row(0)], formats=("jsonl",))
        assert len(list(read_rows([tmp_path / "parts"]))) == 1
    else:
        with pytest.raises(CannotWrite, match="in use"):
            written(tmp_path, 0, [batch_row(0)], formats=("jsonl",))


def test_what_a_killed_writer_left_is_replaced(tmp_path: Path) -> None:
    written(tmp_path, 0, mixed_rows(0, 5))
    left = tmp_path / "parts" / ".part-000001.parquet.tmp"
    left.write_bytes(b"PAR1 half of it")
    written(tmp_path, 1, mixed_rows(5, 5))
    assert not left.exists()
    assert len(list(read_rows([part(tmp_path, "parquet", 1)]))) >= 5


def test_a_partition_is_finished_if_its_files_are_whole_and_of_this_run(tmp_path: Path) -> None:
    assert not is_finished(tmp_path, 0, METADATA)
    written(tmp_path, 0, mixed_rows(0, 5))
    assert is_finished(tmp_path, 0, METADATA)
    assert not is_finished(tmp_path, 1, METADATA)
    assert not is_finished(tmp_path, 0, OTHER_BUNDLE)
    with part(tmp_path, "parquet").open("ab") as file:
        file.write(b"x")
    assert not is_finished(tmp_path, 0, METADATA)
    written(tmp_path, 0, mixed_rows(0, 5))
    part(tmp_path, "jsonl").unlink()
    assert not is_finished(tmp_path, 0, METADATA)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"score": math.nan}, "score"),
        ({"probabilities": [math.inf]}, "probabilities"),
        ({"width": 2**31}, "width"),
        ({"embedding": [math.nan]}, "embedding"),
    ],
)
def test_a_number_that_no_column_holds_is_the_callers_bug(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=f"unit 7: {named}"):
        written(tmp_path, 0, [batch_row(7, **changed)])
    assert not part(tmp_path, "parquet").exists()


def test_a_row_without_a_column_is_the_callers_bug(tmp_path: Path) -> None:
    row = batch_row(0)
    del row["plane"]
    with pytest.raises(ValueError, match="plane"):
        written(tmp_path, 0, [row])


def test_partitions_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (2, 1_000_000, 999_999, 0):
        written(tmp_path, number, [batch_row(number)])
    assert part_numbers(tmp_path / "parts", ".jsonl") == [0, 2, 999_999, 1_000_000]
    rows = read_rows([tmp_path / "parts"], columns=("unit",))
    assert list(rows) == [{"unit": number} for number in (0, 2, 999_999, 1_000_000)]


@pytest.mark.parametrize("stage", ["listing", "planned"])
def test_a_run_without_a_finished_partition_has_not_ended_either(
    tmp_path: Path, stage: str
) -> None:
    if stage == "planned":
        planned(tmp_path, units=10, partitions=2)
    else:
        (tmp_path / ".prepare.lock").touch()
    with pytest.raises(DataRefused, match="has not ended"):
        read_rows([tmp_path])


def test_a_run_is_read_once_it_has_ended(tmp_path: Path) -> None:
    planned(tmp_path, units=10, partitions=2)
    written(tmp_path, 0, mixed_rows(0, 5))
    summarize(tmp_path)
    with pytest.raises(DataRefused, match="has not ended"):
        read_rows([tmp_path])
    written(tmp_path, 1, mixed_rows(5, 5))
    summarize(tmp_path)
    assert list(read_rows([tmp_path])) == [*mixed_rows(0, 5), *mixed_rows(5, 5)]


def test_a_run_that_lost_a_part_since_is_refused_and_the_part_named(tmp_path: Path) -> None:
    planned(tmp_path, units=15, partitions=3)
    for number in range(3):
        written(tmp_path, number, mixed_rows(5 * number, 5))
    summarize(tmp_path)
    part(tmp_path, "jsonl", 1).unlink()
    assert len({row["unit"] for row in read_rows([tmp_path])}) == 15
    part(tmp_path, "parquet", 0).unlink()
    part(tmp_path, "parquet", 1).unlink()
    with pytest.raises(DataRefused, match=r"part-000001\.jsonl: is missing"):
        read_rows([tmp_path])
    with pytest.raises(DataRefused, match="is missing"):
        read_metadata([tmp_path])


@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_of_two_bundles_are_not_read_together(tmp_path: Path, ending: str) -> None:
    written(tmp_path / "one", 0, mixed_rows(0, 3))
    written(tmp_path / "two", 0, mixed_rows(0, 3), metadata=OTHER_BUNDLE)
    with pytest.raises(DataRefused, match="another bundle"):
        read_rows([part(tmp_path / "one", ending), part(tmp_path / "two", ending)])


def test_two_runs_of_a_bundle_are_read_together(tmp_path: Path) -> None:
    other = replace(METADATA, run_id="another")
    written(tmp_path / "one", 0, [batch_row(0)])
    written(tmp_path / "two", 0, [batch_row(1)], metadata=other)
    paths = [tmp_path / "one/parts", tmp_path / "two/parts"]
    assert read_metadata(paths).run_id == ""
    assert [row["unit"] for row in read_rows(paths)] == [0, 1]


def test_a_torn_last_line_is_refused(tmp_path: Path) -> None:
    written(tmp_path, 0, mixed_rows(0, 3))
    path = part(tmp_path, "jsonl")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataRefused, match="torn"):
        list(read_rows([path]))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"schema_version": 2}, "schema version 2"),
        ({"manifest_sha256": "cd" * 32}, "another bundle"),
        ({"more": 1}, "more"),
        ({"unit": "1"}, "unit"),
        ({"score": True}, "score"),
        ({"embedding": [1e300]}, "embedding"),
        ({"reasons": "low_quality"}, "reasons"),
    ],
)
def test_a_line_that_is_no_row_of_this_version_is_refused(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    written(tmp_path, 0, mixed_rows(0, 3))
    with pytest.raises(DataRefused, match=f"line 1.*{said}"):
        list(read_rows([rewritten(tmp_path, **changed)]))


def test_whole_numbers_of_other_programs_are_read_as_numbers(tmp_path: Path) -> None:
    written(tmp_path, 0, [batch_row(0)])
    path = rewritten(tmp_path, score=1, probabilities=[1, 0, 0, 0], embedding=[1, 2])
    (row,) = read_rows([path])
    assert (row["score"], row["probabilities"], row["embedding"]) == (1.0, [1, 0, 0, 0], [1, 2])
    assert type(row["score"]) is float


def test_json_lines_without_their_metadata_are_refused(tmp_path: Path) -> None:
    written(tmp_path, 0, mixed_rows(0, 3))
    beside = tmp_path / "parts" / "_metadata.json"
    told = beside.read_text()
    beside.write_text(told.replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(DataRefused, match="schema version 9"):
        read_rows([part(tmp_path, "jsonl")])
    beside.unlink()
    with pytest.raises(UnreadableInput, match=r"_metadata\.json"):
        read_rows([part(tmp_path, "jsonl")])


def test_files_that_are_no_rows_in_parquet_are_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    torn, foreign, cut = (tmp_path / f"{name}.parquet" for name in ("torn", "foreign", "cut"))
    written(tmp_path, 0, mixed_rows(0, 300))
    whole = part(tmp_path, "parquet").read_bytes()
    torn.write_bytes(whole[:-20])
    parquet.write_table(pyarrow.table({"unit": [1]}), foreign)
    schema = parquet.read_schema(part(tmp_path, "parquet"))
    parquet.write_table(pyarrow.table({"unit": [1]}).replace_schema_metadata(schema.metadata), cut)
    for path, said in ((torn, "damaged"), (foreign, "not of brain-batch"), (cut, "other columns")):
        with pytest.raises(DataRefused, match=said):
            read_rows([path])
    middle = len(whole) // 3
    torn.write_bytes(whole[:middle] + bytes(200) + whole[middle + 200 :])
    with pytest.raises(DataRefused, match="damaged"):
        list(read_rows([torn]))
    with pytest.raises(UnreadableInput):
        read_rows([tmp_path / "missing.parquet"])


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoInputs):
        read_rows([tmp_path])
    written(tmp_path, 0, [batch_row(0)])
    with pytest.raises(ValueError, match="lable"):
        read_rows([tmp_path / "parts"], columns=("lable",))
