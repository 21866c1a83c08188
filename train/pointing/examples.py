"""Which images of the pointing game are drawn: random ones, so that none is hand-picked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.data.samples import Sample, classes_of
from train.plots.pointing import Example, plot_pointing
from train.pointing.game import Pointed

__all__ = ["draw_examples"]

_EACH = 6


def draw_examples(
    found: Sequence[Pointed],
    maps: Sequence[NDArray[np.float32]],
    samples: Sequence[Sample],
    pixels: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    path: Path,
    *,
    title: str,
    seed: int = 0,
) -> None:
    """Draw six hits and six misses of the answers' evidence.

    Args:
        found: From ``train.pointing.game.point``.
        maps: From ``train.pointing.game.point``.
        samples: All of the data set.
        pixels: uint8, (len(samples), H, W).
        masks: uint8, (len(samples), H, W).
        path: PNG to write.
        title: Names model and data.
        seed: Of the draw.
    """
    generator = np.random.default_rng(seed)

    def drawn(*, hit: bool) -> list[Example]:
        numbers = [number for number, it in enumerate(found) if it.hit_answer == hit]
        chosen = sorted(generator.permutation(numbers)[:_EACH].tolist())
        return [
            Example(
                name=samples[found[number].row].name,
                grey=np.asarray(pixels[found[number].row]),
                inside=masks[found[number].row] > 0,
                evidence=maps[number],
                answer=found[number].answer,
                label=found[number].label,
                peak=found[number].peak_answer,
            )
            for number in chosen
        ]

    hits = sum(it.hit_answer for it in found)
    shown = f"{title}: {hits} of {len(found)} hit; drawn at random, seed {seed}"
    plot_pointing(drawn(hit=True), drawn(hit=False), classes_of(samples).names, shown, path)
