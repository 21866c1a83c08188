"""R16: processes that are made from one that has a model open."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from reliability.campaign import Broken, Campaign, Subject
from tiny_bundle import files_with_scope, manifest_body, tiny_trust

from edge_infer.bundle import shipped_bundle_path, write_bundle

__all__ = ["CAMPAIGN"]

_PROGRAM = Path(__file__).with_name("forking_program.py")
_WAYS = ("os.fork", "fork", "spawn", "forkserver", "executor", "preload")
_BEFORE = ("loaded", "predicted", "predicting")
_INSIDE = ("predict", "delete", "leave", "predict and delete", "predict in threads", "grandchild")
_THREADS = (4, 1, 8, 2, 3, 5, 6, 7)

#: Every combination once, in an order that mixes them.
_MATRIX = [
    list(itertools.product(_WAYS, _BEFORE, _INSIDE, _THREADS))[place]
    for place in np.random.default_rng(16).permutation(
        len(_WAYS) * len(_BEFORE) * len(_INSIDE) * len(_THREADS)
    )
]

#: Where onnxruntime dies as it comes: more than two threads, and a child that lets go of the session or ends.
_DEADLY = [
    (way, "predicted", inside, threads)
    for inside in ("delete", "leave", "grandchild", "predict in threads")
    for way in ("os.fork", "fork", "executor", "preload")
    for threads in (4, 8, 6)
]


def _bundle(folder: Path) -> Path:
    write_bundle(folder / "tiny", files_with_scope(), manifest_body(trust=tiny_trust()))
    return folder / "tiny"


def _trial(stack: str, cases: list[tuple[str, str, str, int]]) -> Callable[[Path, int, Path], str]:
    def run(tiny: Path, number: int, folder: Path) -> str:
        way, before, inside, threads = cases[number % len(cases)]
        is_shipped = number % 4 == 3
        spec = {
            "stack": stack,
            "way": way,
            "before": before,
            "inside": inside,
            "threads": threads,
            "bundle": str(shipped_bundle_path() if is_shipped else tiny),
        }
        command = [sys.executable, str(_PROGRAM), json.dumps(spec)]
        where = f"{way}, {before}, {threads} threads, then {inside}"
        try:
            finished = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
                cwd=folder,
                env=os.environ,
            )
        except subprocess.TimeoutExpired:
            raise Broken(f"{where}: the parent hung") from None
        if finished.returncode:
            last = (finished.stderr.splitlines() or [""])[-1][:120]
            raise Broken(f"{where}: the parent ended with {_ending(finished.returncode)} {last}")
        children, same = json.loads(finished.stdout)
        for status in children:
            if status:
                said = (finished.stderr.splitlines() or [""])[-1][:120]
                raise Broken(f"{where}: a child ended with {_ending(status)} {said}".rstrip())
        if not same:
            raise Broken(f"{where}: the parent answers otherwise afterwards")
        if finished.stderr:
            raise Broken(f"{where}: said {finished.stderr.splitlines()[-1][:120]}")
        return f"well, {way}"

    return run


def _ending(status: int) -> str:
    if status == -signal.SIGALRM:
        return "no end"
    if status < 0:
        return signal.Signals(-status).name
    return "another answer" if status == 9 else f"status {status}"


CAMPAIGN = Campaign(
    id="R16",
    title="Fork and spawn",
    promise="A process made from one that has a model open answers alike and ends well, and so does its parent.",
    attack=(
        "opens a model with 1 to 8 threads, makes processes by os.fork, multiprocessing, a pool or like gunicorn "
        "--preload, before, after or amid an answer, and lets them ask, let go, fork again or just end"
    ),
    unit="programs",
    subjects={
        "ours": Subject(trial=_trial("ours", _MATRIX), prepare=_bundle, what="`Classifier`"),
        "control": Subject(
            trial=_trial("unguarded", _DEADLY),
            prepare=_bundle,
            what="`Classifier` without its check of the process and without the reference to inherited sessions",
        ),
        "raw": Subject(
            trial=_trial("plain", _MATRIX), prepare=_bundle, what="onnxruntime's `InferenceSession`"
        ),
    },
    ci={"ours": 2, "control": 1, "raw": 0},
    full={"ours": len(_MATRIX), "control": len(_DEADLY), "raw": len(_MATRIX)},
    limit_s=200,
    chunk=8,
    control_share=0.2,
)
