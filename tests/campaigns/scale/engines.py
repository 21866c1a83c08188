"""Time the engines beside one plain process, in turn: start, images a second, memory, processor time.

    python tests/campaigns/scale/engines.py --environments FOLDER [--images 5000] [--rounds 5] [--result FILE]

FOLDER is what environments.py made. Every round runs each way once, in another order; ratios are taken within a round,
so that what else the machine does weighs on all of them. What was measured is kept in the result, and a run that was
stopped goes on; --restart forgets it.
"""

import argparse
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from scale.images import link_images
from scale.records import TOP, circumstances, read_json, write_json
from scale.starting import Started, run_way
from tqdm import tqdm

WORK = TOP / "runs" / "scale"
#: Ways and workers; the first is what the others are compared with.
CELLS = [
    ("alone", 1),
    ("pool", 2),
    ("dask", 1),
    ("dask", 2),
    ("ray_actors", 1),
    ("ray_actors", 2),
    ("ray_data", 1),
    ("ray_data", 2),
]


def main() -> None:
    """Measure what is missing, and write the result after each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=Path, required=True)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--part", type=int, default=50)
    parser.add_argument("--limit-s", type=float, default=400)
    parser.add_argument("--result", type=Path, default=TOP / "docs" / "scale" / "engines.json")
    parser.add_argument("--restart", action="store_true")
    given = parser.parse_args()
    images = link_images(WORK / "engines", given.images)
    setting = {"images": given.images, "part": given.part}
    result = {} if given.restart else read_json(given.result, {})
    if result.get("setting") != setting:
        result = {"setting": setting, "circumstances": circumstances(), "runs": []}
    done = {(run["round"], run["way"], run["workers"]) for run in result["runs"]}
    todo = [
        (number, *CELLS[(place + number) % len(CELLS)])
        for number in range(given.rounds)
        for place in range(len(CELLS))
    ]
    for number, way, workers in tqdm([cell for cell in todo if cell not in done], unit="run"):
        started = Started(
            environments=given.environments,
            way=way,
            images=images,
            workers=workers,
            part=given.part,
        )
        seen = run_way(started, limit_s=given.limit_s)
        result["runs"].append({"round": number, "way": way, "workers": workers, **figures(seen)})
        result["summary"] = summary(result["runs"])
        write_json(given.result, result)
    shutil.rmtree(WORK / "engines", ignore_errors=True)
    for row in result.get("summary", []):
        print(row)


def figures(seen: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a run."""
    arrived = seen.pop("arrived", [])
    kept = {key: seen[key] for key in seen if key not in ("times", "distinct")}
    if not arrived:
        return kept
    (first_s, first_rows), (last_s, _) = arrived[0], arrived[-1]
    return kept | {
        "ready_s": seen["times"]["ready"],
        "first_s": first_s,
        "last_s": last_s,
        # After the first part, so without the start, but with the loading of further workers.
        "images_per_s": (seen["rows"] - first_rows) / max(last_s - first_s, 1e-9),
        "cpu_ms_per_image": 1000 * seen["cpu_s"] / max(seen["rows"], 1),
    }


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return medians by way and workers; ratios to the first way of the same round, with the smallest and largest."""
    bases = {run["round"]: run for run in runs if (run["way"], run["workers"]) == CELLS[0]}
    rows = []
    for way, workers in CELLS:
        found = [run for run in runs if (run["way"], run["workers"]) == (way, workers)]
        good = [run for run in found if run["ended"] == "finished" and "images_per_s" in run]
        row: dict[str, Any] = {
            "way": way,
            "workers": workers,
            "runs": len(found),
            "finished": len(good),
        }
        row["same_answers"] = all(
            run["digest"] == bases[run["round"]]["digest"] for run in good if run["round"] in bases
        )
        for key in (
            "ready_s",
            "first_s",
            "total_s",
            "images_per_s",
            "cpu_ms_per_image",
            "peak_bytes",
        ):
            row[key] = statistics.median(run[key] for run in good) if good else None
        for key in ("driver_peak", "most_processes"):
            row[key] = max((run[key] for run in good), default=None)
        row["worker_peak"] = max(
            (peak for run in good for peak in run["worker_peaks"]), default=None
        )
        row["open_addresses"] = sorted({one for run in found for one in run["open_addresses"]})
        for key in ("images_per_s", "cpu_ms_per_image"):
            ratios = [run[key] / bases[run["round"]][key] for run in good if run["round"] in bases]
            row[f"{key}_ratio"] = (
                [statistics.median(ratios), min(ratios), max(ratios)] if ratios else None
            )
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
