"""Small finished runs without training: random weights, a real evaluation, an invented history."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import save_checkpoint
from train.data.manifest_csv import manifest_hash
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample, classes_of
from train.evaluation.evaluate import evaluate
from train.evaluation.predictors import predictor
from train.models import create_model
from train.splits.sample_rows import part_rows

CONFIG = PreprocessorConfig(height=32, width=32)
RECIPE = {"name": "tiny", "seed": 7, "epochs": 2, "batch_size": 8}
#: A run's name that must stay text in HTML.
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)'
COMMAND = "brain-train --model cvt_test --data phantoms --recipe tiny.toml"


def make_run(
    run: Path,
    samples: Sequence[Sample],
    cache: Path,
    *,
    parts: Sequence[str] = ("val", "test"),
    seed: int = 7,
    **training: Any,
) -> Path:
    """Write the files of a finished run, without training."""
    asked = {
        "model": "cvt_test",
        "recipe": {**RECIPE, "seed": seed},
        "data_sha256": manifest_hash(samples),
        "weights": None,
        "teacher": None,
    }
    classes = classes_of(samples)
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps(asked))
    torch.manual_seed(seed)
    save_checkpoint(
        run / "checkpoint",
        name="cvt_test",
        model=create_model("cvt_test", len(classes)),
        classes=classes,
        preprocessor=CONFIG,
        training={**asked, "history": history(), **training},
    )
    predict = predictor(run / "checkpoint")
    for part in parts:
        rows = part_rows(samples, part, one_of_each_copy=True, all_classes=False)
        evaluate(
            predict,
            samples,
            PixelCache.build(samples, CONFIG, cache).pixels,
            rows,
            run / "evaluation" / part,
            title=f"cvt_test checkpoint on phantoms, {part} part",
            provenance={"command": COMMAND, "part": part},
        )
    return run


def history() -> list[dict[str, float]]:
    return [
        {"epoch": 1.0, "loss": 1.4},
        {"epoch": 1.0, "eval_loss": 1.3, "eval_accuracy": 0.5},
        {"epoch": 2.0, "loss": 1.1},
        {"epoch": 2.0, "eval_loss": 1.2, "eval_accuracy": 0.75},
    ]
