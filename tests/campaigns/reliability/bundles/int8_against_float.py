"""R23: the shipped INT8 bundle against the same checkpoint in float32, on scans that were made worse."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from reliability.bundles.corrupted_scans import calibration, corrupted_scan
from reliability.bundles.float_bundle import (
    CHECKPOINT,
    float_bundle,
    quantized_by_onnxruntime,
    with_wrong_scale,
)
from reliability.campaign import Broken, Campaign, Seen, Subject

from edge_infer import Classifier, Prediction
from edge_infer.bundle import shipped_bundle_path
from export.int8.margins import too_close

__all__ = ["CAMPAIGN"]


@dataclass(frozen=True, kw_only=True)
class _Ready:
    float32: Classifier
    judged: Classifier


def _loaded(path: Path) -> Classifier:
    """The self-test is off: a spoilt bundle would fail it, and here the answers are to be compared."""
    return Classifier.load(path, num_threads=1, self_test="off")


def _beside(judged: Callable[[Path], Path]) -> Callable[[Path], _Ready]:
    def prepare(folder: Path) -> _Ready:
        return _Ready(float32=_loaded(float_bundle(folder)), judged=_loaded(judged(folder)))

    return prepare


def _trial(ready: _Ready, number: int, folder: Path) -> Seen:
    """Compare two answers; what counts as a flip and as too close is as in the gate (docs/gate.md)."""
    del folder
    scan, label, worse = corrupted_scan(number)
    before, after = ready.float32.predict(scan), ready.judged.predict(scan)
    difference = max(
        abs(before.probabilities[name] - after.probabilities[name]) for name in before.probabilities
    )
    negative = before.negative_label
    close = bool(too_close(np.array([list(before.logits.values())], np.float32))[0])
    both = "both accepted" if before.decision == after.decision == "accept" else "not both accepted"
    lost = label != negative and before.label == label and after.label == negative
    if lost and not close and both == "both accepted":
        raise Broken(f"tumour -> no_tumor, both accepted: a {label}, {worse}")
    return Seen(
        kind=f"{_kind(before, after, negative, difference, lost=lost)}"
        f"{', too close to call' if close else ''}, {both}",
        figures={
            "largest difference of a probability": difference,
            "largest difference of a probability, both accepted": difference
            if both == "both accepted"
            else 0.0,
        },
    )


def _kind(
    before: Prediction, after: Prediction, negative: str | None, difference: float, *, lost: bool
) -> str:
    if before.label == after.label:
        step = next((step for step in (1, 5, 10) if difference <= step / 100), 100)
        return f"same answer within {step} points"
    if lost:
        return "tumour -> no_tumor where float32 was right"
    if after.label == negative:
        return "tumour -> no_tumor where float32 was wrong"
    return "no_tumor -> tumour" if before.label == negative else "tumour -> other tumour"


def _missing() -> str | None:
    if not CHECKPOINT.is_dir() or importlib.util.find_spec("torch") is None:
        return "it needs torch and the checkpoint of the shipped bundle"
    return None


CAMPAIGN = Campaign(
    id="R23",
    title="INT8 against FP32",
    promise="No tumour that float32 calls rightly becomes no_tumor in INT8 where both answers are accepted and float32 "
    "does not find it too close to call.",
    attack="makes a scan of BRISC worse in one of 71 ways and asks both",
    unit="scans made worse",
    subjects={
        "ours": Subject(
            trial=_trial,
            prepare=_beside(lambda _: shipped_bundle_path()),
            what="the shipped bundle",
        ),
        "control": Subject(
            trial=_trial,
            prepare=_beside(with_wrong_scale),
            what="the shipped bundle, its classifier's bias rounded with a scale that is four times too large",
        ),
        "raw": Subject(
            trial=_trial,
            prepare=_beside(lambda folder: quantized_by_onnxruntime(folder, calibration())),
            what="`onnxruntime.quantization.quantize_static` with its own settings, 64 images",
        ),
    },
    ci={"ours": 30, "control": 30, "raw": 0},
    full={"ours": 50_000, "control": 5_000, "raw": 10_000},
    limit_s=30,
    prepare_s=300,
    chunk=60,
    control_share=0.1,
)
