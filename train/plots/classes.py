"""How many images of each class each part has."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge_infer.contract import LABELS
from train.plots.canvas import CLASS_STYLES, new_figure, save_figure

__all__ = ["plot_class_counts"]

_HATCHES = ("", "//", "..", "xx")


def plot_class_counts(counts: Mapping[str, Mapping[str, int]], title: str, path: Path) -> None:
    """Draw a group of bars for each part and a bar for each class, with the counts on them.

    Args:
        counts: Images by part and class.
        title: Names the data.
        path: PNG to write.
    """
    figure, axes = new_figure(title, 6.4, 3.9)
    places = np.arange(len(counts))
    width = 0.8 / len(LABELS)
    for index, name in enumerate(LABELS):
        heights = [of_class.get(name, 0) for of_class in counts.values()]
        offset = (index - (len(LABELS) - 1) / 2) * width
        bars = axes.bar(
            places + offset,
            heights,
            width * 0.94,
            color=CLASS_STYLES[index][0],
            hatch=_HATCHES[index],
            edgecolor="white",
            linewidth=0,
            label=name,
        )
        axes.bar_label(bars, fontsize=8, padding=1)
    axes.set_xticks(places)
    axes.set_xticklabels(
        [f"{part}\nn {sum(of_class.values())}" for part, of_class in counts.items()]
    )
    axes.set_ylabel("images")
    axes.margins(y=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    save_figure(figure, path)
