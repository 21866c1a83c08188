"""Write docs/results.md from the evaluations in docs/results/: no figure there is typed by hand.

    python docs/make_results.py

Each file is a metrics.json of ``brain-train evaluate``; its command stands under its table.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from export.model_card import measured
from train.metrics.text import markdown, percent

__all__ = ["FOLDER", "PAGE", "render", "results"]

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "results.md"
FOLDER = DOCS / "results"

_HEADER = f"""# Measured

<!-- Written by docs/make_results.py; do not edit. -->

{RESEARCH_USE_ONLY}

Shares carry Wilson's 95 % interval, other figures a bootstrap over patient groups. The baselines need no learning: the
label of the nearest training thumbnail (32 x 32), and a table of width, height and mode. Nothing was chosen on a test
part. Commands stand as they were run; what was `edge_infer/bundle` then is `edge_infer/shipped` now.
"""


def results() -> dict[str, dict[str, Any]]:
    """Read the published evaluations by file name."""
    return {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.glob("*.metrics.json"))
    }


def render() -> str:
    """Render the page: one line for each evaluation, then each of them in full."""
    evaluations = results()
    return "\n".join([_HEADER, _summary(evaluations), measured(evaluations)])


def _summary(evaluations: Mapping[str, Mapping[str, Any]]) -> str:
    rows: list[tuple[str, ...]] = [
        (
            "what",
            "n",
            "accuracy (95 % interval)",
            "macro F1",
            "least recall",
            "tumour called no_tumor",
        )
    ]
    for entry in evaluations.values():
        model = entry["model"]
        recalls = {name: figures["recall"] for name, figures in model["per_class"].items()}
        known = {name: recall for name, recall in recalls.items() if recall["value"] is not None}
        worst = min(known, key=lambda name: known[name]["value"])
        rows.append(
            (
                entry["title"],
                str(model["accuracy"]["n"]),
                percent(model["accuracy"], 1),
                percent(model["macro_f1"], 1),
                f"{worst} {percent(known[worst], 1)}",
                percent(model["tumor_called_no_tumor"]),
            )
        )
    return "\n".join(markdown(rows))


if __name__ == "__main__":
    write_bytes_atomically(PAGE, render().encode())
