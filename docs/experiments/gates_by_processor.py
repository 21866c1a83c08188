"""The same weights, judged by the gate with the kernels of several processors: do they pass or fail alike?

    python docs/experiments/gates_by_processor.py --model cvt-slim --model vit --model cvt13

Each export runs in a process of its own from which instruction sets are hidden (tests/processors/processors.py),
calibrates and judges on the kit, and writes nothing. It tries the dynamic form and the four static ones: mixed ones and
corrected biases take ten times as long. The shipped bundle answers the kit's validation images in the same way. It can
be stopped and started again; another machine adds its rows. Results: gates_by_processor.json, whose tables are in
docs/gate.md.
"""

import argparse
import dataclasses
import importlib.util
import itertools
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
RESULT = Path(__file__).with_suffix(".json")
SHIPPED = "shipped bundle"
CORRUPTED = 1_000  # variants; ten thousand for each of six processors take a day
FORMS = 5


def masks() -> ModuleType:
    """Import tests/processors/processors.py, which belongs to no package."""
    path = ROOT / "tests" / "processors" / "processors.py"
    spec = importlib.util.spec_from_file_location("processors", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def judged(model: str, target: str) -> dict[str, Any]:
    """Export and judge here, in this process, without writing a bundle."""
    from edge_infer.errors import QualityGateFailed
    from export.answers import logits_one_by_one
    from export.bundling import float_graph
    from export.checkpoint_search import shipped_checkpoint
    from export.int8.calibration import from_kit
    from export.int8.choice import choose
    from export.int8.processors import PROCESSORS
    from export.int8.variants import quantized_variants
    from export.sessions import open_graph
    from train.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(shipped_checkpoint(model))
    config = checkpoint.preprocessor
    cache = Path("runs/cache")
    images = dataclasses.replace(from_kit(config, cache, seed=0), corrupted=CORRUPTED)
    graph = float_graph(checkpoint.model, height=config.height, width=config.width)
    lines: list[str] = []
    logits = logits_one_by_one(open_graph(graph, num_threads=1), images.gate)
    outcome: dict[str, Any] = {"target": target, "logits": logits.tolist()}
    try:
        chosen = choose(
            itertools.islice(
                quantized_variants(
                    checkpoint.model,
                    graph,
                    images.calibration,
                    PROCESSORS[target],
                    lambda *_: None,
                    quick=True,
                ),
                FORMS,
            ),
            graph,
            images,
            cache=cache,
            step=lines.append,
            details=lambda _: None,
            progress=lambda *_: None,
        )
        outcome["chosen"] = chosen.best.variant.name
        outcome["gate"] = chosen.best.table()
        outcome["passed"] = [each.variant.name for each in chosen.tried if each.passed]
        outcome["tried"] = len(chosen.tried)
    except QualityGateFailed as error:
        outcome["chosen"] = None
        outcome["message"] = error.message
    outcome["lines"] = [line for line in lines if line.startswith("  ")]
    return outcome


def shipped_name() -> str:
    """Name the bundle in the package: another one is measured anew."""
    from edge_infer import load_bundle
    from edge_infer.bundle import shipped_bundle_path

    manifest = load_bundle(shipped_bundle_path()).manifest
    version = manifest["provenance"]["versions"]["brain-edge"]
    return f"{manifest['model']} {manifest['precision'].upper()} of {version}"


def answered() -> dict[str, Any]:
    """Ask the shipped bundle about the kit's validation images, with the threads it takes by default."""
    from edge_infer import Classifier

    classifier = Classifier.load(self_test="full")
    scans = sorted((ROOT / "export" / "kit" / "pictures" / "val").rglob("*.jpg"))
    predictions = [classifier.predict(scan) for scan in scans]
    logits = [list(prediction.logits.values()) for prediction in predictions]
    return {"logits": logits, "shipped": shipped_name()}


def compared(found: list[list[float]], native: list[list[float]]) -> dict[str, Any]:
    """Say how far logits, (N, classes), of one processor are from those of the machine as it is."""
    here, there = np.array(found), np.array(native)
    return {
        "n": len(here),
        "labels_differ": int((here.argmax(axis=1) != there.argmax(axis=1)).sum()),
        "largest_logit_difference": float(np.abs(here - there).max()),
    }


def table(result: dict[str, Any]) -> str:
    """Render as Markdown: one row for each processor and model."""
    lines = [
        (
            "| Processor | Kernels of | Model | INT8 | Forms that passed | Agreement | Too close to call "
            "| Corrupted: agreement | too close |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        if row["model"] == SHIPPED:
            continue
        start = f"| {row['cpu']} | {row['kernels']} | {row['model']} |"
        if row["chosen"] is None:
            lines.append(f"{start} none passed | 0 | | | | |")
            continue
        gate, corrupted = row["gate"], row["gate"]["corrupted"]
        close, worse = gate["too_close"], corrupted["too_close"]
        lines.append(
            f"{start} {row['chosen']} | {len(row['passed'])} of {row['tried']} "
            f"| {100 * gate['agreement']['value']:.2f} %, n {gate['agreement']['n']} "
            f"| {close['count']} of {close['n']} ({100 * close['count'] / close['n']:.2f} %) "
            f"| {100 * corrupted['agreement']['value']:.2f} %, n {corrupted['agreement']['n']} "
            f"| {worse['count']} of {worse['n']} ({100 * worse['count'] / worse['n']:.2f} %) |"
        )
    lines += [
        "",
        "| Processor | Kernels of | Graph | Answers that differ | Largest difference of a logit |",
        "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        graph = row.get("shipped", "") if row["model"] == SHIPPED else f"{row['model']} FP32"
        moved = row["from_native"]
        lines.append(
            f"| {row['cpu']} | {row['kernels']} | {graph} | {moved['labels_differ']} of {moved['n']} "
            f"| {moved['largest_logit_difference']:.1e} |"
        )
    return "\n".join(lines)


def _saved(result: dict[str, Any]) -> None:
    from edge_infer.atomic import write_bytes_atomically

    write_bytes_atomically(RESULT, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--target", default="x64-vnni")
    parser.add_argument("--only", action="append", default=[], help="processors, by their names")
    parser.add_argument("--here", help="used by the command itself: judge or ask in this process")
    given = parser.parse_args()
    if given.here:
        found = answered() if given.here == SHIPPED else judged(given.here, given.target)
        print(json.dumps(found))
        return
    from edge_infer.contract import RESEARCH_USE_ONLY
    from edge_infer.machine import machine_facts

    processors = masks()
    machine = machine_facts()
    result: dict[str, Any] = {"research_use_only": RESEARCH_USE_ONLY, "rows": []}
    if RESULT.is_file():
        result = json.loads(RESULT.read_text(encoding="utf-8"))
    known = {
        (row["cpu"], row["kernels"], row["model"], row.get("shipped")) for row in result["rows"]
    }
    with tempfile.TemporaryDirectory() as folder:
        for model in [SHIPPED, *given.model]:
            for processor in processors.PROCESSORS:
                name = shipped_name() if model == SHIPPED else None
                key = (machine["cpu"], processor, model, name)
                if key in known or (given.only and processor not in given.only):
                    continue
                command = [sys.executable, __file__, "--here", model, "--target", given.target]
                began = time.monotonic()
                done = subprocess.run(  # noqa: S603 - this very script
                    command,
                    env=processors.environment_of(processor, Path(folder)),
                    cwd=ROOT,
                    stdout=subprocess.PIPE,
                    check=True,
                )
                found = json.loads(done.stdout)
                logits = found.pop("logits")
                kept = Path("runs") / f"{model.replace(' ', '-')}-{machine['cpu']}.json"
                if processor == "as it is":
                    kept.write_text(json.dumps(logits), encoding="utf-8")
                native = json.loads(kept.read_text(encoding="utf-8"))
                row = {
                    "cpu": machine["cpu"],
                    "cpu_flags": machine["cpu_flags"],
                    "kernels": processor,
                    "model": model,
                    "onnxruntime": machine["versions"].get("onnxruntime", ""),
                    "python": platform.python_version(),
                    "seconds": round(time.monotonic() - began),
                    "from_native": compared(logits, native),
                    **found,
                }
                result["rows"].append(row)
                _saved(result)
                print(processor, model, row.get("chosen", ""), flush=True, file=sys.stderr)
    print(table(result))


if __name__ == "__main__":
    main()
