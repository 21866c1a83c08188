"""The quantized graphs that an export tries, made from the trained weights or from the traced graph."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import nn

from export.answers import logits_one_by_one
from export.graphs import build_graph, can_build
from export.graphs.float_layers import FloatLayers
from export.int8.bias_correction import with_biases_of, with_corrected_biases
from export.int8.equalization import equalized
from export.int8.layers import Format, Int8Layers, Ranges
from export.int8.processors import ProcessorFamily
from export.int8.quantization import CANDIDATES, prepare
from export.int8.ranges import METHODS, activation_ranges
from export.int8.sensitivity import (
    errors_by_group,
    group_of,
    mixed_formats,
    rms_difference,
    worst_groups,
)
from export.int8.weight_rounding import JointRounding
from export.model_inputs import ModelInputs
from export.sessions import open_graph
from train.data.samples import Progress
from train.models.efficientnet_lite import EfficientNetLiteClassifier

__all__ = ["Variant", "quantized_variants"]

_WEIGHTS = "int8 symmetric per channel"
_KEPT_IN_FLOAT = ["stem", "stage1", "classifier"]  # of EfficientNet-Lite
_KEPT_IN_FLOAT_OF_TRANSFORMERS = [
    "stem",
    "classifier",
    "attention products",
    "LayerNormalization",
    "Softmax",
    "GELU",
    "sums",
]

#: Share of the error, in percent: the layers that cause it are not static in ``mixed`` variants.
_MIXED_PERCENT = (30, 50, 70, 80, 90)

#: Images for steps that need many runs or gain nothing from more images: sensitivity, bias correction, and ranges
#: that ignore rare large values.
_FEW = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One quantized graph.

    Attributes:
        name: Such as ``static-percentile``.
        description: How it was made, for the manifest.
        graph: The graph.
    """

    name: str
    description: dict[str, Any]
    graph: onnx.ModelProto = field(repr=False)


def quantized_variants(
    model: nn.Module,
    float_graph: onnx.ModelProto,
    calibration: ModelInputs,
    processors: ProcessorFamily,
    progress: Progress,
    *,
    quick: bool = False,
) -> Iterator[Variant]:
    """Make the variants one after the other.

    Args:
        model: In evaluation mode.
        float_graph: Its graph, as exported.
        calibration: Training images only.
        processors: Processors that the graphs are made for.
        progress: Called with (done, total) after each step within a variant.
        quick: Begin with the variant that takes least time to make, because the first that passes is taken.
    """
    if not can_build(model):
        prepared = prepare(float_graph)
        for candidate in CANDIDATES:
            graph = candidate.quantize(prepared, calibration, processors.weight_limit)
            graph.ir_version = min(graph.ir_version, float_graph.ir_version)
            yield Variant(name=candidate.name, description=candidate.description, graph=graph)
        return
    builder = _Builder(model, calibration, processors)
    if not quick:
        yield from builder.variants(progress)
        return
    yield from builder.dynamic()
    yield from (other for other in builder.variants(progress) if other.name != "dynamic")


class _Builder:
    """Builds a model's graph in one number format after the other."""

    def __init__(
        self, model: nn.Module, calibration: ModelInputs, processors: ProcessorFamily
    ) -> None:
        self.model = equalized(model, calibration)
        self.given = model
        self.height, self.width = calibration.preprocessor.height, calibration.preprocessor.width
        self.float_graph = build_graph(
            self.model, FloatLayers(), height=self.height, width=self.width
        )
        self.calibration = calibration
        self.processors = processors
        # Evenly spaced, because the images are ordered by class and patient.
        self.few = calibration[:: max(1, len(calibration) // _FEW)]
        self.is_efficientnet = isinstance(model, EfficientNetLiteClassifier)
        self.rounding = JointRounding(self.model, self.few) if self.is_efficientnet else None

    def variants(self, progress: Progress) -> Iterator[Variant]:
        reference = self.logits(self.float_graph)
        ranges: dict[str, Ranges] = {}
        graphs: dict[str, onnx.ModelProto] = {}
        errors: dict[str, float] = {}
        for method in METHODS:
            images = self.calibration if method in ("min-max", "lp-norm") else self.few
            ranges[method] = activation_ranges(self.float_graph, images, method=method)
            graphs[method] = self.build(ranges[method], lambda _: "static")
            errors[method] = rms_difference(self.logits(graphs[method]), reference)
            yield self.variant(
                f"static-{method}",
                graphs[method],
                "static",
                f"{method} of {len(images)} images",
            )
        best = min(errors, key=errors.__getitem__)
        corrected = with_corrected_biases(graphs[best], self.float_graph, self.few, progress)
        biases = f"corrected on {len(self.few)} images"
        yield self.variant(f"static-{best}-corrected", corrected, "static", best, biases=biases)
        if self.is_efficientnet:
            # No mixed forms: with float convolutions between 8-bit ones it is as slow as in float32 (docs/gate.md).
            return
        by_group = self.sensitivity(ranges[best], reference, progress)
        for percent in _MIXED_PERCENT:
            worst = worst_groups(by_group, share=percent / 100)
            graph = self.build(ranges[best], mixed_formats(worst))
            yield self.variant(
                f"mixed-{percent}",
                with_biases_of(corrected, graph),
                "mixed",
                f"{best}, but each image's own range (convolutions: float) in {', '.join(worst)}",
                biases=biases,
                not_static=worst,
                rms_logit_difference={name: round(error, 4) for name, error in by_group.items()},
            )
        yield from self.dynamic()

    def dynamic(self) -> Iterator[Variant]:
        """Make the variant that needs no calibration images; none where only convolutions could be in 8 bits."""
        graph = self.build({}, lambda _: "dynamic")
        if any(node.op_type == "MatMulInteger" for node in graph.graph.node):
            yield self.variant("dynamic", graph, "dynamic", "range of each image")

    def sensitivity(
        self, ranges: Ranges, reference: NDArray[np.float32], progress: Progress
    ) -> dict[str, float]:
        seen: dict[str, None] = {}

        def note(name: str) -> Format:
            seen[group_of(name)] = None
            return "float"

        self.build(ranges, note)
        done = itertools.count(1)
        return errors_by_group(
            seen,
            lambda format_of: self.build(ranges, format_of),
            self.logits,
            reference,
            lambda: progress(next(done), len(seen)),
        )

    def build(self, ranges: Ranges, format_of: Callable[[str], Format]) -> onnx.ModelProto:
        layers: FloatLayers = Int8Layers(
            ranges,
            format_of,
            weight_limit=self.processors.weight_limit,
            rounding=self.rounding,
        )
        return build_graph(self.model, layers, height=self.height, width=self.width)

    def logits(self, graph: onnx.ModelProto) -> NDArray[np.float32]:
        """Return a graph's logits of the few images, (N, classes)."""
        return logits_one_by_one(open_graph(graph, num_threads=1), self.few)

    def variant(
        self, name: str, graph: onnx.ModelProto, method: str, activations: str, **more: Any
    ) -> Variant:
        description = {
            "method": method,
            "equalized": self.model is not self.given,
            "form": "graph built for onnxruntime, standard operators, QDQ",
            "target": self.processors.name,
            "weights": (
                f"{_WEIGHTS}, largest {self.processors.weight_limit}"
                + (", rounded together (GPTQ)" if self.rounding else "")
            ),
            "activations": f"uint8 asymmetric, {activations}",
            "kept_in_float": (
                _KEPT_IN_FLOAT if self.is_efficientnet else _KEPT_IN_FLOAT_OF_TRANSFORMERS
            ),
            **more,
        }
        return Variant(name=name, description=description, graph=graph)
