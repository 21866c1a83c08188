"""Test images with the model's answers and evidence: random ones, and its most confident mistakes."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import DataRefused
from edge_infer.heatmap import draw_evidence
from edge_infer.image_file import open_source
from edge_infer.prediction import softmax
from edge_infer.preprocessing import resize_grey, to_pixel_values
from train.data.samples import Sample
from train.evaluation.answers import Answers
from train.report.runs import RunFacts

__all__ = [
    "DRAW_SEED",
    "MISTAKES",
    "PER_CLASS",
    "Scan",
    "ScanGrids",
    "confident_mistakes",
    "draw_scans",
    "per_class",
    "random_rows",
]

#: Random seed of the draw. Runs evaluated on the same images show the same ones.
DRAW_SEED = 0
PER_CLASS = 4
#: Of many classes each has fewer scans, at least one, so that a page can still be opened.
_ALL = 60
MISTAKES = 8

_SIDE, _GAP = 200, 4
#: predictions.csv has six digits, and machines may differ in the fourth. A larger difference means another model.
_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One scan of a grid.

    Attributes:
        name: Name of the image in its data set.
        true: Its class.
        predicted: What the model answered.
        score: The probability of that answer.
        file: PNG beside the report: the scan, and next to it the scan with the evidence for the answer.
    """

    name: str
    true: str
    predicted: str
    score: float
    file: str

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.true == self.predicted


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanGrids:
    """The scans shown of one run.

    Attributes:
        drawn: ``per_class`` of each true class, drawn at random.
        mistakes: The ``MISTAKES`` wrong answers with the highest score, highest first.
        wrong: How many wrong answers there are.
        of: How many answers there are.
        has_places: Whether the model's evidence has more than one place.
    """

    drawn: tuple[Scan, ...]
    mistakes: tuple[Scan, ...]
    wrong: int
    of: int
    has_places: bool


def draw_scans(run: RunFacts, samples: Mapping[str, Sample], folder: Path) -> ScanGrids:
    """Choose images of the test part, run the model on them and draw its evidence.

    Args:
        run: Evaluated on its test part.
        samples: The data set it was trained on, by name.
        folder: Gets the PNGs.

    Raises:
        DataRefused: The evaluation is of other images or another model.
        InputError: An image cannot be read.
    """
    if run.test is None:
        raise ValueError(f"run {run.name} has no evaluation of its test part")
    names = run.test.classes.names
    drawn, mistakes = random_rows(run.test), confident_mistakes(run.test)
    rows = list(dict.fromkeys([*drawn, *mistakes]))
    images = [_image(samples, run.test.names[row]) for row in rows]
    evidence = _evidence(run, images, run.test.probabilities[rows])
    scans: dict[int, Scan] = {}
    for row, image, of_image in zip(rows, images, evidence, strict=True):
        scans[row] = Scan(
            name=run.test.names[row],
            true=names[run.test.labels[row]],
            predicted=names[run.test.predicted[row]],
            score=float(run.test.probabilities[row].max()),
            file=f"run-{run.number}-scan-{len(scans) + 1:02d}.png",
        )
        _write(_tiles(image, of_image, int(run.test.predicted[row])), folder / scans[row].file)
    return ScanGrids(
        drawn=tuple(scans[row] for row in drawn),
        mistakes=tuple(scans[row] for row in mistakes),
        wrong=int((run.test.predicted != run.test.labels).sum()),
        of=len(run.test.labels),
        has_places=evidence.shape[2:] != (1, 1),
    )


def per_class(classes: int) -> int:
    """Return how many scans of each of so many classes are drawn."""
    return max(1, min(PER_CLASS, _ALL // classes))


def random_rows(answers: Answers) -> list[int]:
    """Draw ``per_class`` rows of each true class, independent of the answers."""
    generator = np.random.default_rng(DRAW_SEED)
    by_name = sorted(range(len(answers.names)), key=lambda row: answers.names[row])
    rows: list[int] = []
    for index in range(len(answers.classes)):
        of_class = [row for row in by_name if answers.labels[row] == index]
        places = generator.permutation(len(of_class))[: per_class(len(answers.classes))]
        rows += [of_class[place] for place in sorted(places)]
    return rows


def confident_mistakes(answers: Answers) -> list[int]:
    """Return the ``MISTAKES`` rows with the most confident wrong answers, most confident first."""
    wrong = np.flatnonzero(answers.predicted != answers.labels)
    scores = answers.probabilities[wrong].max(axis=1)
    return [int(row) for row in wrong[np.argsort(-scores, kind="stable")][:MISTAKES]]


def _image(samples: Mapping[str, Sample], name: str) -> Image.Image:
    if name not in samples:
        raise DataRefused(
            f"{name}: was evaluated but is not in the data set",
            hint="evaluate the run again on the given data set",
        )
    return open_source(samples[name].source).image


def _evidence(
    run: RunFacts, images: Sequence[Image.Image], expected: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the evidence, (N, classes, h, w); refuse a model that no longer answers as evaluated."""
    config = run.checkpoint.preprocessor
    grey = np.stack([resize_grey(image, config) for image in images])
    with torch.inference_mode():
        output = run.checkpoint.model(torch.from_numpy(to_pixel_values(grey, config)))
    given = softmax(output.logits.numpy())
    if float(np.abs(given - expected).max()) > _TOLERANCE:
        raise DataRefused(
            f"run {run.name}: its checkpoint does not give the answers of predictions.csv",
            hint="evaluate the run again: brain-train evaluate RUN/checkpoint --output RUN/evaluation/test",
        )
    return np.asarray(output.evidence.numpy())


def _tiles(image: Image.Image, evidence: NDArray[np.float32], predicted: int) -> Image.Image:
    """Put the scan and, if the evidence has several places, the scan with its evidence side by side."""
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    tiles = [image.resize(size, Image.Resampling.BICUBIC).convert("RGB")]
    if evidence.shape[1:] != (1, 1):
        tiles.append(draw_evidence(image, evidence, predicted, size))
    result = Image.new("RGB", (len(tiles) * (_SIDE + _GAP) - _GAP, _SIDE))
    for number, tile in enumerate(tiles):
        left = number * (_SIDE + _GAP)
        result.paste(tile, (left + (_SIDE - tile.width) // 2, (_SIDE - tile.height) // 2))
    return result


def _write(image: Image.Image, path: Path) -> None:
    buffer = io.BytesIO()
    # 256 colours are enough for a grey ramp and two hues, and halve the file.
    image.quantize(256).save(buffer, format="PNG", optimize=True)
    write_bytes_atomically(path, buffer.getvalue())
