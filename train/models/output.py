"""What every model returns, and the head whose evidence adds up to the logits."""

from typing import NamedTuple

from torch import Tensor, nn

__all__ = ["ClassifierOutput", "places_with_class_token", "standardize", "token_evidence"]


class ClassifierOutput(NamedTuple):
    """The outputs of a model, in the order of the exported graph.

    Attributes:
        logits: (B, classes).
        embeddings: (B, dim), the pooled features before the classifier.
        evidence: (B, classes, h, w); its mean over h and w is ``logits``.
        presence: (B, 1, rows, columns), the log-odds that a place shows tumour, where the head has such a map; for
            training, not exported.
    """

    logits: Tensor
    embeddings: Tensor
    evidence: Tensor
    presence: Tensor | None = None


def standardize(pixel_values: Tensor) -> Tensor:
    """Give each image zero mean and unit variance, inside the graph.

    MRI has no absolute intensity unit, so the scale of a scan is an accident of scanner and export. As part of
    the graph rather than of the preprocessing, it is the same in every runtime.

    Args:
        pixel_values: float, (B, 3, H, W).

    Returns:
        Same shape; mean 0 and standard deviation 1 over channels, rows and columns of each image.
    """
    centred = pixel_values - _mean_per_image(pixel_values)
    return centred / (_mean_per_image(centred * centred) + 1e-6).sqrt()


def _mean_per_image(values: Tensor) -> Tensor:
    """Return the mean of (B, C, H, W) as (B, 1, 1, 1), axis by axis.

    onnxruntime sums values one after the other in float32. For 50,000 values at once that loses four digits: the
    evidence differed from PyTorch's by 4e-3 (measured); in sums of a few hundred it differs by 1e-5.
    """
    return values.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True).mean(dim=1, keepdim=True)


def places_with_class_token(tokens: Tensor, grid: int) -> Tensor:
    """Add the class token to each patch token: its share is the same at every place, so the evidence stays exact.

    Args:
        tokens: (B, 1 + grid * grid, dim), the class token first.
        grid: Patches on a side.

    Returns:
        (B, dim, grid, grid).
    """
    places = tokens[:, 1:] + tokens[:, :1]
    # shape[0], not len(): len() is a plain number, which would fix the batch size of the exported graph.
    return places.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], grid, grid)


def token_evidence(features: Tensor, classifier: nn.Linear) -> ClassifierOutput:
    """Classify by the mean over places.

    A linear classifier of a mean is the mean of linear classifiers, so what a place adds to a class is exact, not
    estimated afterwards (the class activation map of Zhou et al. 2016, arXiv 1512.04150).

    Args:
        features: (B, dim, h, w).
        classifier: dim -> classes.
    """
    tokens = features.flatten(2).transpose(1, 2)  # (B, dim, h, w) -> (B, h*w, dim)
    per_token = classifier(tokens).transpose(1, 2)  # (B, classes, h*w)
    return ClassifierOutput(
        logits=per_token.mean(dim=2),
        embeddings=tokens.mean(dim=1),
        evidence=per_token.unflatten(2, features.shape[2:]),
    )
