"""Make the ranges of an activation's channels similar, so that they fit one 8-bit scale; the function stays the same.

If one channel has ten times the range of the others, these have only a tenth of the steps. The output of a layer norm
or a value projection can be divided by a factor for each channel if the next layer multiplies by the same factor: in
float32 nothing changes. Depthwise convolutions have one weight scale per channel, so any factor costs them nothing. In
a linear layer a factor moves range from activations to weights, so the two share it.

Cross-layer equalization, Nagel et al. 2019, arXiv 1906.04721; the compromise for linear layers is SmoothQuant's, Xiao
et al. 2022, arXiv 2211.10438, with strength 0.5.

Measured on the trained CvT-13 (root mean square difference of the logits from FP32, 148 validation images): 0.0238
without equalization, 0.0208 with that of the first layer norm of each block, 0.0209 with that of the values, 0.0178
with both. The outputs of depthwise convolutions (0.0266) and the second layer norm (0.0246) get worse and are not
equalized, nor are ViTs (0.0121 without, 0.0137 with values and second layer norm).

In cvt-slim the convolutions' channels are equalized too: a positive factor passes through a ReLU, and values that
residual blocks add up are divided by the same factors. With that and an embedding that keeps its sums in float, the
mean difference of the probabilities, all ranges static, falls from 0.0016 to 0.0012 on 589 validation images; the
number of changed answers falls from 5 to 2 (min-max) and from 2 to 1 (percentile).

In EfficientNet-Lite only the sums of a stage are equalized: what lies between them ends at 6 in each channel. Half
trained, min-max, all ranges static: 0.135 instead of 0.153 (364 scans of the kit, root mean square difference of the
logits).
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from export.graphs.efficientnet_lite import block_layers
from export.model_inputs import ModelInputs
from train.models.cvt import CvtClassifier
from train.models.cvt_slim import CvtSlimClassifier
from train.models.efficientnet_lite import FINE_STAGE, EfficientNetLiteClassifier

__all__ = ["equalized"]

_BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """An activation, with the layers that write it and the layers that read it.

    Attributes:
        writers: Layer norms, linear layers or batch norms. The channels are the first axis of weight and bias, and the
            last axis of their output, or its second where that is an image. With several writers the activation is
            their sum, and the largest value of any of them is used as that of the sum.
        readers: Linear layers or convolutions.
    """

    writers: Sequence[Any] = field(repr=False)
    readers: Sequence[Any] = field(repr=False)


def equalized(model: nn.Module, calibration: ModelInputs) -> nn.Module:
    """Return a copy that computes the same and quantizes better, or the model itself if it would not gain.

    Args:
        model: In evaluation mode.
        calibration: Training images.
    """
    if not isinstance(model, CvtClassifier | CvtSlimClassifier | EfficientNetLiteClassifier):
        return model
    result = copy.deepcopy(model).eval()
    links = list(_links(result))
    largest = _largest(result, links, calibration)
    with torch.no_grad():
        for link, peak in zip(links, largest, strict=True):
            factor = _factor(link, peak)
            for writer in link.writers:
                writer.weight /= factor.view(-1, *[1] * (writer.weight.dim() - 1))
                if writer.bias is not None:
                    writer.bias /= factor
            for reader in link.readers:
                reader.weight *= _along_inputs(reader, factor)
    return result


def _largest(model: nn.Module, links: list[_Link], calibration: ModelInputs) -> list[Tensor]:
    """Return the largest absolute value of each channel of each link."""
    found: list[Tensor | None] = [None] * len(links)

    def watch(number: int, link: _Link) -> Any:
        def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            channels = output.movedim(1, -1) if output.dim() == 4 else output
            peak, before = channels.detach().abs().flatten(0, -2).amax(dim=0), found[number]
            found[number] = peak if before is None else torch.maximum(before, peak)

        return [writer.register_forward_hook(note) for writer in link.writers]

    hooks = [hook for number, link in enumerate(links) for hook in watch(number, link)]
    with torch.inference_mode():
        for pixel_values in calibration.batches(_BATCH):
            model(torch.from_numpy(pixel_values))
    for hook in hooks:
        hook.remove()
    # Copies, because torch does not let tensors made in inference mode be used with parameters.
    return [peak.clone() for peak in found if peak is not None]


def _factor(link: _Link, peak: Tensor) -> Tensor:
    """Return the factor that each channel is divided by; the geometric mean of the factors is 1."""
    factor = peak.clamp(min=1e-5 * float(peak.max()) + 1e-12)
    if not _is_depthwise(link.readers[0]):
        weights = torch.stack([_largest_by_input(reader) for reader in link.readers]).amax(dim=0)
        factor = (factor / weights.clamp(min=1e-5 * float(weights.max()) + 1e-12)).sqrt()
    return factor / factor.log().mean().exp()


def _largest_by_input(reader: Any) -> Tensor:
    """Return the largest absolute weight for each input channel of (out, in) or (out, in, rows, columns)."""
    largest: Tensor = reader.weight.abs().amax(dim=0)
    return largest.flatten(1).amax(dim=1) if largest.dim() > 1 else largest


def _is_depthwise(reader: Any) -> bool:
    return isinstance(reader, nn.Conv2d) and reader.groups > 1


def _along_inputs(reader: Any, factor: Tensor) -> Tensor:
    if isinstance(reader, nn.Linear):
        return factor
    return factor.view(-1, 1, 1, 1) if _is_depthwise(reader) else factor.view(1, -1, 1, 1)


def _residual_links(model: CvtSlimClassifier) -> Iterator[_Link]:
    """Yield the activations between convolutions; a positive factor passes through the ReLUs between them."""
    parts: Any = model
    writers, readers = [parts.stem[1]], []  # of the sum that runs through the blocks of a stage
    for block in parts.residual:
        readers.append(block.conv1)
        if block.downsample is None:
            writers.append(block.bn2)
        else:
            shortcut, norm = block.downsample
            yield _Link(writers=writers, readers=[*readers, shortcut])
            writers, readers = [block.bn2, norm], []
        yield _Link(writers=[block.bn1], readers=[block.conv2])
    embedding = parts.cvt.encoder.stages[0].embedding.convolution_embeddings.projection
    yield _Link(writers=writers, readers=[*readers, embedding])


def _bottleneck_links(model: EfficientNetLiteClassifier) -> Iterator[_Link]:
    """Yield the sums that run through the blocks of a stage.

    What lies between two of them ends at 6 in each channel, and a factor would move that end. The stage with the finer
    places keeps its sums: their means are embeddings, which would change.
    """
    net: Any = model.backbone
    stages = [[block_layers(block) for block in stage] for stage in net.blocks]
    after = [*(stage[0]["expand"][0] for stage in stages[1:]), net.conv_head]
    for number, (stage, following) in enumerate(zip(stages, after, strict=True), start=1):
        if number == min(FINE_STAGE, len(stages)):
            continue
        yield _Link(
            writers=[layers["project"][1] for layers in stage],
            readers=[*(layers["expand"][0] for layers in stage[1:]), following],
        )


def _links(
    model: CvtClassifier | CvtSlimClassifier | EfficientNetLiteClassifier,
) -> Iterator[_Link]:
    if isinstance(model, EfficientNetLiteClassifier):
        yield from _bottleneck_links(model)
        return
    if isinstance(model, CvtSlimClassifier):
        yield from _residual_links(model)
    encoder: Any = model.cvt
    for stage in encoder.encoder.stages:
        for block in stage.layers:
            heads = block.attention.attention
            convolutions = [
                getattr(heads, f"convolution_projection_{which}").convolution_projection.convolution
                for which in ("query", "key", "value")
            ]
            yield _Link(writers=[block.layernorm_before], readers=convolutions)
            output = block.attention.output.dense
            yield _Link(writers=[heads.projection_value], readers=[output])
