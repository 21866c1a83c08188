"""Which slices are drawn: random ones, so that none is hand-picked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN
from edge_infer.image_file import read_image
from edge_infer.preprocessing import PreprocessorConfig
from train.data.tumour_masks import resize_mask
from train.plots.evidence import EvidenceExample, plot_evidence
from train.volumes.answers import SliceAnswers

__all__ = ["Chosen", "choose", "draw_examples"]

#: Turns grey images, uint8 (N, H, W), into logits (N, classes) and evidence (N, classes, h, w).
Explain = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float64], NDArray[np.float32]]]

_EACH = 10
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Rows to draw.

    Attributes:
        tumours: Slices with a tumour, of volumes that hold both.
        without: A slice without a tumour of the same volume, for each of them.
        others: Slices without a tumour of sources that have no volume with both, such as healthy heads.
    """

    tumours: tuple[int, ...]
    without: tuple[int, ...]
    others: tuple[int, ...]


def choose(answers: SliceAnswers, *, each: int = _EACH, seed: int = 0) -> Chosen:
    """Draw slices: first one of every volume, so that no patient fills the page.

    Args:
        answers: On all slices.
        each: How many of a kind, at most.
        seed: Of the draw.
    """
    generator = np.random.default_rng(seed)
    volumes: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
    for row, one in enumerate(answers.slices):
        if one.volume:
            volumes.setdefault((one.source, one.volume), ([], []))[one.shows_tumour].append(row)
    mixed = {name: kinds for name, kinds in volumes.items() if all(kinds)}
    pairs = [
        list(zip(_shuffled(tumours, generator), _shuffled(without, generator), strict=False))
        for without, tumours in _shuffled(list(mixed.values()), generator)
    ]
    drawn = _in_turn(pairs)[:each]
    sources: dict[str, list[int]] = {}
    for row, one in enumerate(answers.slices):
        if not one.shows_tumour and one.source not in {source for source, _ in mixed}:
            sources.setdefault(one.source, []).append(row)
    others = _in_turn([_shuffled(rows, generator) for rows in sources.values()])[:each]
    return Chosen(
        tumours=tuple(tumour for tumour, _ in drawn),
        without=tuple(without for _, without in drawn),
        others=tuple(others),
    )


def draw_examples(
    explain: Explain,
    answers: SliceAnswers,
    pixels: NDArray[np.uint8],
    preprocessor: PreprocessorConfig,
    path: Path,
    *,
    title: str,
    seed: int = 0,
) -> None:
    """Draw ten tumours, ten slices without of the same volumes, ten of other sources, each with its evidence.

    Args:
        explain: The model.
        answers: Its answers on all slices.
        pixels: uint8, (N, H, W).
        preprocessor: Size of the images, which masks are resized to.
        path: PNG to write.
        title: Names model and data.
        seed: Of the draw.
    """
    chosen = choose(answers, seed=seed)

    def examples(rows: Sequence[int]) -> list[EvidenceExample]:
        if not rows:
            return []
        grey = np.asarray(pixels[list(rows)])
        _, evidence = explain(grey)
        return [
            EvidenceExample(
                name=answers.slices[row].name,
                grey=grey[number],
                inside=_outline(answers.slices[row].mask, preprocessor),
                evidence=evidence[number],
                probabilities=answers.probabilities[row],
                label=answers.slices[row].label,
            )
            for number, row in enumerate(rows)
        ]

    plot_evidence(
        {
            "tumour": examples(chosen.tumours),
            "no tumour, same volume": examples(chosen.without),
            "no tumour, other source": examples(chosen.others),
        },
        BRAIN,
        f"{title}; drawn at random, seed {seed}",
        path,
    )


def _outline(mask: Path | None, preprocessor: PreprocessorConfig) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    return resize_mask(read_image(mask), preprocessor) > 0


def _shuffled(items: Sequence[_Item], generator: np.random.Generator) -> list[_Item]:
    return [items[number] for number in generator.permutation(len(items))]


def _in_turn(groups: Sequence[Sequence[_Item]]) -> list[_Item]:
    """Return the first of every group, then the second of every group, and so on."""
    rounds = range(max(map(len, groups), default=0))
    return [group[number] for number in rounds for group in groups if number < len(group)]
