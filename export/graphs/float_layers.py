"""The layers of a vision transformer as ONNX nodes in float32, in standard operators only.

They are written in the form that is fastest with onnxruntime's CPU kernels. Tokens are rows of a matrix (B*L, C), so a
linear layer is one Gemm that includes its bias. A batch norm is part of its convolution, and the scale of attention is
part of the query's weights. GELU has the form that onnxruntime recognizes and fuses. Since the Gemm includes the bias,
onnxruntime cannot fuse the two into a BiasGelu, whose CPU kernel is slower than the plain operators (measured: 10.9
against 3.0 ms for CvT-13).
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from torch import nn

from edge_infer.contract import INPUT_NAME
from export.graphs.builder import GraphBuilder
from export.graphs.weights import (
    Grid,
    Weights,
    as_array,
    bias_of,
    folded_batch_norm,
    grid_after,
    window,
)
from train.models.two_questions import ENLARGED, SHARPNESS, TwoQuestions

__all__ = ["Activation", "FloatLayers"]

#: What follows a convolution: ``relu6`` is cut off below 0 and above 6.
Activation = Literal["none", "relu", "relu6"]

#: Number of scores that attention computes at once for an image: 2 MiB, about the cache of a core.
_SCORES_AT_ONCE = 2**19


class FloatLayers:
    """Each method adds one layer under a name and returns the name of its result.

    A subclass gives layers another number format by overriding ``linear``, ``depthwise``,
    ``patch_embedding``, ``image_embedding``, ``convolution`` and ``image_sum``.

    Attributes:
        builder: Collects the nodes.
    """

    def __init__(self) -> None:
        self.builder = GraphBuilder()

    # --- layers that a subclass may override --------------------------------------------------------------------

    def linear(self, x: str, weight: Weights, bias: Weights | None, name: str) -> str:
        """Map (N, in) to (N, out); ``weight`` is (out, in), ``bias`` (out,)."""
        turned = self.builder.constant(weight.T, f"{name}.weight")
        offset = [] if bias is None else [self.builder.constant(bias, f"{name}.bias")]
        return self.builder.node("Gemm", x, turned, *offset, name=name)

    def depthwise(
        self, x: str, grid: Grid, conv: nn.Conv2d, weight: Weights, bias: Weights, name: str
    ) -> tuple[str, Grid]:
        """Convolve each channel of tokens (B, H*W, C) by itself; the batch norm is in ``weight`` and ``bias``."""
        channels = len(weight)
        image = self._image(x, grid, channels)
        convolved = self.builder.node(
            "Conv",
            image,
            self.builder.constant(weight, f"{name}.weight"),
            self.builder.constant(bias, f"{name}.bias"),
            name=f"{name}.conv",
            **window(conv, grid),
        )
        reached = grid_after(grid, conv)
        rows = self.builder.transpose(convolved, (0, 2, 3, 1), f"{name}.rows")
        return self.builder.reshape(rows, (-1, channels), name), reached

    def patch_embedding(self, x: str, grid: Grid, conv: nn.Conv2d, name: str) -> tuple[str, Grid]:
        """Convolve tokens (B, H*W, C) into fewer and wider ones."""
        image = self._image(x, grid, conv.in_channels)
        return self.stem(image, grid, conv, name)

    def image_embedding(
        self, image: str, grid: Grid, conv: nn.Conv2d, name: str
    ) -> tuple[str, Grid]:
        """Turn an image (B, C, H, W) into tokens (B*L, out) by a convolution of 1 x 1."""
        return self.stem(image, grid, conv, name)

    def convolution(
        self,
        image: str,
        grid: Grid,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d,
        name: str,
        *,
        activation: Activation,
    ) -> tuple[str, Grid]:
        """Convolve an image (B, C, H, W), including the batch norm after it and, if asked for, an activation."""
        weight, bias = folded_batch_norm(conv, norm)
        convolved = self.builder.node(
            "Conv",
            image,
            self.builder.constant(weight, f"{name}.weight"),
            self.builder.constant(bias, f"{name}.bias"),
            name=name if activation == "none" else f"{name}.conv",
            **window(conv, grid),
        )
        return self._activated(convolved, activation, name), grid_after(grid, conv)

    def image_sum(self, x: str, y: str, name: str) -> str:
        """Add two images (B, C, H, W)."""
        return self.add(x, y, name)

    # --- always float32 -----------------------------------------------------------------------------------------

    def stem_image(
        self,
        image: str,
        grid: Grid,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d,
        name: str,
        *,
        activation: Activation,
    ) -> tuple[str, Grid]:
        """Convolve the input, or what is still near it: as ``convolution``, but never in 8 bits."""
        return FloatLayers.convolution(self, image, grid, conv, norm, name, activation=activation)

    def stem(self, image: str, grid: Grid, conv: nn.Conv2d, name: str) -> tuple[str, Grid]:
        """Convolve an image (B, C, H, W) into tokens (B, L, out)."""
        convolved = self.builder.node(
            "Conv",
            image,
            self.builder.constant(as_array(conv.weight), f"{name}.weight"),
            self.builder.constant(bias_of(conv), f"{name}.bias"),
            name=f"{name}.conv",
            **window(conv, grid),
        )
        reached = grid_after(grid, conv)
        rows = self.builder.transpose(convolved, (0, 2, 3, 1), f"{name}.rows")
        return self.builder.reshape(rows, (-1, conv.out_channels), name), reached

    def attention(
        self,
        query: str,
        key: str,
        value: str,
        *,
        lengths: tuple[int, int],
        heads: int,
        width: int,
        name: str,
    ) -> str:
        """Attend with tokens: query (B*L, width), key and value (B*L', width): (B*L, width).

        Args:
            query: Scaled already.
            key: Tokens.
            value: Tokens.
            lengths: L and L'.
            heads: Divides ``width``.
            width: Of a token.
            name: Of the result.
        """
        split = (heads, width // heads)
        rows = [
            self.builder.reshape(part, (-1, length, *split), f"{part}.heads")
            for part, length in ((query, lengths[0]), (key, lengths[1]), (value, lengths[1]))
        ]
        by_head = self.builder.transpose(rows[0], (0, 2, 1, 3), f"{name}.query")
        keys = self.builder.transpose(rows[1], (0, 2, 3, 1), f"{name}.key")
        values = self.builder.transpose(rows[2], (0, 2, 1, 3), f"{name}.value")
        parts = _query_parts(*lengths, heads)
        if parts == 1:
            mixed = self._mixed(by_head, keys, values, name)
        else:
            names = tuple(f"{name}.query.{part}" for part in range(1, parts + 1))
            queries = self.builder.nodes("Split", by_head, names=names, axis=2, num_outputs=parts)
            pieces = [
                self._mixed(query_part, keys, values, f"{name}.{part}")
                for part, query_part in enumerate(queries, start=1)
            ]
            mixed = self.builder.node("Concat", *pieces, name=f"{name}.pieces", axis=2)
        joined = self.builder.transpose(mixed, (0, 2, 1, 3), f"{name}.joined")
        return self.builder.reshape(joined, (-1, width), name)

    def feed_forward(
        self, tokens: str, norm: nn.LayerNorm, wide: nn.Linear, narrow: nn.Linear, name: str
    ) -> str:
        """Add a block's second half, around a residual connection."""
        normed = self.layer_norm(tokens, norm, f"{name}.norm2")
        hidden = self.linear(normed, as_array(wide.weight), bias_of(wide), f"{name}.wide")
        hidden = self.gelu(hidden, f"{name}.gelu")
        mixed = self.linear(hidden, as_array(narrow.weight), bias_of(narrow), f"{name}.narrow")
        return self.add(tokens, mixed, f"{name}.sum2")

    def layer_norm(self, x: str, norm: nn.LayerNorm, name: str) -> str:
        """Normalize the last axis."""
        return self.builder.node(
            "LayerNormalization",
            x,
            self.builder.constant(as_array(norm.weight), f"{name}.weight"),
            self.builder.constant(as_array(norm.bias), f"{name}.bias"),
            name=name,
            axis=-1,
            epsilon=norm.eps,
        )

    def gelu(self, x: str, name: str) -> str:
        """Apply the exact GELU, in the form onnxruntime recognizes and fuses."""
        constant = self.builder.constant
        scaled = self.builder.node(
            "Div", x, constant(np.array(math.sqrt(2), np.float32), "sqrt_2"), name=f"{name}.scaled"
        )
        erf = self.builder.node("Erf", scaled, name=f"{name}.erf")
        shifted = self.builder.node(
            "Add", erf, constant(np.array(1, np.float32), "one"), name=f"{name}.shifted"
        )
        product = self.builder.node("Mul", x, shifted, name=f"{name}.product")
        return self.builder.node(
            "Mul", product, constant(np.array(0.5, np.float32), "half"), name=name
        )

    def relu(self, x: str, name: str) -> str:
        """Cut off what is below zero."""
        return self.builder.node("Relu", x, name=name)

    def add(self, x: str, y: str, name: str) -> str:
        """Add two values of one shape."""
        return self.builder.node("Add", x, y, name=name)

    def with_class_token(self, tokens: str, length: int, token: Weights, positions: Weights) -> str:
        """Put a class token before each image's tokens (B*L, C) and add positions: (B*(1 + L), C).

        Args:
            tokens: Patches.
            length: L.
            token: float32, (1, 1, C).
            positions: float32, (1, 1 + L, C).
        """
        width, builder = token.shape[2], self.builder
        images = builder.reshape(tokens, (-1, length, width), "embedding.images")
        batch = builder.node("Shape", images, name="embedding.batch", start=0, end=1)
        shape = builder.node(
            "Concat", batch, builder.integers(1, width), name="embedding.shape", axis=0
        )
        first = builder.node(
            "Expand", builder.constant(token, "cls_token"), shape, name="embedding.cls_token"
        )
        joined = builder.node("Concat", first, images, name="embedding.joined", axis=1)
        placed = self.add(joined, builder.constant(positions, "positions"), "embedding.placed")
        return builder.reshape(placed, (-1, width), "embedding.tokens")

    def places_with_class_token(self, tokens: str, length: int, width: int) -> str:
        """Add the class token to each patch, (B*(1 + L), C) to (B*L, C), as ``train.models.output`` does."""
        builder = self.builder
        images = builder.reshape(tokens, (-1, 1 + length, width), "places.images")
        axis = builder.integers(1)
        first = builder.node(
            "Slice", images, builder.integers(0), axis, axis, name="places.cls_token"
        )
        patches = builder.node(
            "Slice", images, axis, builder.integers(1 + length), axis, name="places.patches"
        )
        return builder.reshape(self.add(patches, first, "places.sum"), (-1, width), "places")

    def standardize(self) -> str:
        """Give each image zero mean and unit variance, axis by axis as ``train.models.output.standardize``."""
        mean = self._mean(INPUT_NAME, "input.mean")
        centred = self.builder.node("Sub", INPUT_NAME, mean, name="input.centred")
        squared = self.builder.node("Mul", centred, centred, name="input.squared")
        variance = self._mean(squared, "input.variance")
        epsilon = self.builder.constant(np.array(1e-6, np.float32), "input.epsilon")
        raised = self.builder.node("Add", variance, epsilon, name="input.raised")
        deviation = self.builder.node("Sqrt", raised, name="input.deviation")
        return self.builder.node("Div", centred, deviation, name="input.standardized")

    def head(self, tokens: str, grid: Grid, classifier: nn.Linear | TwoQuestions) -> Grid:
        """Add the contract's outputs for normalized tokens (B*h*w, C), as ``train.models.heads.classify``.

        Returns:
            The grid of the evidence.
        """
        builder, length = self.builder, grid[0] * grid[1]
        weight, bias = _judgements(classifier)
        per_token = FloatLayers.linear(self, tokens, weight, bias, "classifier")
        by_image = builder.reshape(per_token, (-1, length, len(weight)), "classifier.tokens")
        split = builder.reshape(tokens, (-1, length, classifier.in_features), "embeddings.tokens")
        builder.node("ReduceMean", split, builder.integers(1), name="embeddings", keepdims=0)
        if isinstance(classifier, TwoQuestions):
            turned = builder.transpose(by_image, (0, 2, 1), "classifier.places")
            return self._two_questions(turned, grid, classifier)
        builder.node("ReduceMean", by_image, builder.integers(1), name="logits", keepdims=0)
        by_class = builder.transpose(by_image, (0, 2, 1), "evidence.flat")
        builder.reshape(by_class, (0, classifier.out_features, *grid), "evidence")
        return grid

    def image_head(
        self, maps: Sequence[tuple[str, Grid, int]], classifier: nn.Linear | TwoQuestions
    ) -> Grid:
        """Add the contract's outputs for features at several resolutions, as ``train.models.heads.classify``.

        In training a coarse map is repeated until it is as fine as the last one, and both are joined. Here each is
        judged where it is, by a convolution of 1 x 1, and the few judgements are repeated instead: the same numbers.

        Args:
            maps: Features (B, C, h, w), their grid and C, in the order of the classifier's inputs; the last one is
                the finest, and its grid a multiple of the others'.
            classifier: For all channels together.

        Returns:
            The grid of the evidence.
        """
        builder, both = self.builder, self.builder.integers(2, 3)
        weight, bias = _judgements(classifier)
        _, grid, _ = maps[-1]
        judged, embedded, first = "", [], 0
        for number, (image, own_grid, channels) in enumerate(maps, start=1):
            name = f"classifier.{number}"
            part = weight[:, first : first + channels, None, None]
            offset = [builder.constant(bias, "classifier.bias")] if number == len(maps) else []
            result = builder.node(
                "Conv",
                image,
                builder.constant(part, f"{name}.weight"),
                *offset,
                name=name,
                kernel_shape=[1, 1],
            )
            result = self._repeated(result, own_grid, grid, f"{name}.repeated")
            judged = self.add(judged, result, f"{name}.sum") if judged else result
            embedded.append(
                builder.node("ReduceMean", image, both, name=f"embeddings.{number}", keepdims=0)
            )
            first += channels
        builder.node("Concat", *embedded, name="embeddings", axis=1)
        if isinstance(classifier, TwoQuestions):
            shape = (0, len(weight), grid[0] * grid[1])
            places = builder.reshape(judged, shape, "classifier.places")
            return self._two_questions(places, grid, classifier)
        builder.node("ReduceMean", judged, both, name="logits", keepdims=0)
        builder.node("Identity", judged, name="evidence")
        return grid

    # --- helpers ------------------------------------------------------------------------------------------------

    def _repeated(self, image: str, grid: Grid, finer: Grid, name: str) -> str:
        """Repeat each place of an image (B, C, h, w) until there are as many as in a finer grid."""
        if grid == finer:
            return image
        if finer[0] % grid[0] or finer[1] % grid[1]:
            raise ValueError(f"places {grid} cannot be repeated to {finer}")
        return self._resized(
            image,
            finer,
            name,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def _resized(self, image: str, finer: Grid, name: str, **rule: str) -> str:
        """Enlarge an image (B, C, h, w) to a finer grid; ``rule`` are attributes of Resize."""
        size = self.builder.integers(*finer)
        return self.builder.node("Resize", image, "", "", size, name=name, axes=[2, 3], **rule)

    def _activated(self, x: str, activation: Activation, name: str) -> str:
        """Add an activation under a name; without any, ``x`` has that name already."""
        if activation == "relu":
            return self.relu(x, name)
        if activation == "relu6":
            zero = self.builder.constant(np.array(0, np.float32), "zero")
            six = self.builder.constant(np.array(6, np.float32), "six")
            return self.builder.node("Clip", x, zero, six, name=name)
        return x

    def _two_questions(self, judged: str, grid: Grid, classifier: TwoQuestions) -> Grid:
        """Add logits and evidence, as ``train.models.two_questions``.

        Args:
            judged: (B, 1 + types, N), presence and types at each place.
            grid: Rows and columns of the N places.
            classifier: For its scale and offset.

        Returns:
            The grid of the evidence.
        """
        builder, length = self.builder, grid[0] * grid[1]

        def number(value: float, name: str) -> str:
            return builder.constant(np.array(value, np.float32), name)

        types = classifier.out_features - 1
        present, per_place = builder.nodes(
            "Split",
            judged,
            builder.constant(np.array([1, types]), "classifier.parts"),
            names=("presence", "types.places"),
            axis=1,
        )
        sharpness = number(SHARPNESS, "presence.sharpness")
        sharp = builder.node("Mul", present, sharpness, name="presence.sharp")
        where = builder.node("Softmax", sharp, name="presence.where", axis=2)
        # The mean of what is judged at each place is the judgement of the mean.
        pooled = builder.node("ReduceMean", per_place, builder.integers(2), name="types.pooled")
        kinds = builder.node("LogSoftmax", pooled, name="types", axis=1)  # (B, types, 1)
        scale = number(classifier.scale.item(), "presence.scale")
        scaled = builder.node("Mul", present, scale, name="presence.scaled")
        offset = number(classifier.offset.item(), "presence.offset")
        suspicion = builder.node("Add", scaled, offset, name="presence.suspicion")
        both = builder.node("Add", suspicion, kinds, name="evidence.both")  # (B, types, N)
        factor = builder.node(
            "Mul", where, number(length, "evidence.places"), name="evidence.factor"
        )
        of_types = builder.node("Mul", both, factor, name="evidence.types")
        negative = classifier.negative_id
        before, after = builder.nodes(
            "Split",
            of_types,
            builder.constant(np.array([negative, types - negative]), "evidence.parts"),
            names=("evidence.before", "evidence.after"),
            axis=1,
        )
        none = builder.node("Mul", where, number(0, "zero"), name="evidence.no_tumor")
        joined = builder.node("Concat", before, none, after, name="evidence.flat", axis=1)
        builder.node("ReduceMean", joined, builder.integers(2), name="logits", keepdims=0)
        places = builder.reshape(joined, (0, types + 1, *grid), "evidence.coarse")
        finer = (ENLARGED * grid[0], ENLARGED * grid[1])
        self._resized(
            places,
            finer,
            "evidence",
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        return finer

    def _mixed(self, queries: str, keys: str, values: str, name: str) -> str:
        """Mix values (B, heads, L', C) by the similarity of queries (B, heads, L, C) and keys (B, heads, C, L')."""
        scores = self.builder.node("MatMul", queries, keys, name=f"{name}.scores")
        probabilities = self.builder.node("Softmax", scores, name=f"{name}.softmax", axis=-1)
        return self.builder.node("MatMul", probabilities, values, name=f"{name}.mixed")

    def _image(self, tokens: str, grid: Grid, channels: int) -> str:
        """Arrange tokens (B*H*W, C) as an image (B, C, H, W), once for all readers."""
        name = f"{tokens}.image"
        if not self.builder.has(name):
            rows = self.builder.reshape(tokens, (-1, *grid, channels), f"{tokens}.rows")
            self.builder.transpose(rows, (0, 3, 1, 2), name)
        return name

    def _mean(self, x: str, name: str) -> str:
        for axis in (3, 2, 1):
            x = self.builder.node(
                "ReduceMean", x, self.builder.integers(axis), name=f"{name}.{axis}", keepdims=1
            )
        return x


def _judgements(classifier: nn.Linear | TwoQuestions) -> tuple[Weights, Weights]:
    """Return what is judged of a place as weight (classes, C) and bias: classes, or presence before types."""
    if not isinstance(classifier, TwoQuestions):
        return as_array(classifier.weight), bias_of(classifier)
    parts = classifier.presence, classifier.types
    return (
        np.concatenate([as_array(part.weight) for part in parts]),
        np.concatenate([bias_of(part) for part in parts]),
    )


def _query_parts(queries: int, keys: int, heads: int) -> int:
    """Return into how many equal parts queries are split, so that their scores take little memory.

    CvT's first stage at 224 px has 3,136 x 784 scores, which take 10 MB, twice. In seven parts they take a seventh of
    that, and no more time.
    """
    most = max(1, _SCORES_AT_ONCE // (keys * heads))
    return next(
        parts
        for parts in range(1, queries + 1)
        if queries % parts == 0 and queries // parts <= most
    )
