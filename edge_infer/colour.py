"""How much of an image has a colour of its own, measured before the image becomes grey.

Contours, arrows, masks and heat maps drawn over a scan, buttons of a viewer, and photographs have colours that differ
from place to place. A tint of the whole scan (sepia, blue film) follows its brightness, and does
not count; nor do false colours in which brighter stays brighter (hot, viridis). Others count: jet gives one brightness
two colours. The noise that JPEG leaves in the colours of a grey scan is too weak to count.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from edge_infer.grey import has_transparency, on_black

__all__ = ["coloured_share"]

#: A pixel has a colour of its own if red or blue minus green is this far from the mean of pixels as bright as it.
OWN_COLOUR = 48
_LINES = 24  # sampled rows, and as many columns: a thin box has sides that run along either
_LENGTH = 1024  # pixels of a line, at most: memory stays the same for any image
_STEPS = 16  # of brightness
_GREY = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})


def coloured_share(image: Image.Image) -> float:
    """Return which share of the sampled pixels has a colour of its own, 0..1.

    Args:
        image: Decoded, one frame, of any accepted mode; 0 for grey ones.
    """
    if image.mode in _GREY:
        return 0.0
    samples = [sample for sample in map(_opaque, _sampled(image)) if _may_have_own(sample)]
    if not samples:
        return 0.0
    pixels = np.concatenate([np.asarray(sample).reshape(-1, 3) for sample in samples])
    return _share(pixels.astype(np.int16))


def _sampled(image: Image.Image) -> Iterator[Image.Image]:
    width, height = image.size
    for size in (
        (min(width, _LENGTH), min(height, _LINES)),
        (min(width, _LINES), min(height, _LENGTH)),
    ):
        yield image.resize(size, Image.Resampling.NEAREST)


def _opaque(sample: Image.Image) -> Image.Image:
    if has_transparency(sample):
        return on_black(sample)
    return sample if sample.mode == "RGB" else sample.convert("RGB")


def _may_have_own(sample: Image.Image) -> bool:
    """Whether it is worth counting: what is grey, or nearly, cannot be far from a mean of the same."""
    red, green, blue = sample.split()
    furthest = ImageChops.lighter(
        ImageChops.difference(red, green), ImageChops.difference(blue, green)
    )
    return 2 * int(furthest.getextrema()[1]) > OWN_COLOUR  # type: ignore[arg-type]  # one band


def _share(pixels: NDArray[np.int16]) -> float:
    green = pixels[:, 1]
    step = pixels.sum(axis=1) // (3 * 256 // _STEPS)
    count = np.bincount(step, minlength=_STEPS).clip(1)
    has_own = np.zeros(len(pixels), dtype=bool)
    for channel in (0, 2):
        chroma = pixels[:, channel] - green
        mean = np.bincount(step, chroma, _STEPS) / count
        has_own |= np.abs(chroma - mean[step]) > OWN_COLOUR
    return float(has_own.mean())
