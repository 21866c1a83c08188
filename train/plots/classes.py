"""How many images of each class each part has."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from train.plots.canvas import class_style, drawn_name, new_figure, save_figure

__all__ = ["plot_class_counts"]

_HATCHES = ("", "//", "..", "xx")

#: Classes that a bar chart of the usual width can show, and whose counts and names can be read.
_WIDE, _READABLE = 6, 30


def plot_class_counts(counts: Mapping[str, Mapping[str, int]], title: str, path: Path) -> None:
    """Draw a group of bars for each part and a bar for each class, with the counts on them.

    Args:
        counts: Images by part and class.
        title: Names the data.
        path: PNG to write.
    """
    names = list(next(iter(counts.values()), {}))
    more = max(0, len(names) - _WIDE)
    figure, axes = new_figure(title, min(6.4 + 0.4 * more * len(counts) / 2, 30), 3.9)
    places = np.arange(len(counts))
    width = 0.8 / max(1, len(names))
    for index, name in enumerate(names):
        heights = [of_class.get(name, 0) for of_class in counts.values()]
        offset = (index - (len(names) - 1) / 2) * width
        bars = axes.bar(
            places + offset,
            heights,
            width * 0.94,
            color=class_style(index)[0],
            hatch=_HATCHES[index % len(_HATCHES)],
            edgecolor="white",
            linewidth=0,
            label=drawn_name(name),
        )
        if len(names) <= _READABLE:
            axes.bar_label(bars, fontsize=8, padding=1)
    axes.set_xticks(places)
    axes.set_xticklabels(
        [f"{part}\nn {sum(of_class.values())}" for part, of_class in counts.items()]
    )
    axes.set_ylabel("images")
    axes.margins(y=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    if len(names) <= _WIDE:
        axes.legend(frameon=False, fontsize=9)
    elif len(names) <= _READABLE:
        figure.legend(
            loc="outside right upper", frameon=False, fontsize=8, ncols=1 + len(names) // 16
        )
    save_figure(figure, path)
