"""Validation accuracy by epoch of the runs that docs/experiments.md names, and where it saturates.

    python docs/experiments/curves.py runs/*/checkpoint     # adds these runs to curves.json and draws curves.png
    python docs/experiments/curves.py                       # draws what curves.json holds

The product does not import this.
"""

import json
import sys
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from train.plots.epochs import RunCurves, plot_epochs

__all__ = ["IMAGE", "RESULT", "main"]

RESULT = Path(__file__).with_suffix(".json")
IMAGE = Path(__file__).with_suffix(".png")

_KEPT = ("epoch", "phase", "loss", "eval_accuracy", "eval_loss", "seconds")


def main(checkpoints: list[Path]) -> None:
    """Add runs and draw all."""
    runs: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for checkpoint in checkpoints:
        training = json.loads((checkpoint / "training.json").read_text(encoding="utf-8"))
        runs[checkpoint.parent.name] = [
            {key: entry[key] for key in _KEPT if key in entry} for entry in training["history"]
        ]
    text = json.dumps(dict(sorted(runs.items())), indent=1) + "\n"
    write_bytes_atomically(RESULT, text.encode())
    plot_epochs([RunCurves.of(name, history) for name, history in sorted(runs.items())], IMAGE)


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
