"""How far an image lies from the training images, by the embedding that the graph gives: numpy only.

Two distances are added, each over its median on the training images: within the directions in which training images
differ, the Mahalanobis distance to the nearest class (Lee, Lee, Lee, Shin; 2018; https://arxiv.org/abs/1807.03888), and
what lies outside of these directions, the residual (ViM: Wang, Li, Feng, Zhang; 2022;
https://arxiv.org/abs/2203.10807). Embeddings count by direction only, not by length. What is stored are means and
directions of all training images; no embedding of any single one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_infer.contract import MAX_SCOPE_BYTES, SCOPE_FILE
from edge_infer.errors import (
    BundleIncompatible,
    BundleIntegrity,
    InferenceFailed,
    NonFiniteOutput,
)
from edge_infer.scope_check import DTYPES, array_shapes, check_scope

__all__ = ["ScopeModel"]

_Floats = NDArray[np.float64]

#: An embedding shorter than this has no direction.
_SHORTEST = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeModel:
    """The scope check of a bundle: scores embeddings; more means less like the training images.

    Attributes:
        threshold: An image whose score is above it is out of scope.
        dim: Numbers of an embedding.
    """

    threshold: float
    dim: int
    _mean: _Floats = field(repr=False)  # (dim,)
    _basis: _Floats = field(repr=False)  # (dim, k), orthonormal columns before they were rounded
    _gram: _Floats = field(
        repr=False
    )  # (k, k), basis.T @ basis: what rounding made of the identity
    _centres: _Floats = field(repr=False)  # (classes, k), whitened, over the root of their scale
    _whitening: _Floats = field(repr=False)  # (k, k), over the root of the scale of the distance
    _residual_scale: float

    @classmethod
    def from_bundle(cls, description: Mapping[str, Any], data: bytes, classes: int) -> Self:
        """Read the model from its bundle.

        Args:
            description: ``trust.scope`` of the manifest.
            data: scope.bin: the arrays one after the other, little-endian, in row order.
            classes: Number of classes of the bundle.

        Raises:
            BundleIncompatible: The description is of another form, or more than 1 MiB.
            BundleIntegrity: The file has another length than described, or holds NaN or infinity.
        """
        if len(data) > MAX_SCOPE_BYTES:
            raise BundleIncompatible(
                f"{SCOPE_FILE}: has {len(data):,} bytes, expected at most {MAX_SCOPE_BYTES:,}"
            )
        check_scope(description, classes)
        arrays = _read_arrays(description, data)
        basis = arrays["basis"]
        scales = description["scales"]
        root = float(scales["mahalanobis"]) ** 0.5
        return cls(
            threshold=float(description["threshold"]),
            dim=basis.shape[0],
            _mean=arrays["mean"],
            _basis=basis,
            _gram=basis.T @ basis,
            _centres=arrays["centres"] / root,
            _whitening=arrays["whitening"] / root,
            _residual_scale=float(scales["residual"]),
        )

    def score(self, embeddings: NDArray[np.floating[Any]]) -> _Floats:
        """Return one score for each image.

        Args:
            embeddings: float, (N, dim), as the graph gives them.

        Returns:
            float64, (N,), 0 or more; NaN where an embedding is not finite.

        Raises:
            ValueError: They are of another shape.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.dim:
            raise ValueError(f"embeddings are {embeddings.shape}, expected (N, {self.dim})")
        wide = embeddings.astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinity over infinity
            unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), _SHORTEST)
        offset = unit - self._mean  # (N, dim)
        within = offset @ self._basis  # (N, dim) -> (N, k)
        apart = (within @ self._whitening)[:, None] - self._centres  # (N, classes, k)
        nearest = np.einsum("nck,nck->nc", apart, apart).min(axis=1)
        # |x - B p|^2 with p = B^T x, without going back to dim numbers: |x|^2 - 2 |p|^2 + p^T (B^T B) p
        outside = (
            np.einsum("nd,nd->n", offset, offset)
            - 2 * np.einsum("nk,nk->n", within, within)
            + np.einsum("nk,nk->n", within @ self._gram, within)
        )
        residual = np.maximum(outside, 0) / self._residual_scale  # rounding may leave -1e-16
        return np.asarray(np.sqrt(nearest + residual), dtype=np.float64)

    def score_one(self, embedding: NDArray[np.floating[Any]], *, source: str) -> float:
        """Return the score of one image, or an error where there can be none.

        Args:
            embedding: float, (dim,).
            source: Name of the image, for the message.

        Raises:
            InferenceFailed: It is of another shape.
            NonFiniteOutput: It holds NaN or infinity.
        """
        if embedding.shape != (self.dim,):
            raise InferenceFailed(
                f"model gave embeddings {embedding.shape}, expected ({self.dim},) as the scope check has",
                hint="export the bundle again",
            )
        score = float(self.score(embedding[None])[0])
        if not np.isfinite(score):
            raise NonFiniteOutput(
                f"{source}: model gave embeddings of NaN or infinity, so there is no answer",
                hint="run it on another device or export the bundle again",
            )
        return score


def _read_arrays(description: Mapping[str, Any], data: bytes) -> dict[str, _Floats]:
    shapes = array_shapes(description)
    dtypes = {entry["name"]: entry["dtype"] for entry in description["arrays"]}
    counts = {name: int(np.prod(shape, dtype=object)) for name, shape in shapes.items()}
    expected = sum(counts[name] * DTYPES[dtypes[name]] for name in shapes)
    if len(data) != expected:
        raise BundleIntegrity(
            f"{SCOPE_FILE}: has {len(data):,} bytes, expected {expected:,} for the arrays that "
            "manifest.json lists"
        )
    arrays, offset = {}, 0
    for name, shape in shapes.items():
        kind = np.dtype(dtypes[name]).newbyteorder("<")
        flat = np.frombuffer(data, dtype=kind, count=counts[name], offset=offset)
        if not np.isfinite(flat).all():
            raise BundleIntegrity(f"{SCOPE_FILE}: {name} holds NaN or infinity")
        arrays[name] = flat.reshape(shape).astype(np.float64)
        offset += flat.nbytes
    return arrays
