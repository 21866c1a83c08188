"""Each engine's answers on the test part: accuracy, macro F1, ECE, agreement with PyTorch. Cached between runs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.engines import Engine
from benchmarks.study import TestPart
from benchmarks.worker_process import Worker
from edge_infer.atomic import write_bytes_atomically
from edge_infer.classes import BRAIN
from edge_infer.contract import LABELS
from edge_infer.figures.calibration import expected_calibration_error
from edge_infer.prediction import softmax
from train.data.samples import Progress
from train.metrics.figures import classification_metrics, group_bootstrap, wilson_interval

__all__ = ["agreement", "answers_of", "figures"]

_CHUNK = 16


def answers_of(
    engine: Engine,
    config: Mapping[str, Any],
    files: tuple[Path, ...],
    part: TestPart,
    folder: Path,
    *,
    python: Path | None,
    threads: int,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Return an engine's logits on the test part, from the folder if they are cached there.

    Args:
        engine: The engine.
        config: Its adapter's configuration.
        files: Its own files; if their content changes, it is asked again.
        part: The test images.
        folder: Where answers are cached.
        python: Its interpreter; None is this one.
        threads: Number of threads of its pool.
        progress: Called with (done, total).

    Returns:
        (N, classes); log probabilities for an engine without logits.

    Raises:
        InferenceFailed: The engine failed.
    """
    kept = folder / f"{_key(engine, config, files, part)}.npy"
    if kept.is_file():
        return np.asarray(np.load(kept, allow_pickle=False))
    n = len(part.labels)
    found: list[list[float]] = []
    with Worker(engine.name, config, python=python, threads=threads) as worker:
        worker.ask("load")
        for start in range(0, n, _CHUNK):
            if engine.own_preprocessing:
                scans = list(part.files[start : start + _CHUNK])
                replies = worker.ask("labels_of_files", scans=scans)["answers"]
                found += [_log_percents(reply["percents"]) for reply in replies]
            else:
                grey = str(part.grey.resolve())
                reply = worker.ask("logits", grey=grey, rows=n, start=start, count=_CHUNK)
                found += reply["logits"]
            if progress is not None:
                progress(len(found), n)
    logits = np.asarray(found, dtype=np.float64)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(kept.with_suffix(".tmp.npy"), logits)
    kept.with_suffix(".tmp.npy").replace(kept)
    return logits


def figures(
    logits: NDArray[np.float64], part: TestPart, temperature: float, folder: Path
) -> dict[str, Any]:
    """Return accuracy, macro F1, ECE and missed tumours, with n and 95 % intervals; cached, since they take seconds."""
    identity = f"{temperature} {part.digest}".encode() + logits.tobytes()
    kept = folder / f"{hashlib.sha256(identity).hexdigest()[:32]}.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    probabilities = softmax(logits, temperature)
    metrics = classification_metrics(part.labels, probabilities, BRAIN, groups=part.groups)
    error = group_bootstrap(
        lambda rows: expected_calibration_error(part.labels[rows], probabilities[rows]),
        len(part.labels),
        groups=part.groups,
    )
    names = ("n", "groups", "accuracy", "accuracy_by_group", "macro_f1", "tumor_called_no_tumor")
    found = {**{name: metrics[name] for name in names}, "ece": asdict(error)}
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(kept, json.dumps(found).encode())
    return found


def agreement(
    logits: NDArray[np.float64], reference: NDArray[np.float64], labels: NDArray[np.int64]
) -> dict[str, Any]:
    """Compare an engine with PyTorch FP32: share of equal classes, differences, tumours that became no_tumor."""
    here, there = logits.argmax(axis=1), reference.argmax(axis=1)
    healthy = LABELS.index("no_tumor")
    flips = (labels != healthy) & (there == labels) & (here == healthy)
    return {
        "same_class": asdict(wilson_interval(int((here == there).sum()), len(here))),
        "max_abs_logit_difference": float(np.abs(logits - reference).max()),
        "mean_abs_probability_difference": float(
            np.abs(softmax(logits) - softmax(reference)).mean()
        ),
        "tumor_to_no_tumor_flips": int(flips.sum()),
    }


def _key(engine: Engine, config: Mapping[str, Any], files: tuple[Path, ...], part: TestPart) -> str:
    images = part.files_digest if engine.own_preprocessing else part.digest
    digest = hashlib.sha256(f"{engine.name} {engine.precision} {images}\n".encode())
    digest.update(
        str({key: config[key] for key in ("mode", "precision") if key in config}).encode()
    )
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


def _log_percents(percents: Mapping[str, float]) -> list[float]:
    shares = np.array([percents.get(name, 0.0) / 100 for name in LABELS])
    return [float(value) for value in np.log(np.maximum(shares, 1e-6))]
