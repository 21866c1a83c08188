"""How far the weights of two processes are from those of one, beside those of one process with two threads.

    python docs/experiments/several_processes.py [MODEL...]

Trains tiny forms of the default recipes on phantoms: in float32, and in float64, where what is left is no rounding of
sums but would be a fault. Writes several_processes.json beside this file, whose table is in docs/training.md. The
product does not import this.
"""

import dataclasses
import json
import multiprocessing
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from edge_infer.machine import machine_facts
from train.data.layouts import load_samples
from train.loop.training import train_model
from train.phantoms import write_phantoms
from train.processes import joined
from train.recipe import MaskGuidance, Recipe, read_recipe

__all__ = ["RESULT", "main", "table"]

RESULT = Path(__file__).with_suffix(".json")

_SMALL: dict[str, dict[str, Any]] = {
    "cvt-slim": {"widths": [16, 24, 32, 48]},
    "sae": {"widths": [24, 12], "evidence_grid": 4},
    "vit": {"patch_size": 8, "dim": 32, "depth": 2, "num_heads": 2},
    "vit-base": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "patch_size": 8,
    },
}
_MODELS = ("vit", "vit-base", "sae", "cvt-slim", "resnet18", "efficientnet-lite", "cvt13")

#: Its children have imported torch already.
_CONTEXT = multiprocessing.get_context("forkserver")

#: By name: processes, threads of each, and the type of numbers.
_RUNS = {
    "one": (1, 1, "float32"),
    "threads": (1, 2, "float32"),
    "processes": (2, 1, "float32"),
    "one_float64": (1, 1, "float64"),
    "processes_float64": (2, 1, "float64"),
}


def main(models: list[str]) -> None:
    """Train each model five times and note how far its last weights are apart."""
    _CONTEXT.set_forkserver_preload(["train.loop.training"])
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_phantoms(folder / "set", per_class=10, seed=3, size=64)
        for model in models or _MODELS:
            runs = {name: folder / f"{model}-{name}" for name in _RUNS}
            for name, run in runs.items():
                _train(model, folder, run, *_RUNS[name])
            weights = {name: _last_weights(run) for name, run in runs.items()}
            row = {
                "model": model,
                "weights": _size(weights["one"]),
                "threads": _size(weights["one"] - weights["threads"]),
                "processes": _size(weights["one"] - weights["processes"]),
                "processes_float64_most": float(
                    (weights["one_float64"] - weights["processes_float64"]).abs().max()
                ),
            }
            rows.append(row)
            facts = {"cpu": machine_facts()["cpu"], "torch": torch.__version__, "rows": rows}
            RESULT.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def table(result: dict[str, Any]) -> str:
    """Return the table of docs/training.md."""
    lines = [
        "| Model | All weights | 1 process, 2 threads | 2 processes | 2 processes, float64: the largest |",
        "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        numbers = [row[key] for key in ("threads", "processes", "processes_float64_most")]
        shown = " | ".join(f"{number:.1e}" for number in numbers)
        lines.append(f"| `{row['model']}` | {row['weights']:.2g} | {shown} |")
    return "\n".join(lines) + "\n"


def _train(model: str, folder: Path, run: Path, processes: int, threads: int, kind: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1"}
        place["MASTER_PORT"] = free.getsockname()[1]
    members = [
        _CONTEXT.Process(
            target=_member,
            args=({**place, "RANK": number, "LOCAL_RANK": number}, threads, kind),
            kwargs={"model": model, "folder": folder, "run": run},
        )
        for number in range(processes)
    ]
    for member in members:
        member.start()
    for member in members:
        member.join()
    if any(member.exitcode for member in members):
        raise SystemExit(f"{run.name}: a process failed")


def _member(
    place: dict[str, Any], threads: int, kind: str, *, model: str, folder: Path, run: Path
) -> None:
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ["OMP_NUM_THREADS"] = str(threads)  # as torchrun does
    torch.set_num_threads(threads)
    if kind == "float64":
        torch.set_default_dtype(torch.float64)
        torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    with joined():
        train_model(
            model,
            load_samples(folder / "set"),
            _tiny(model),
            run,
            cache_folder=folder / "cache",
            report_to="none",
        )


def _tiny(model: str) -> Recipe:
    recipe = read_recipe(
        f"{model}-cpu",
        epochs=2,
        batch_size=10,
        image_size=32,
        image_sizes=[],
        model=_SMALL.get(model),
        bf16=False,
    )
    short = dataclasses.replace(recipe.autoencoder, epochs=2, finetune_epochs=2)
    return dataclasses.replace(recipe, mask=MaskGuidance(), autoencoder=short)  # they have no masks


def _last_weights(run: Path) -> Tensor:
    """Return all weights of the last step of the last phase, without batch norm's statistics, (N,)."""
    folders = (run / "finetune" if (run / "finetune").is_dir() else run).glob("checkpoint-*")
    last = max(folders, key=lambda folder: int(folder.name.rpartition("-")[2]))
    state = load_file(last / "weights.safetensors")
    return torch.cat(
        [
            value.double().flatten()
            for name, value in sorted(state.items())
            if value.is_floating_point() and "running" not in name
        ]
    )


def _size(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


if __name__ == "__main__":
    main(sys.argv[1:])
