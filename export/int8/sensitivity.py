"""Which layers cost most accuracy when they are quantized, measured one group at a time on training images.

A group is one kind of layer in one stage, such as ``stage3.wide``. A CvT-13 has seventeen, few enough to try each.
"""

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray

from export.int8.layers import Format

__all__ = ["errors_by_group", "group_of", "mixed_formats", "rms_difference", "worst_groups"]

#: And sums of what convolutions give.
_CONVOLUTIONS = (
    "depthwise",
    "embedding",
    "conv1",
    "conv2",
    "shortcut",
    "expand",
    "project",
    "sum",
    "features",
)


def group_of(name: str) -> str:
    """Return the group of a layer by its name: ``stage3.block7.wide`` belongs to ``stage3.wide``."""
    without_block = re.sub(r"block\d+\.", "", name)
    return re.sub(r"attention\.(query|key|value)", "attention.qkv", without_block)


def errors_by_group(
    groups: Iterable[str],
    build: Callable[[Callable[[str], Format]], onnx.ModelProto],
    logits_of: Callable[[onnx.ModelProto], NDArray[np.float32]],
    reference: NDArray[np.float32],
    advance: Callable[[], None],
) -> dict[str, float]:
    """Quantize one group at a time.

    Args:
        groups: All groups.
        build: Makes a graph, given the number format of each layer by its name.
        logits_of: Returns a graph's logits of the images: float32, (N, classes).
        reference: Logits of the float graph, (N, classes).
        advance: Called after each group.

    Returns:
        The root mean square difference of the logits for each group.
    """
    errors: dict[str, float] = {}
    for group in groups:
        errors[group] = rms_difference(logits_of(build(_only(group))), reference)
        advance()
    return errors


def worst_groups(errors: Mapping[str, float], *, share: float) -> list[str]:
    """Return the fewest groups that cause this share of the squared error, the worst first."""
    total = sum(error**2 for error in errors.values())
    worst: list[str] = []
    for group in sorted(errors, key=errors.__getitem__, reverse=True):
        if sum(errors[name] ** 2 for name in worst) >= share * total:
            break
        worst.append(group)
    return worst


def _only(group: str) -> Callable[[str], Format]:
    return lambda name: "static" if group_of(name) == group else "float"


def mixed_formats(worst: list[str]) -> Callable[[str], Format]:
    """Make the worst groups not static: matrix products become dynamic, convolutions stay in float."""

    def format_of(name: str) -> Format:
        if group_of(name) not in worst:
            return "static"
        return "float" if name.endswith(_CONVOLUTIONS) else "dynamic"

    return format_of


def rms_difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the root mean square difference of two sets of logits."""
    return float(np.sqrt(np.mean((first - second) ** 2)))
