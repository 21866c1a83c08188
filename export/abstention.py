"""When a bundle abstains: temperature, prediction sets and scope check, for the very graph that ships.

docs/trust.md says what each number is fitted on, and why.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.figures.calibration import expected_calibration_error
from edge_infer.prediction import softmax
from export.answers import answers_one_by_one
from export.doubtful_classes import doubtful_classes
from export.int8.calibration import ExportImages
from export.model_inputs import ModelInputs
from export.sessions import open_graph
from export.temperature import temperature_fields
from export.trust.images import TrustImages, mildly_corrupted
from export.trust.out_of_fold import OutOfFold
from export.trust.scope_fit import ScopeFit, fit_scope
from export.trust.set_fit import coverage, group_counts, prediction_sets, separate_groups
from export.trust.sets import sets_fields
from train.data.samples import Progress

__all__ = ["Abstention", "fit_abstention"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Abstention:
    """What a bundle carries.

    Attributes:
        calibration: ``calibration`` of the manifest.
        trust: ``trust`` of the manifest; None if nothing could be fitted.
        scope: scope.bin; None without a scope check.
        warning: Which classes are hardly ever accepted; empty if none is such.
    """

    calibration: dict[str, Any]
    trust: dict[str, Any] | None
    scope: bytes | None = field(repr=False)
    warning: str = ""


@dataclass(frozen=True, slots=True)
class _Answers:
    """logits (N, classes) and embeddings (N, dim) of images, by the graph that ships."""

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]


def fit_abstention(
    graph: onnx.ModelProto,
    images: ExportImages | None,
    out_of_fold: OutOfFold | None,
    *,
    classes: Classes = BRAIN,
    progress: Progress = lambda _done, _total: None,
) -> Abstention:
    """Fit what there are images or answers for; drawn phantoms would give wrong numbers and are not used.

    Temperature and sets come from out-of-fold answers, without them from the validation part. The scope check needs
    images.

    Args:
        graph: That ships.
        images: None for no images.
        out_of_fold: Answers of the same model trained on folds; None if there are none.
        classes: Of the model.
        progress: Called with (done, total) while the graph is asked.
    """
    real = images if images is not None and not images.synthetic else None
    trusted = real.trust if real is not None else None
    gate: _Answers | None = None
    train: list[_Answers] = []
    if real is not None:
        learnt = [trusted.train, mildly_corrupted(trusted.train)] if trusted else []
        gate, *train = _asked(graph, [real.gate, *learnt], progress)
    calibration = _calibration(real, gate, out_of_fold)
    trust, warning = _sets(real, gate, out_of_fold, calibration["temperature"], classes)
    scope: ScopeFit | None = None
    if real is not None and trusted is not None and gate is not None:
        part = f"validation part of {real.source}, one of each copy"
        if trust is not None and out_of_fold is not None:
            calibration["check"] = _check(
                trusted, real, gate, trust, calibration["temperature"], classes
            )
        scope = fit_scope(
            np.concatenate([answers.embeddings for answers in train]),
            np.tile(trusted.train_labels, len(train)),
            gate.embeddings[trusted.gate_rows],
            train_source=f"{trusted.train_source}, one of each copy, and each again with a mild corruption",
            threshold_source=part,
            classes=len(classes),
        )
    if trust is not None:
        trust["scope"] = scope.description if scope else None
    return Abstention(
        calibration=calibration,
        trust=trust,
        scope=scope.data if scope and trust else None,
        warning=warning,
    )


def _asked(
    graph: onnx.ModelProto, several: list[ModelInputs], progress: Progress
) -> list[_Answers]:
    session = open_graph(graph, num_threads=1)
    total, done = sum(map(len, several)), 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    found = []
    for inputs in several:
        outputs = answers_one_by_one(session, inputs, tick)
        found.append(
            _Answers(
                np.concatenate([each[0] for each in outputs]),
                np.concatenate([each[1] for each in outputs]),
            )
        )
    return found


def _calibration(
    images: ExportImages | None, gate: _Answers | None, out_of_fold: OutOfFold | None
) -> dict[str, Any]:
    if out_of_fold is not None:
        return temperature_fields(
            out_of_fold.logits,
            out_of_fold.labels,
            out_of_fold.groups,
            fitted_on=_origin(out_of_fold),
        )
    if images is None or gate is None:
        return {"temperature": 1.0, "fitted_on": "nothing, probabilities are as trained"}
    if images.trust is None:
        rows, groups = np.arange(len(gate.logits)), separate_groups([""] * len(gate.logits))
    else:
        rows, groups = images.trust.gate_rows, separate_groups(images.trust.gate_groups)
    return temperature_fields(
        gate.logits[rows],
        images.gate_labels[rows],
        groups,
        fitted_on=f"validation part of {images.source}",
    )


def _sets(
    images: ExportImages | None,
    gate: _Answers | None,
    out_of_fold: OutOfFold | None,
    temperature: float,
    classes: Classes,
) -> tuple[dict[str, Any] | None, str]:
    """Return ``trust`` of the manifest without ``scope``, and a warning or nothing."""
    if out_of_fold is not None:
        probabilities, labels = softmax(out_of_fold.logits, temperature), out_of_fold.labels
        trust = sets_fields(
            probabilities,
            labels,
            out_of_fold.groups,
            source=_origin(out_of_fold),
            way="out-of-fold",
            classes=classes,
        )
    elif images is None or gate is None or images.trust is None:
        return None, ""
    else:
        rows = images.trust.gate_rows
        probabilities, labels = softmax(gate.logits[rows], temperature), images.gate_labels[rows]
        trust = sets_fields(
            probabilities,
            labels,
            separate_groups(images.trust.gate_groups),
            source=f"validation part of {images.source}, one of each copy",
            way="validation",
            classes=classes,
            best_of_few=True,
        )
    return trust, doubtful_classes(trust, probabilities, labels, classes)


def _origin(out_of_fold: OutOfFold) -> str:
    return f"answers of models trained on the other folds ({out_of_fold.source})"


def _check(
    trusted: TrustImages,
    images: ExportImages,
    gate: _Answers,
    trust: dict[str, Any],
    temperature: float,
    classes: Classes,
) -> dict[str, Any]:
    """Ask the very graph whether what was fitted on other models' answers holds for its own; nothing is fitted here."""
    rows = trusted.gate_rows
    probabilities, labels = softmax(gate.logits[rows], temperature), images.gate_labels[rows]
    groups = separate_groups(trusted.gate_groups)
    thresholds = [trust["set_thresholds"][label] for label in classes.names]
    shares = coverage(probabilities, labels, groups, thresholds)
    counts = group_counts(labels, groups, len(classes))
    return {
        "source": f"validation part of {images.source}, one of each copy",
        "n": len(rows),
        "ece": round(expected_calibration_error(labels, probabilities), 4),
        "mean_set_size": round(
            float(prediction_sets(probabilities, thresholds).sum(axis=1).mean()), 4
        ),
        "coverage": {
            label: {"value": None if share is None else round(share, 4), "groups": count}
            for label, share, count in zip(classes.names, shares, counts, strict=True)
        },
    }
