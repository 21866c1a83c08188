"""A stacked autoencoder with a linear classifier on its code, as in the first student report.

Greedy layer-wise training of deep networks, Bengio, Lamblin, Popovici, Larochelle 2006 (NeurIPS 19): each layer is a
Linear with ReLU whose linear decoder rebuilds the layer's own input; layers are trained one after the other on the
outputs of the (then fixed) layers before (``train.loop.phases``).

The classifier is linear and every layer piecewise linear. So a logit is exactly the sum over pixels of pixel times
gradient, plus a rest without a place (the biases): that is the evidence. It uses the weights twice, forwards and
backwards, and needs no further training.
"""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_infer.errors import UnknownModel
from train.models.output import ClassifierOutput, standardize

__all__ = ["StackedAutoencoder", "reconstruction_error", "sae"]


class StackedAutoencoder(nn.Module):
    """Linear and ReLU layers on the grey pixels, each with a linear decoder; a linear classifier on the last.

    Args:
        num_classes: Classes of the classifier.
        image_size: Side of pixel_values.
        widths: Outputs of each layer.
        evidence_grid: Side of the evidence; divides ``image_size``.

    Raises:
        UnknownModel: ``evidence_grid`` does not divide ``image_size``.
    """

    def __init__(
        self, num_classes: int, *, image_size: int, widths: Sequence[int], evidence_grid: int
    ) -> None:
        super().__init__()
        if image_size % evidence_grid:
            raise UnknownModel(
                f"sae: image size {image_size} / evidence grid {evidence_grid} must divide without remainder",
                hint="change image_size or [model] in the recipe",
            )
        self.image_size = image_size
        self.cell = image_size // evidence_grid
        self.feature_dim = widths[-1]
        sizes = [(image_size**2, widths[0]), *itertools.pairwise(widths)]
        encoders = [nn.Linear(inputs, outputs) for inputs, outputs in sizes]
        for encoder in encoders:
            nn.init.kaiming_normal_(encoder.weight, nonlinearity="relu")
            nn.init.zeros_(encoder.bias)
        self.encoders = nn.ModuleList(encoders)
        self.decoders = nn.ModuleList(nn.Linear(outputs, inputs) for inputs, outputs in sizes)
        self.classifier = nn.Linear(self.feature_dim, num_classes)

    def encode(self, pixel_values: Tensor) -> list[Tensor]:
        """Return the grey pixels, (B, H*W), and the output of every layer, (B, width), for (B, 3, H, W)."""
        outputs = [standardize(pixel_values).mean(dim=1).flatten(1)]
        for encoder in self.encoders:
            outputs.append(F.relu(encoder(outputs[-1])))
        return outputs

    def reconstruction_loss(self, pixel_values: Tensor, layer: int) -> Tensor:
        """Return ``reconstruction_error`` of one layer; the layers before get no gradient."""
        return reconstruction_error(*self.rebuilt(pixel_values, layer))

    def rebuilt(self, pixel_values: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Return what one layer's decoder makes of the layer's input, and that input, both float32, (B, inputs)."""
        with torch.no_grad():
            given = self.encode(pixel_values)[layer].float()
        return self.decoders[layer](F.relu(self.encoders[layer](given))).float(), given

    def reconstruct(self, pixel_values: Tensor, depth: int) -> Tensor:
        """Return images rebuilt from the output of layer ``depth``, 1 being the first: (B, H, W), standardized grey."""
        rebuilt = self.encode(pixel_values)[depth]
        for layer in reversed(range(depth)):
            rebuilt = self.decoders[layer](rebuilt)
        return rebuilt.view(-1, self.image_size, self.image_size)

    def forward_features(self, pixel_values: Tensor) -> Tensor:
        """Return the code as a feature map of one place, (B, dim, 1, 1), for pixel_values (B, 3, H, W)."""
        return self.encode(pixel_values)[-1][:, :, None, None]

    def forward_head(self, features: Tensor) -> ClassifierOutput:
        """Classify a code (B, dim, 1, 1); without the pixels, all evidence is in one place."""
        code = features.flatten(1)
        logits = self.classifier(code)
        return ClassifierOutput(logits=logits, embeddings=code, evidence=logits[:, :, None, None])

    def forward(self, pixel_values: Tensor) -> ClassifierOutput:
        """Classify pixel_values: float, (B, 3, H, W)."""
        outputs = self.encode(pixel_values)
        logits = self.classifier(outputs[-1])
        # How each logit rises with each value of the code, (1, classes, dim); then with each input of a layer.
        slopes = self.classifier.weight[None]
        for encoder, output in zip(reversed(self.encoders), reversed(outputs[1:]), strict=True):
            active = (output > 0)[:, None].to(slopes.dtype)
            weight = encoder.get_parameter("weight")
            slopes = F.linear(slopes * active, weight.T)  # (B, classes, inputs)
        shares = slopes * outputs[0][:, None]  # (B, classes, H*W)
        image = shares.view(*shares.shape[:2], self.image_size, self.image_size)
        evidence = F.avg_pool2d(image, self.cell) * self.image_size**2
        rest = logits - evidence.mean(dim=3).mean(dim=2)  # what the biases add, spread evenly
        return ClassifierOutput(
            logits=logits, embeddings=outputs[-1], evidence=evidence + rest[:, :, None, None]
        )


def reconstruction_error(rebuilt: Tensor, given: Tensor) -> Tensor:
    """Return the mean squared error of (B, inputs), relative to the variance of what is rebuilt.

    0 is perfect, 1 is no better than the mean of each image's values.
    """
    spread = given.var(dim=1, unbiased=False).mean() + 1e-6
    return F.mse_loss(rebuilt, given) / spread


def sae(
    num_classes: int,
    image_size: int,
    *,
    widths: Sequence[int] = (768, 384, 192),
    evidence_grid: int = 8,
) -> StackedAutoencoder:
    """Build the stacked autoencoder; 3.5 M encoder parameters at 64 px. Arguments as of ``StackedAutoencoder``."""
    return StackedAutoencoder(
        num_classes, image_size=image_size, widths=tuple(widths), evidence_grid=evidence_grid
    )
