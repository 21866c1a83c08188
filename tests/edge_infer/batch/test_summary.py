"""A run summed up: the counts of its rows, its failures by name, its pace; nothing of another run."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from batch_rows import METADATA, STARTED, batch_row, failed_row, mixed_rows, planned, written

from edge_infer.batch.reading import read_rows
from edge_infer.batch.summary import Summary, is_complete, summarize
from edge_infer.batch.throughput import Spell, Throughput
from edge_infer.errors import DataRefused, NoInputs


def pairs(table: dict[str, dict[str, int]]) -> dict[tuple[str, str], int]:
    return {(name, key): count for name, one in table.items() for key, count in one.items()}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    planned(tmp_path, units=90, partitions=3)
    for number in range(3):
        written(
            tmp_path,
            number,
            mixed_rows(30 * number, 30),
            units=30,
            started=STARTED + 10 * number,
            seconds=10,
            worker=f"node{number % 2}",
        )
    return tmp_path


def test_the_counts_are_those_of_the_rows(output: Path) -> None:
    summary = summarize(output)
    rows = list(read_rows([output]))
    answered = [
        row for row in rows if row["state"] == "answered" and row["kind"] in ("image", "slice")
    ]
    counts = summary.counts
    assert counts["rows"] == len(rows)
    assert pairs(counts["states"]) == Counter((row["kind"], row["state"]) for row in rows)
    for table, column in (("labels", "label"), ("planes", "plane"), ("devices", "device")):
        by_hand = Counter((row[column] or "", row["decision"]) for row in answered)
        assert pairs(counts[table]) == by_hand
    assert counts["reasons"] == Counter(reason for row in answered for reason in row["reasons"])
    series = [row for row in rows if row["kind"] == "series"]
    assert counts["findings"] == Counter(row["finding"] for row in series)
    assert summary.accepted + summary.abstained == len(answered)
    failed = [row for row in rows if row["state"] == "failed"]
    assert summary.refused == sum(row["code"] == "scan_refused" for row in failed)
    assert summary.failed == len(failed) - summary.refused
    assert (summary.units, summary.partitions, summary.is_complete) == (90, 3, True)


def test_failures_name_the_first_five_by_code(tmp_path: Path) -> None:
    for number in range(2):
        units = range(4 * number, 4 * number + 4)
        written(tmp_path, number, [failed_row(unit, member=f"m{unit}") for unit in units])
    written(tmp_path, 2, [failed_row(8, "over_limit"), batch_row(9)])
    failures = summarize(tmp_path).counts["failures"]
    assert failures["corrupt"] == {
        "count": 8,
        "examples": [[f"archive/{unit:06d}.png", f"m{unit}"] for unit in range(5)],
    }
    assert failures["over_limit"]["count"] == 1


def test_a_damaged_file_of_a_study_is_a_failure_and_a_refused_one_is_not(tmp_path: Path) -> None:
    rows = [failed_row(0, code, kind="refused") for code in ("scan_refused", "corrupt")]
    written(tmp_path, 0, rows)
    summary = summarize(tmp_path)
    assert (summary.refused, summary.failed) == (1, 1)


def test_a_series_without_a_readable_slice_is_counted_by_its_slices(tmp_path: Path) -> None:
    slices = [failed_row(0, row=row, kind="slice", member=f"{row}", series=1) for row in range(3)]
    series = failed_row(0, row=3, kind="series", series=1)
    unreadable = failed_row(1, "unreadable", kind="series")  # a study that could not be opened
    written(tmp_path, 0, [*slices, series, unreadable])
    summary = summarize(tmp_path)
    assert summary.failed == 4
    assert summary.counts["failures"]["unreadable"]["count"] == 1
    assert summary.counts["states"]["series"] == {"failed": 2}


def test_a_run_in_which_everything_was_refused_is_not_well(tmp_path: Path) -> None:
    refused = [failed_row(0, "scan_refused", kind="refused")]
    written(tmp_path, 0, refused)
    assert summarize(tmp_path).has_failures
    written(tmp_path, 1, [batch_row(1)])
    assert not summarize(tmp_path).has_failures


def test_the_file_holds_the_summary_the_bundle_and_the_notice(output: Path) -> None:
    summary = summarize(output)
    told = json.loads((output / "summary.json").read_text())
    assert told["counts"] == summary.counts
    assert told["manifest_sha256"] == METADATA.manifest_sha256
    assert told["research_use_only"].startswith("Research use only")
    assert told["request"]["inputs"] == ["/archive/2025"]
    assert told["workers"]["node0"] == {"partitions": 2, "units": 60, "seconds": 20}
    sizes = {
        ending: sum(path.stat().st_size for path in (output / "parts").glob(f"*.{ending}"))
        for ending in ("jsonl", "parquet")
    }
    assert told["size_bytes"] == sizes


def test_a_run_that_has_not_ended_is_summed_up_so_far(output: Path) -> None:
    (output / "statistics" / "part-000001.json").unlink()
    summary = summarize(output)
    assert (summary.partitions, summary.planned_partitions) == (2, 3)
    assert not summary.is_complete
    assert not is_complete(output)
    written(output, 1, mixed_rows(30, 30))
    summarize(output)
    assert is_complete(output)


def test_statistics_of_another_run_are_refused(output: Path) -> None:
    written(output, 1, mixed_rows(30, 30), formats=(), metadata=replace(METADATA, run_id="other"))
    with pytest.raises(DataRefused, match=r"part-000001\.json.*another run"):
        summarize(output)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"schema_version": 1', '{"schema_version": 2}', "counts"]
)
def test_damaged_statistics_are_refused(output: Path, content: str) -> None:
    path = output / "statistics" / "part-000001.json"
    if content == "counts":
        content = json.dumps(json.loads(path.read_text()) | {"counts": {"rows": 3}})
    path.write_text(content)
    with pytest.raises(DataRefused, match=r"part-000001\.json.*damaged"):
        summarize(output)


def test_without_a_finished_partition_there_is_nothing_to_sum_up(tmp_path: Path) -> None:
    with pytest.raises(NoInputs):
        summarize(tmp_path)


def test_two_workers_at_an_even_pace_give_an_even_throughput() -> None:
    throughput = Throughput()
    for number in range(100):
        throughput.add(started=1e9 + 5 * (number // 2), seconds=5, units=500)
    told = throughput.as_json()
    assert told is not None
    assert told["worked_seconds"] == 250
    assert told["units_per_second"] == 200
    assert told["rates"] == pytest.approx([200] * 60, rel=1e-5)
    assert told["pauses"] == []


def test_a_pause_is_cut_out_and_named() -> None:
    throughput = Throughput()
    for started in (0, 10, 86_400, 86_410):
        throughput.add(started=1e9 + started, seconds=10, units=100)
    told = throughput.as_json()
    assert told is not None
    assert told["worked_seconds"] == 40
    assert told["units_per_second"] == 10
    assert told["rates"] == pytest.approx([10] * 60, rel=1e-5)
    assert told["pauses"] == [{"after_seconds": 20, "seconds": 86_380}]


def test_a_short_pause_in_which_a_partition_lay_half_done_is_cut_out_too() -> None:
    throughput = Throughput()
    throughput.add(started=1e9, seconds=10, units=100)
    throughput.add(
        started=1e9 + 30,  # a kill after 5 s and 50 units, and a start 15 s later
        seconds=5,
        units=50,
        spells=[Spell(started=1e9 + 10, seconds=5, units=50)],
    )
    throughput.add(started=1e9 + 50, seconds=10, units=100)  # nothing lay half done: as other gaps
    told = throughput.as_json()
    assert told is not None
    assert told["pauses"] == [{"after_seconds": 15, "seconds": 15}]
    assert told["worked_seconds"] == 45
    assert told["units_per_second"] == pytest.approx(300 / 45, abs=0.001)


def test_what_others_worked_on_meanwhile_is_no_pause() -> None:
    throughput = Throughput()
    throughput.add(
        started=1e9 + 40, seconds=5, units=1, spells=[Spell(started=1e9, seconds=5, units=1)]
    )
    throughput.add(started=1e9 + 2, seconds=20, units=1)
    throughput.add(started=1e9 + 22.5, seconds=20, units=1)
    told = throughput.as_json()
    assert told is not None
    assert told["pauses"] == []


def test_statistics_from_before_spells_were_kept_are_read(output: Path) -> None:
    path = output / "statistics" / "part-000001.json"
    fields = json.loads(path.read_text())
    del fields["spells"]
    path.write_text(json.dumps(fields))
    assert summarize(output).partitions == 3


def test_units_that_an_earlier_start_had_answered_make_nothing_faster(tmp_path: Path) -> None:
    rows = list(mixed_rows(0, 100))
    written(tmp_path, 0, rows, units=100, kept=90, seconds=10)
    summary = summarize(tmp_path)
    assert summary.throughput is not None
    assert summary.throughput["units_per_second"] == 1
    assert summary.workers["node1-0"]["units"] == 10


def test_the_sum_is_the_same_in_whatever_pieces(tmp_path: Path) -> None:
    sums: list[Summary] = []
    rows = list(mixed_rows(0, 60))
    for size in (7, 60):
        output = tmp_path / str(size)
        for number, first in enumerate(range(0, len(rows), size)):
            written(output, number, rows[first : first + size])
        sums.append(summarize(output))
    assert sums[0].counts == sums[1].counts
