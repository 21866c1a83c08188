"""What a step of training costs in one process, in one with two threads, and in two processes of a thread each.

    python docs/experiments/several_processes_speed.py [MODEL...]

Trains the default recipes for one epoch on phantoms, at their size; each round runs every way once, in turn. The time
of a step is that between two steps of the optimizer, without the first ones. Writes several_processes_speed.json beside
this file, whose table is in docs/training.md. The product does not import this.
"""

import dataclasses
import itertools
import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from tqdm import tqdm

from edge_infer.machine import machine_facts
from train.data.layouts import load_samples
from train.loop.training import train_model
from train.phantoms import write_phantoms
from train.processes import joined
from train.recipe import MaskGuidance, Recipe, read_recipe

__all__ = ["RESULT", "WAYS", "main", "table"]

RESULT = Path(__file__).with_suffix(".json")

_MODELS = ("cvt-slim", "resnet18")

#: By name: processes, and threads of each.
WAYS = {"one": (1, 1), "threads": (1, 2), "processes": (2, 1)}

_ROUNDS = 3
#: Steps that are left out: memory is asked for, and kernels are chosen.
_WARMING = 3

#: Its children have imported torch already.
_CONTEXT = multiprocessing.get_context("forkserver")


def main(models: list[str]) -> None:
    """Time each model in each way and write what was found after each."""
    _CONTEXT.set_forkserver_preload(["train.loop.training"])
    rows: list[dict[str, Any]] = []
    chosen = models or list(_MODELS)
    with (
        tempfile.TemporaryDirectory() as temporary,
        tqdm(total=len(chosen) * _ROUNDS * len(WAYS)) as bar,
    ):
        folder = Path(temporary)
        write_phantoms(folder / "set", per_class=100, seed=3, size=256)
        for model in chosen:
            rounds: list[dict[str, float]] = []
            for number in range(_ROUNDS):
                found = {}
                for name in WAYS:
                    found[name] = _step_ms(model, folder, f"{model}-{name}-{number}", *WAYS[name])
                    bar.update()
                rounds.append(found)
            rows.append({"model": model, "rounds": rounds, "batch_size": _recipe(model).batch_size})
            facts = {"cpu": machine_facts()["cpu"], "torch": torch.__version__, "rows": rows}
            RESULT.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def table(result: dict[str, Any]) -> str:
    """Return the table of docs/training.md."""
    lines = [
        "| Model | Batch | One process, ms a step | Two threads | Two processes |",
        "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        alone = statistics.median(one["one"] for one in row["rounds"])
        ratios = []
        for name in ("threads", "processes"):
            found = [one[name] / one["one"] for one in row["rounds"]]
            ratios.append(
                f"x {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"
            )
        lines.append(
            f"| `{row['model']}` | {row['batch_size']} | {alone:,.0f} | {ratios[0]} | {ratios[1]} |"
        )
    return "\n".join(lines) + "\n"


def _step_ms(model: str, folder: Path, run: str, processes: int, threads: int) -> float:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1"}
        place["MASTER_PORT"] = free.getsockname()[1]
    members = [
        _CONTEXT.Process(
            target=_member,
            args=({**place, "RANK": number, "LOCAL_RANK": number}, threads, model, folder, run),
        )
        for number in range(processes)
    ]
    for member in members:
        member.start()
    for member in members:
        member.join()
    if any(member.exitcode for member in members):
        raise SystemExit(f"{run}: a process failed")
    times: list[float] = json.loads((folder / f"{run}.json").read_text(encoding="utf-8"))
    return 1000 * statistics.median(b - a for a, b in itertools.pairwise(times))


def _member(place: dict[str, Any], threads: int, model: str, folder: Path, run: str) -> None:
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ["OMP_NUM_THREADS"] = str(threads)  # as torchrun does
    torch.set_num_threads(threads)
    times: list[float] = []
    register_optimizer_step_post_hook(lambda *_: times.append(time.perf_counter()))
    with joined():
        train_model(
            model,
            load_samples(folder / "set"),
            _recipe(model),
            folder / run,
            cache_folder=folder / "cache",
            report_to="none",
        )
    if place["RANK"] == 0:
        (folder / f"{run}.json").write_text(json.dumps(times[_WARMING:]), encoding="utf-8")


def _recipe(model: str) -> Recipe:
    recipe = read_recipe(f"{model}-cpu", epochs=1, image_sizes=[], bf16=False)
    return dataclasses.replace(recipe, mask=MaskGuidance())  # phantoms have no masks


if __name__ == "__main__":
    main(sys.argv[1:])
