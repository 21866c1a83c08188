"""The plots and tables of a finished training run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from train.checkpoint import load_checkpoint
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample
from train.evaluation.evaluate import evaluate, summary
from train.evaluation.predictors import predictor
from train.evaluation.reconstructions import plot_reconstructions
from train.models.sae import StackedAutoencoder
from train.plots import plot_curve
from train.plots.history import class_history
from train.run_folder import CHECKPOINT
from train.splits.sample_rows import part_rows

__all__ = ["write_run_report"]


def write_run_report(
    checkpoint: Path,
    samples: Sequence[Sample],
    cache_folder: Path,
    *,
    command: str,
    parts: Sequence[str] = ("val", "test"),
) -> str:
    """Draw the curve and evaluate on parts of the data set, with one of each copy.

    Args:
        checkpoint: The run's finished checkpoint.
        samples: The data set it was trained on.
        cache_folder: Where decoded images are kept.
        command: How the run was started.
        parts: Parts to evaluate on; leave the test part out while choosing between experiments.

    Returns:
        The tables, for the terminal.
    """
    run = checkpoint.parent
    loaded = load_checkpoint(checkpoint)
    plot_curve(
        class_history(loaded.training["history"]),
        f"{loaded.name}, {loaded.training['recipe']['name']}",
        run / "curve.png",
    )
    predict = predictor(checkpoint)
    pixels = PixelCache.build(samples, predict.preprocessor, cache_folder).pixels
    # Fine-tuning changes the encoders but not their decoders; the phase before has matching ones.
    layers = run / "classifier" / CHECKPOINT
    before = load_checkpoint(layers).model if layers.is_dir() else None
    if isinstance(before, StackedAutoencoder):
        shown = _first_of_each_class(samples)
        plot_reconstructions(
            before,
            np.asarray(pixels[shown]),
            [samples[row].class_name for row in shown],
            loaded.preprocessor,
            run / "reconstructions.png",
        )
    tables: list[str] = []
    for part in parts:
        rows = part_rows(samples, part, one_of_each_copy=True, all_classes=False)
        if rows:
            metrics = evaluate(
                predict,
                samples,
                pixels,
                rows,
                run / "evaluation" / part,
                title=f"{predict.name} on {loaded.training['data']}, {part} part",
                provenance={"command": command, "model": predict.identity, "part": part},
            )
            tables.append(summary(metrics))
    return "\n".join(tables)


def _first_of_each_class(samples: Sequence[Sample]) -> list[int]:
    rows = part_rows(samples, "val")
    return list({samples[row].label: row for row in reversed(rows)}.values())[::-1]
