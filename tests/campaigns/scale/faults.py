"""See what each engine makes of a worker that is killed, of an image that kills its process, and of a killed driver.

    python tests/campaigns/scale/faults.py --environments FOLDER [--repeats 3] [--result FILE]

Two workers, tasks of 20 images, settings as in ways/run.py. "rows" are images whose answers arrived, "answered" images
that were answered, however often. What was seen is kept, and a run that was stopped goes on.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from scale.images import link, link_images
from scale.records import TOP, circumstances, read_json, write_json
from scale.starting import ENVIRONMENT, Started, run_way
from tqdm import tqdm

WORK = TOP / "runs" / "scale"
IMAGES, PART, WORKERS = 400, 20, 2
FAULTS = ("none", "worker killed once", "image kills its process", "driver killed")
KEPT = ("ended", "total_s", "rows", "distinct", "errors", "left_processes", "complaint")


def main() -> None:
    """See what is missing, and write the result after each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit-s", type=float, default=120)
    parser.add_argument("--result", type=Path, default=TOP / "docs" / "scale" / "faults.json")
    parser.add_argument("--restart", action="store_true")
    given = parser.parse_args()
    empty = {"images": IMAGES, "part": PART, "workers": WORKERS, "runs": []}
    result = {} if given.restart else read_json(given.result, {})
    if not result:
        result = empty | {"circumstances": circumstances()}
    done = {(run["repeat"], run["way"], run["fault"]) for run in result["runs"]}
    todo = [
        (repeat, way, fault)
        for repeat in range(given.repeats)
        for way in ENVIRONMENT
        if way != "alone"
        for fault in FAULTS
    ]
    for repeat, way, fault in tqdm([cell for cell in todo if cell not in done], unit="run"):
        seen = _seen(given.environments, way, fault, given.limit_s)
        result["runs"].append({"repeat": repeat, "way": way, "fault": fault, **seen})
        write_json(given.result, result)
    shutil.rmtree(WORK / "faults", ignore_errors=True)


def _seen(environments: Path, way: str, fault: str, limit_s: float) -> dict[str, Any]:
    folder = WORK / "faults"
    shutil.rmtree(folder, ignore_errors=True)
    images = link_images(folder, IMAGES)
    if fault in FAULTS[1:3]:
        place = IMAGES // 2 + PART // 2  # half-way through a task
        bad = images[place]
        name = f"{'once' if fault == FAULTS[1] else 'poison'}-{bad.name}"
        images[place] = bad.with_name(name)
        link(bad, bad.with_name(name))
    count = folder / "count"
    count.touch()
    seen = run_way(
        Started(environments=environments, way=way, images=images, workers=WORKERS, part=PART),
        limit_s=limit_s,
        count=count,
        kill_driver_at=IMAGES // 4 if fault == "driver killed" else None,
    )
    kept = {key: seen[key] for key in seen if key in KEPT or key.startswith("left_after_")}
    return kept | {"answered": count.stat().st_size}


if __name__ == "__main__":
    main()
