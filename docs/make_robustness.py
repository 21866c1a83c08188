"""Write docs/robustness.md from the results in docs/robustness/: no figure there is typed by hand.

    python docs/make_robustness.py

Each file is a robustness.json of ``brain-train robustness``, a pointing.json of ``brain-train pointing``, a
volumes.json of ``brain-train volumes`` or the JSON of ``brain-train folds summary``; its command stands above its
tables.
"""

import json
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import RESEARCH_USE_ONLY
from train.evaluation.fold_summary import fold_summary_rows
from train.metrics.text import markdown
from train.pointing.text import pointing_notes, pointing_rows
from train.robustness.text import (
    grid_heading,
    grids,
    neutralised_rows,
    robustness_grid,
    robustness_summary,
)
from train.volumes.text import answer_lines, separation_rows, source_heading

__all__ = ["FOLDER", "PAGE", "render", "results"]

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "robustness.md"
FOLDER = DOCS / "robustness"

_HEADER = f"""# Robustness

<!-- Written by docs/make_robustness.py; do not edit. -->

{RESEARCH_USE_ONLY}

How much accuracy is left when images are worse or have lost cues, and whether a model looks at the tumour. The images
are those of the test part, patients disjoint from training, one of each copy, no label conflicts. Shares carry
Wilson's 95 % interval, other figures a bootstrap over patient groups. Nothing was chosen on these images.
Commands stand as they were run; what was `edge_infer/bundle` then is `edge_infer/shipped` now.

- **Corruptions**: `train/corruption/corruptions.py` names the kinds and their strengths. The first severity is hardly
  visible, the fifth is the worst that a reader would still accept.
- **Cues taken away** (`train/corruption/neutralised.py`): without `extent`, every head is cut out and stretched over
  the image, so that its size, shape and position say nothing; without `rim`, every image has the same black frame;
  without `orientation`, each is turned and mirrored at random; without `intensity`, every head has the same
  distribution of greys; `all` is all of it. `change` is paired with the unchanged images. It is an upper bound on
  what a cue was worth: images of a kind that training never showed cost accuracy too. Beside it is the nearest
  training thumbnail, whose training images lose the cue as well.
- **Pointing game** (Zhang et al. 2016, arXiv 1608.00507): whether the largest evidence lies inside the outline of the
  tumour.
- **Same volumes** ([volumes.md](volumes.md)): slices with and without tumour of one volume, which the sequence cannot
  tell apart, and healthy heads of other sequences. Intervals by patient; of shares, the wider of it and Wilson's.
  Unlike the test part, these slices helped to choose head and recipe ([experiments](experiments.md)).
"""

_NONE_YET = (
    "No result has been published yet. To make one: `brain-train robustness`, `brain-train pointing`, see "
    "[the commands](cli.md).\n"
)


def results() -> dict[str, dict[str, Any]]:
    """Read the published results by file name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.glob("*.json"))
    }


def render() -> str:
    """Render the page."""
    found = results()
    if not found:
        return f"{_HEADER}\n{_NONE_YET}"
    sections = {
        "robustness": _robustness,
        "pointing": _pointing,
        "volumes": _volumes,
        "folds": _folds,
    }
    return "\n".join([_HEADER, *(sections[it["kind"]](it) for it in found.values())])


def _robustness(table: dict[str, Any]) -> str:
    if not table["complete"]:
        raise ValueError(f"{table['title']}: the table is not complete")
    lines = [
        f"## Worse images: {table['title']}\n",
        f"`{table['provenance']['command']}`\n",
        *(f"- {line}." for line in robustness_summary(table)),
        "",
    ]
    for figure in grids(table):
        lines.append(f"### {grid_heading(table, figure)}\n")
        lines += markdown(robustness_grid(table, figure))
    lines.append(f"### Cues taken away, n {table['n']}\n")
    lines += markdown(neutralised_rows(table))
    return "\n".join(lines)


def _pointing(result: dict[str, Any]) -> str:
    return "\n".join(
        [
            f"## Pointing game: {result['title']}\n",
            f"`{result['provenance']['command']}`\n",
            *markdown(pointing_rows(result)),
            *(f"- {note}" for note in pointing_notes(result)),
            "",
        ]
    )


def _volumes(result: dict[str, Any]) -> str:
    lines = [f"## Same volumes: {result['title']}\n", f"`{result['provenance']['command']}`\n"]
    for name, figures in result["sources"].items():
        lines.append(f"### {source_heading(name, figures)}\n")
        if "model" in figures:
            lines += markdown(separation_rows(figures, result["working_point"]))
        lines += [*(f"- {line}" for line in answer_lines(figures)), ""]
    healthy = result["healthy_sources"]
    if healthy:
        lines.append(f"### {source_heading('All of these together', healthy)}\n")
        lines += [*(f"- {line}" for line in answer_lines(healthy)), ""]
    return "\n".join(lines)


def _folds(summary: dict[str, Any]) -> str:
    return "\n".join(
        [
            f"## {len(summary['n'])} folds by patient group: {summary['titles'][0].split()[0]}\n",
            *(
                f"- {title}, accuracy {100 * accuracy:.2f} %, n {n}: `{command}`"
                for title, accuracy, n, command in zip(
                    summary["titles"],
                    summary["over_folds"]["accuracy"]["values"],
                    summary["n"],
                    summary["commands"],
                    strict=True,
                )
            ),
            "",
            *markdown(fold_summary_rows(summary)),
        ]
    )


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write_bytes_atomically(PAGE, render().encode())
