"""Fit what brain-batch costs to a few runs, and check the fit against others.

    python tests/campaigns/scale/cost.py [--repeats 3] [--scale 1.0] [--result docs/scale/cost.json]

    processor time = start + start of a worker x workers + image x images + partition x partitions
    time           = the same with other numbers, where images and partitions are those of the busiest worker

Runs of the role "fit" decide the numbers (least squares of relative errors, none below zero), those of the role "check"
do not. Before each run one plain process answers 200 images: how busy the machine was. What was measured is kept, and a
run that was stopped goes on; --restart forgets it.
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
from scale.batch import VARIABLES, batch_words, written_bytes
from scale.commands import run_watched
from scale.images import link_images
from scale.records import TOP, circumstances, read_json, write_json
from scipy.optimize import nnls
from tqdm import tqdm

WORK = TOP / "runs" / "scale" / "cost"
#: Role, images, workers, images a partition.
RUNS = [
    ("fit", 250, 1, 250),
    ("fit", 2000, 1, 2000),
    ("fit", 2000, 1, 50),
    ("fit", 250, 2, 125),
    ("fit", 3000, 2, 250),
    ("fit", 2000, 2, 50),
    ("check", 1000, 1, 100),
    ("check", 4000, 2, 100),
    ("check", 1500, 2, 250),
    ("check", 5000, 2, 500),
]
FORMATS = {
    "parquet": {"format": "parquet"},
    "parquet, embeddings": {"format": "parquet", "embeddings": True},
    "jsonl": {"format": "jsonl"},
    "jsonl, embeddings": {"format": "jsonl", "embeddings": True},
}
_CONTROL = """
import sys, time, json
from edge_infer import Classifier
c = Classifier.load(num_threads=1); paths = sys.argv[1:]
list(c.predict_each(paths[:20]))
w, p, parts = time.perf_counter(), time.process_time(), {}
for o in c.predict_each(paths):
    for k, v in o.prediction.timings_ms.items(): parts[k] = parts.get(k, 0) + v / len(paths)
n = 1000 / len(paths)
w, p = n * (time.perf_counter() - w), n * (time.process_time() - p)
print(json.dumps({"wall_ms": w, "cpu_ms": p, "parts_ms": parts}))
"""


def main() -> None:
    """Measure what is missing, fit, check, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of images")
    parser.add_argument("--result", type=Path, default=TOP / "docs" / "scale" / "cost.json")
    parser.add_argument("--restart", action="store_true")
    given = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    images = {n: int(n * given.scale) for _, n, _, _ in RUNS}
    result = {} if given.restart else read_json(given.result, {})
    if result.get("scale") != given.scale:
        result = {"scale": given.scale, "circumstances": circumstances(), "runs": [], "bytes": {}}
    for n in images.values():
        link_images(WORK / "images" / str(n), n)
    done = {(run["repeat"], *run["cell"]) for run in result["runs"]}
    todo = [(repeat, *cell) for repeat in range(given.repeats) for cell in RUNS]
    for repeat, role, n, workers, part in tqdm(
        [cell for cell in todo if cell not in done], unit="run"
    ):
        size = max(10, int(part * given.scale))
        run = measured(WORK / "images" / str(images[n]), images[n], workers, size)
        result["runs"].append(
            {"repeat": repeat, "cell": [role, n, workers, part], "role": role, **run}
        )
        write_json(given.result, result)
    for name, options in FORMATS.items():
        if name not in result["bytes"]:
            result["bytes"][name] = row_bytes(images[2000], options)
            write_json(given.result, result)
    result["model"] = {kind: model(result["runs"], kind) for kind in ("cpu_s", "total_s")}
    write_json(given.result, result)
    shutil.rmtree(WORK, ignore_errors=True)
    print(json.dumps(result["model"], indent=1))


def measured(folder: Path, n: int, workers: int, part: int) -> dict[str, Any]:
    """Run once, and return figures."""
    few = [str(path) for path in sorted(folder.rglob("*.jpg"))[:200]]
    control = subprocess.run(
        [sys.executable, "-c", _CONTROL, *few], check=True, capture_output=True, text=True
    )
    output = WORK / "output"
    shutil.rmtree(output, ignore_errors=True)
    words = batch_words(folder, output, workers=workers, partition_size=part, format="parquet")
    ended = run_watched(words, folder=TOP, limit_s=900, variables=VARIABLES, every_s=0.25)
    if ended.how != "finished":
        raise SystemExit(f"brain-batch: {ended.how}\n{ended.stderr[-2000:]}")
    kept = ("total_s", "cpu_s", "peak_bytes", "most_processes", "left_processes", "open_addresses")
    return {
        "images": n,
        "workers": workers,
        "partition_size": part,
        "partitions": math.ceil(n / part),
        **{key: ended.seen[key] for key in kept},
        "control": json.loads(control.stdout),
    }


def row_bytes(n: int, options: dict[str, object]) -> dict[str, float]:
    """Return bytes an image: of its row, of its line of the plan, of the statistics of a partition."""
    output, folder = WORK / "output", WORK / "images" / str(n)
    shutil.rmtree(output, ignore_errors=True)
    words = batch_words(folder, output, workers=1, partition_size=1000, **options)
    ended = run_watched(words, folder=TOP, limit_s=900, variables=VARIABLES)
    if ended.how != "finished":
        raise SystemExit(f"brain-batch: {ended.how}\n{ended.stderr[-2000:]}")
    sizes = written_bytes(output)
    read = sum(path.stat().st_size for path in folder.rglob("*.jpg"))
    return {
        "images": n,
        "read": read / n,
        "row": (sizes["parquet"] + sizes["jsonl"]) / n,
        "plan": sizes["plan"] / n,
        "statistics_a_partition": sizes["statistics"] / math.ceil(n / 1000),
    }


def model(runs: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Fit to the runs that are for it, and compare all runs with what the fit says."""
    fitted = [run for run in runs if run["role"] == "fit"]
    left = np.array([terms(run, kind) for run in fitted])
    right = np.array([run[kind] for run in fitted])
    numbers, _ = nnls(left / right[:, None], np.ones(len(right)))
    names = ("start_s", "worker_s", "image_ms", "partition_ms")
    units = (1, 1, 1000, 1000)
    errors: dict[str, list[float]] = {"fit": [], "check": []}
    compared = []
    for run in runs:
        expected = float(np.dot(terms(run, kind), numbers))
        errors[run["role"]].append(run[kind] / expected - 1)
        compared.append({"measured": run[kind], "expected": expected, "cell": run["cell"]})
    return {
        **{
            name: unit * number
            for name, unit, number in zip(names, units, map(float, numbers), strict=True)
        },
        "errors": {
            role: {
                "runs": len(found),
                "median": statistics.median(map(abs, found)),
                "largest": max(map(abs, found)),
            }
            for role, found in errors.items()
            if found
        },
        "compared": compared,
    }


def terms(run: dict[str, Any], kind: str) -> list[float]:
    """Return what each number of the model is multiplied with; of a time, what the busiest worker does."""
    images, workers, partitions = run["images"], run["workers"], run["partitions"]
    if kind == "total_s":
        partitions = math.ceil(partitions / workers)
        images = min(images, partitions * run["partition_size"])
    # One worker is this process itself; more are started.
    started = 0 if workers == 1 else workers
    return [1.0, started, images, partitions]


if __name__ == "__main__":
    main()
