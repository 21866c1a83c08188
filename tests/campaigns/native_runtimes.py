"""Run the example in C++ with several releases of onnxruntime, beside Python and Node: answers, and time in turn.

    sh examples/cpp/get-headers.sh && cmake -S examples/cpp -B examples/cpp/build && cmake --build examples/cpp/build
    python tests/campaigns/native_runtimes.py --data FOLDER --n 100 --rounds 7 1.28.0 1.30.0 1.31.1 1.32.0

Needs the network for pip. Each program classifies the same images of the folder on one thread, in a process of its own;
the programs take turns. Prints for each: time from its start to its first answer, time for each further image, each
with the CPU time in parentheses (medians over the rounds; beside other work, only that can be compared), equal labels
and the largest difference of a probability from ``Classifier``.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from edge_infer import Classifier
from edge_infer.bundle import load_bundle, shipped_bundle_path
from export.end_to_end.write import write_end_to_end

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "cpp" / "build" / "classify"
NODE = ROOT / "examples" / "node"

# What a Python program does with the package, and what it would do with onnxruntime and the one-file model alone.
CLASSIFIER = """
import json, sys
from edge_infer import Classifier
classifier = Classifier.load(num_threads=1)
for file in sys.argv[1:]:
    answer = classifier.predict(file)
    print(json.dumps({"label": answer.label, "probabilities": dict(answer.probabilities)}), flush=True)
"""
ONNXRUNTIME = """
import json, sys
import numpy as np, onnxruntime
from PIL import Image
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
labels = json.loads(session.get_modelmeta().custom_metadata_map["brain_edge.contract"])["labels"]
for file in sys.argv[2:]:
    with Image.open(file) as image:
        pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    values = session.run(["probabilities"], {"image": pixels})[0].tolist()
    answer = dict(zip(labels, values))
    print(json.dumps({"label": max(answer, key=answer.get), "probabilities": answer}), flush=True)
"""


def library(version: str, folder: Path) -> Path:
    """Fetch a release and return its library."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
    subprocess.run([*pip, f"onnxruntime=={version}"], check=True)
    (wheel,) = folder.glob(f"onnxruntime-{version}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if "capi/libonnxruntime.so" in name)
        return Path(archive.extract(name, folder / version))


def timed(command: list[Any]) -> tuple[float, float, float, list[dict[str, Any]]]:
    """Run a program; return ms to its first answer and for each further one, its CPU time in ms, and its answers."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, env=environment)
    assert process.stdout
    first = process.stdout.readline()
    came = time.perf_counter()
    rest = process.stdout.readlines()
    ended = time.perf_counter()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    answers = [json.loads(line) for line in (first, *rest)]
    return 1000 * (came - start), 1000 * (ended - came) / max(1, len(rest)), 1000 * cpu, answers


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="+")
    parser.add_argument("--data", type=Path, required=True, help="folder of JPEG files")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    found = sorted(given.data.rglob("*.jpg"))
    files = found[:: max(1, len(found) // given.n)][: given.n]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "shipped.end-to-end.onnx"
        write_end_to_end(load_bundle(shipped_bundle_path()), model)
        programs: dict[str, list[Any]] = {
            "Python, Classifier": [sys.executable, "-c", CLASSIFIER],
            "Python, onnxruntime": [sys.executable, "-c", ONNXRUNTIME, model],
        }
        for version in given.versions:
            runtime = library(version, folder)
            programs[f"C++, {version}"] = [PROGRAM, "--runtime", runtime, "--model", model]
        if shutil.which("node") and (NODE / "node_modules").is_dir():
            programs["Node"] = ["node", NODE / "classify.mjs", model]
        runs: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in programs}
        answers = {}
        for _ in range(given.rounds):
            for kind, command in programs.items():
                _, _, started, _ = timed([*command, files[0]])
                first, further, cpu, answers[kind] = timed([*command, *files])
                runs[kind].append((first, further, started, (cpu - started) / (len(files) - 1)))
    report(runs, answers, files)


def report(
    runs: dict[str, list[tuple[float, ...]]],
    answers: dict[str, list[dict[str, Any]]],
    files: list[Path],
) -> None:
    """Print a table."""
    classifier = Classifier.load(num_threads=1)
    expected = [classifier.predict(file) for file in files]
    rounds = len(next(iter(runs.values())))
    print(f"n {len(files)}, medians of {rounds} rounds in turn, one thread; CPU time in ()")
    print("| Program | First answer | Each further image | Equal labels | Largest difference |")
    print("|---|---|---|---|---|")
    for kind, times in runs.items():
        first, further, *cpu = (statistics.median(column) for column in zip(*times, strict=True))
        pairs = list(zip(expected, answers[kind], strict=True))
        equal = sum(want.label == got.get("label") for want, got in pairs)
        largest = max(
            abs(want.probabilities[label] - value)
            for want, got in pairs
            for label, value in got.get("probabilities", {}).items()
        )
        print(
            f"| {kind} | {first:.0f} ms ({cpu[0]:.0f}) | {further:.1f} ms ({cpu[1]:.1f}) "
            f"| {equal} of {len(pairs)} | {largest:.1e} |"
        )


if __name__ == "__main__":
    main()
