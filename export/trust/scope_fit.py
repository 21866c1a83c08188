"""Which images are like those the model learnt from: means and a basis of embeddings, and the threshold of a distance.

Two distances are joined, because each is blind where the other looks. Within the main directions of the embeddings:
the smallest Mahalanobis distance to a class (Lee, Lee, Lee, Shin; 2018; https://arxiv.org/abs/1807.03888). Outside of
them: the length of what the directions leave over (the residual of ViM; Wang, Li, Feng, Zhang; 2022;
https://arxiv.org/abs/2203.10807). Each is divided by its median over the training images.

What is stored are means, directions and a covariance; no embedding of a single patient, which a nearest-neighbour
score would have to carry. ``edge_infer.scope`` computes the score, here and in the bundle.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN
from edge_infer.plain_json import LARGEST_LOGIT
from edge_infer.scope import ScopeModel
from edge_infer.scope_check import METHOD

__all__ = ["ACCEPTED", "ScopeFit", "dimensions", "fit_scope", "threshold_at"]

#: Share of images like those of the threshold that is accepted.
ACCEPTED = 0.95

_MOST_DIMENSIONS = 64
# A covariance of k dimensions needs several images for each; with eight, its eigenvalues are off by a third or so.
_IMAGES_A_DIMENSION = 8
# Added to each variance, as a share of their mean: the inverse stays finite where images do not vary. Much more, as the
# estimators of Ledoit and Wolf or Chen et al. ask for with few images, would blur the directions that tell FLAIR apart.
_RIDGE = 1e-3
# Rounding of float16 leaves about this much; a smaller median would make the score a measure of rounding.
_LEAST_SCALE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeFit:
    """A scope check as a bundle carries it.

    Attributes:
        description: ``trust.scope`` of the manifest.
        data: scope.bin.
    """

    description: dict[str, Any]
    data: bytes = field(repr=False)


def dimensions(images: int, dim: int) -> int:
    """Return the number of main directions: 64, fewer where images or the embedding's size ask for it, at least 1."""
    return max(1, min(_MOST_DIMENSIONS, images // _IMAGES_A_DIMENSION, dim // 2))


def threshold_at(scores: NDArray[np.float64], accepted: float = ACCEPTED) -> float:
    """Return the threshold that accepts a share of images like these, up to and including it.

    The rank is that of split conformal prediction, so an image that is exchangeable with the N given ones is accepted
    with at least this probability (Vovk, Gammerman, Shafer; 2005). With fewer than 19 images for 95 %, it is the
    largest score.

    Args:
        scores: (N,), at least one.
        accepted: The share.
    """
    rank = math.ceil(accepted * (len(scores) + 1) - 1e-9)
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


def fit_scope(
    train: NDArray[np.float32],
    labels: NDArray[np.int64],
    validation: NDArray[np.float32],
    *,
    train_source: str,
    threshold_source: str,
    classes: int = len(BRAIN),
) -> ScopeFit:
    """Fit directions and distances on training images, and the threshold on others.

    Args:
        train: Embeddings of training images by the very graph that ships, one of each copy: (N, dim).
        labels: Their class ids: (N,); every class occurs.
        validation: Embeddings of images that the model did not learn from: (M, dim).
        train_source: What ``train`` is, for the manifest.
        threshold_source: What ``validation`` is, for the manifest.
        classes: Number of classes.

    Raises:
        ValueError: A class has no image, or an embedding is not finite.
    """
    if set(labels.tolist()) != set(range(classes)):
        raise ValueError("statistics need training images of every class")
    if not (np.isfinite(train).all() and np.isfinite(validation).all()):
        raise ValueError("an embedding is not finite")
    arrays = _statistics(train, labels, classes, dimensions(*train.shape))
    data = b"".join(
        array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays.values()
    )
    description: dict[str, Any] = {
        "method": METHOD,
        "threshold": 1.0,
        "accepted": ACCEPTED,
        "scales": {"mahalanobis": 1.0, "residual": 1.0},
        "arrays": [
            {"name": name, "dtype": array.dtype.name, "shape": list(array.shape)}
            for name, array in arrays.items()
        ],
        "fitted_on": {
            "train": train_source,
            "n_train": len(train),
            "threshold": threshold_source,
            "n_threshold": len(validation),
        },
    }
    description["scales"] = _scales(description, data, train, classes)
    scores = ScopeModel.from_bundle(description, data, classes).score(validation)
    return ScopeFit(description={**description, "threshold": threshold_at(scores)}, data=data)


def _statistics(
    train: NDArray[np.float32], labels: NDArray[np.int64], classes: int, count: int
) -> dict[str, NDArray[Any]]:
    """Return mean (dim,), basis (dim, k), centres (classes, k) and whitening (k, k), each fitted on rounded ones."""
    unit = _unit(train)
    mean = unit.mean(axis=0).astype(np.float32)
    centred = unit - mean
    # The right singular vectors, from the smaller of the two square matrices: (dim, dim).
    _, directions = np.linalg.eigh(centred.T @ centred)
    basis = directions[:, ::-1][:, :count].astype(np.float16)
    inside = centred @ basis.astype(np.float64)  # (N, k)
    of_class = np.stack([inside[labels == label].mean(axis=0) for label in range(classes)])
    within = inside - of_class[labels]
    covariance = within.T @ within / len(within)
    ridge = max(_RIDGE * np.trace(covariance) / count, _LEAST_SCALE)
    variances, axes = np.linalg.eigh(covariance + ridge * np.eye(count))
    whitening = (axes / np.sqrt(variances)).astype(np.float32)
    centres = (of_class @ whitening.astype(np.float64)).astype(np.float32)
    return {"mean": mean, "basis": basis, "centres": centres, "whitening": whitening}


def _scales(
    description: Mapping[str, Any], data: bytes, train: NDArray[np.float32], classes: int
) -> dict[str, float]:
    """Return the median of each squared distance over the training images."""
    medians = {}
    for name in ("mahalanobis", "residual"):
        # With the other distance divided by very much, the score is the root of this one.
        alone = {"mahalanobis": LARGEST_LOGIT, "residual": LARGEST_LOGIT, name: 1.0}
        model = ScopeModel.from_bundle({**description, "scales": alone}, data, classes)
        medians[name] = max(float(np.median(model.score(train) ** 2)), _LEAST_SCALE)
    return medians


def _unit(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = embeddings.astype(np.float64)
    lengths = np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return np.asarray(wide / lengths, dtype=np.float64)
