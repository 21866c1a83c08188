"""The campaigns of scale-out at their smallest: brain-batch killed four times, and the fit of its costs."""

import os
from pathlib import Path

import pytest
from scale.cost import model, terms
from scale.images import validation_images
from scale.kills import Campaign
from scale.memory import growth
from scale.watching import MARK, end, marked, new_mark


@pytest.mark.campaign
@pytest.mark.real_scans
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads /proc")
def test_a_run_that_was_killed_has_the_rows_of_one_that_was_not(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    if not validation_images():
        pytest.skip("needs BRISC of BRAIN_EDGE_DATA")
    campaign = Campaign(folder=tmp_path / "kills", images=300, kills=4, partition_size=40)
    result = campaign.run(shows=False)
    assert result["kills"] == {"worker": 2, "driver": 1, "all": 1}
    assert result["equal"] == {"parquet": True, "jsonl": True}
    assert result["rows"] == result["units"] == 300
    assert result["states"]["process_died"] == 1
    assert result["orphans"] == 0


def _run(images: int, workers: int, partition_size: int, **figures: object) -> dict:
    return {
        "images": images,
        "workers": workers,
        "partition_size": partition_size,
        "partitions": -(-images // partition_size),
        "cell": [],
        "role": "fit",
        **figures,
    }


def test_the_fit_finds_the_numbers_that_made_the_times() -> None:
    cells = [(100, 1, 100), (2000, 1, 100), (2000, 1, 20), (100, 2, 50), (4000, 2, 500)]
    runs = [_run(*cell) for cell in cells]
    for run in runs:
        start, workers, images, partitions = terms(run, "cpu_s")
        run["cpu_s"] = 0.5 * start + 1.5 * workers + 0.006 * images + 0.03 * partitions
    found = model([*runs, {**runs[0], "role": "check", "cpu_s": 2 * runs[0]["cpu_s"]}], "cpu_s")
    expected = {"start_s": 0.5, "worker_s": 1.5, "image_ms": 6, "partition_ms": 30}
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert found["errors"]["fit"]["largest"] < 1e-9
    assert found["errors"]["check"]["largest"] == pytest.approx(1)


def test_the_time_of_a_run_is_that_of_its_busiest_worker() -> None:
    assert terms(_run(1000, 2, 400), "total_s") == [1, 2, 800, 2]
    assert terms(_run(1000, 2, 400), "cpu_s") == [1, 2, 1000, 3]
    assert terms(_run(1000, 1, 400), "total_s") == [1, 0, 1000, 3]


def test_memory_is_compared_between_the_first_tenth_and_the_rest() -> None:
    curve = [[0, 9, 9], [50, 10, 20], [100, 11, 21], [101, 40, 5], [1000, 12, 22]]
    assert growth(curve, 1000) == {
        "driver_first_tenth": 11,
        "driver_later": 40,
        "worker_first_tenth": 21,
        "worker_later": 22,
    }


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
def test_processes_are_found_by_their_mark_and_ended() -> None:
    mark = new_mark()
    child = os.posix_spawn("/bin/sleep", ["sleep", "60"], {**os.environ, MARK: mark})
    assert marked(mark) == [child]
    assert marked(new_mark()) == []
    assert end(mark) == 1
    os.waitpid(child, 0)
    assert marked(mark) == []
