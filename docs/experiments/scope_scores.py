"""Compare ways to score how unlike the training images an image is, on the embeddings of a bundle.

    python docs/experiments/scope_scores.py BUNDLE --data DATA --manifest DATA/manifest.csv --dataset brisc2025 \
        --learnt joined.csv --external DATA/external/manifest.csv --far FAR/far

Needs scikit-learn (extra ``train``). docs/experiments.md, "When it abstains", has the tables that it prints; decision
0021 chose from them. The product does not import this.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edge_infer.classifier import Classifier
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import BrainError
from edge_infer.image_file import open_source
from edge_infer.prediction import softmax
from edge_infer.preprocessing import resize_grey, to_pixel_values
from edge_infer.scope import ScopeModel
from export.model_inputs import ModelInputs
from export.trust.images import mildly_corrupted
from export.trust.scope_fit import ACCEPTED, fit_scope
from train.corruption.corruptions import cells, corrupt
from train.data.layouts import load_samples
from train.metrics.text import markdown
from train.splits.sample_rows import part_rows
from train.trust.image_set import Kind
from train.trust.sets import folder_sets, table_sets

__all__ = ["main", "nearest", "scope_of"]

Floats = NDArray[np.float64]
Score = Callable[[Floats], Floats]
_DIMENSIONS = 64
_CHUNK = 500
_CORRUPTED = 2  # every second validation image


class _Asked:
    """Logits (N, classes), embeddings (N, dim) and pixels (N, H, W) of images."""

    def __init__(self, classifier: Classifier, pixels: Sequence[NDArray[np.uint8]]) -> None:
        config = classifier.bundle.preprocessor
        answers = [classifier.session.run(to_pixel_values(one[None], config))[:2] for one in pixels]
        self.pixels = np.stack(pixels)
        self.logits = np.concatenate([logits for logits, _ in answers]).astype(np.float64)
        self.embeddings = np.concatenate([each for _, each in answers]).astype(np.float64)


def nearest(train: Floats, k: int) -> Score:
    """Score by the mean distance to the k nearest training embeddings of unit length (Sun et al. 2022)."""
    known = _unit(train)

    def score(embeddings: Floats) -> Floats:
        found = []
        for start in range(0, len(embeddings), _CHUNK):
            distance = 2 - 2 * _unit(embeddings[start : start + _CHUNK]) @ known.T
            closest = np.partition(distance, k - 1, axis=1)[:, :k]
            found.append(np.sqrt(np.maximum(closest, 0)).mean(axis=1))
        return np.concatenate(found)

    return score


def scope_of(
    train: Floats, labels: NDArray[np.int64], validation: Floats, alone: str = ""
) -> Score:
    """Score as a bundle does, or by one of the two distances alone."""
    fit = fit_scope(
        train.astype(np.float32),
        labels,
        validation.astype(np.float32),
        train_source="train",
        threshold_source="validation",
    )
    scales = {
        name: scale if alone in ("", name) else 1e9
        for name, scale in fit.description["scales"].items()
    }
    model = ScopeModel.from_bundle({**fit.description, "scales": scales}, fit.data, len(LABELS))
    return model.score


def _unit(embeddings: Floats) -> Floats:
    return np.asarray(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True))


def _read(classifier: Classifier, sources: Sequence[Path | bytes]) -> list[NDArray[np.uint8]]:
    found = []
    for source in sources:
        try:
            found.append(resize_grey(open_source(source).image, classifier.bundle.preprocessor))
        except BrainError:  # such as a blank image, which no score sees
            continue
    return found


def _part(classifier: Classifier, samples: Sequence[Any], part: Any) -> tuple[_Asked, Any]:
    rows = part_rows(samples, part, one_of_each_copy=True)
    asked = _Asked(classifier, _read(classifier, [samples[row].source for row in rows]))
    return asked, np.array([samples[row].label for row in rows])


def _line(score: Score, part: Floats, validation: Floats, sets: dict[str, Floats]) -> list[str]:
    inside, threshold = score(part), float(np.quantile(score(validation), ACCEPTED))
    cells_of_line = [f"{100 * (inside <= threshold).mean():.1f} %"]
    for embeddings in sets.values():
        outside = score(embeddings)
        truth = np.r_[np.zeros(len(inside)), np.ones(len(outside))]
        area = roc_auc_score(truth, np.r_[inside, outside])
        cells_of_line.append(f"{area:.3f}; {100 * (outside <= threshold).mean():.0f} %")
    return cells_of_line


def main(arguments: Sequence[str] | None = None) -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bundle", type=Path)
    for name in ("data", "manifest", "learnt", "external", "far"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--dataset", required=True)
    given = parser.parse_args(arguments)
    classifier = Classifier.load(given.bundle, num_threads=1)
    samples = load_samples(given.data, manifest=given.manifest, dataset=given.dataset, verify=False)
    train, labels = _part(classifier, samples, "train")
    validation, _ = _part(classifier, samples, "val")
    test, _ = _part(classifier, samples, "test")
    joined = load_samples(given.data, manifest=given.learnt, verify=False)
    learnt, learnt_labels = _part(classifier, joined, "train")

    tables = [*table_sets(given.external), *folder_sets("far", given.far, Kind.FAR)]
    pixels: dict[str, list[NDArray[np.uint8]]] = {}
    for one in tables:
        name = "all far" if one.kind is Kind.FAR else one.name
        pixels.setdefault(name, []).extend(
            _read(classifier, [image.source for image in one.images])
        )
    wanted = [name for name in pixels if name != "all far" and len(pixels[name]) >= 30]
    asked = {name: _Asked(classifier, pixels[name]) for name in ("all far", *wanted)}
    sets = {f"{name} (n {len(each.pixels)})": each.embeddings for name, each in asked.items()}

    inputs = ModelInputs(train.pixels, classifier.bundle.preprocessor)
    worse = _Asked(classifier, list(mildly_corrupted(inputs).grey)).embeddings
    joined_inputs = ModelInputs(learnt.pixels, classifier.bundle.preprocessor)
    joined_worse = _Asked(classifier, list(mildly_corrupted(joined_inputs).grey)).embeddings
    known, valid = train.embeddings, validation.embeddings
    both = np.concatenate([known, worse])
    everything = np.concatenate([learnt.embeddings, joined_worse])
    scores: dict[str, Score] = {
        "nearest training image (kNN, k 1)": nearest(known, 1),
        "kNN, k 5": nearest(known, 5),
        "Mahalanobis, 64 directions": scope_of(known, labels, valid, "mahalanobis"),
        "residual (ViM without logits)": scope_of(known, labels, valid, "residual"),
        "both": scope_of(known, labels, valid),
        "both, each image also mildly corrupted": scope_of(both, np.tile(labels, 2), valid),
        "both, corrupted, and TCIA's training patients": scope_of(
            everything, np.tile(learnt_labels, 2), valid
        ),
    }
    rows = [["score", "test part accepted", *sets]]
    for name, of_logits in _baselines().items():
        by_set = {f"{key} (n {len(each.pixels)})": each.logits for key, each in asked.items()}
        rows.append([name, *_line(of_logits, test.logits, validation.logits, by_set)])
    rows += [[name, *_line(score, test.embeddings, valid, sets)] for name, score in scores.items()]
    print("\n".join(markdown(rows)))
    print()
    few = validation.pixels[::_CORRUPTED]
    by_severity = {
        severity: _Asked(
            classifier,
            [
                corrupt(grey, kind, severity, (7, row))
                for kind, strength in cells()
                if strength == severity
                for row, grey in enumerate(few[:: len(LABELS)])
            ],
        ).embeddings
        for severity in range(1, 6)
    }
    rows = [["accepted", *(f"severity {severity}" for severity in by_severity)]]
    for name, score in scores.items():
        threshold = float(np.quantile(score(valid), ACCEPTED))
        shares = [(score(each) <= threshold).mean() for each in by_severity.values()]
        rows.append([name, *(f"{100 * share:.0f} %" for share in shares)])
    print("\n".join(markdown(rows)))
    print(RESEARCH_USE_ONLY)


def _baselines() -> dict[str, Score]:
    """Return scores that use logits alone: they need no training images."""
    return {
        "largest probability (MSP)": lambda logits: -softmax(logits).max(axis=1),
        "energy": lambda logits: -np.log(np.exp(logits).sum(axis=1)),
    }


if __name__ == "__main__":
    main()
