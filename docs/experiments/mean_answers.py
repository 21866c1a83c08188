"""What models answer on the validation part: at other sizes, with the mirror image, and in the mean of all of them.

    python docs/experiments/mean_answers.py DATA MANIFEST DATASET CHECKPOINT...

One image of each copy. Says whether averaging answers helps without training, and so whether several teachers may
teach more than one (docs/experiments.md). The product does not import this.
"""

import dataclasses
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.prediction import softmax
from edge_infer.preprocessing import to_pixel_values
from train.checkpoint import Checkpoint, load_checkpoint
from train.data.layouts import load_samples
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample
from train.metrics.figures import wilson_interval
from train.metrics.text import percent
from train.splits.sample_rows import part_rows

__all__ = ["main", "probabilities"]

_BATCH = 32
_LARGER = (0, 16, 32)  # pixels more than in training


def probabilities(
    checkpoint: Checkpoint, samples: list[Sample], rows: list[int], *, more: int, mirrored: bool
) -> NDArray[np.float64]:
    """Return probabilities, (rows, classes), of images ``more`` pixels larger than in training."""
    learnt = checkpoint.preprocessor
    config = dataclasses.replace(learnt, height=learnt.height + more, width=learnt.width + more)
    grey = PixelCache.build(samples, config, Path("runs/cache")).pixels[rows]
    grey = grey[:, :, ::-1] if mirrored else grey
    with torch.inference_mode():
        logits = [
            checkpoint.model(
                torch.from_numpy(to_pixel_values(grey[start : start + _BATCH], config))
            ).logits.numpy()
            for start in range(0, len(rows), _BATCH)
        ]
    return softmax(np.concatenate(logits).astype(np.float64), 1.0)


def main(data: Path, manifest: Path, dataset: str, checkpoints: list[Path]) -> None:
    """Print the accuracies."""
    samples = load_samples(data, manifest=manifest, dataset=dataset, verify=False)
    rows = part_rows(samples, "val", one_of_each_copy=True)
    labels = np.array([samples[row].label for row in rows])

    def show(what: str, answers: NDArray[np.float64]) -> None:
        right = int((answers.argmax(axis=1) == labels).sum())
        print(f"{what}: {percent(asdict(wilson_interval(right, len(rows))), 1)}, n {len(rows)}")

    as_learnt = []
    for path in checkpoints:
        checkpoint = load_checkpoint(path)
        for more in _LARGER:
            plain, mirrored = (
                probabilities(checkpoint, samples, rows, more=more, mirrored=mirrored)
                for mirrored in (False, True)
            )
            size = checkpoint.preprocessor.height + more
            show(f"{path.parent.name} at {size} px", plain)
            show(
                f"{path.parent.name} at {size} px, mean with its mirror image",
                (plain + mirrored) / 2,
            )
            if not more:
                as_learnt.append(plain)
    show("mean of these models", np.mean(as_learnt, axis=0))
    print(RESEARCH_USE_ONLY)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], [Path(each) for each in sys.argv[4:]])
