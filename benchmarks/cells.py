"""Figures as short texts, the same in the terminal, on the page and in the documents."""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "NONE",
    "QUALITY_HEADINGS",
    "TIMING_HEADINGS",
    "quality_cells",
    "timing_cells",
    "with_interval",
]

NONE = "-"

TIMING_HEADINGS = (
    "engine",
    "p50 ms (95 %)",
    "p90",
    "p99",
    "file to JSON",
    "times torch (95 %)",
    "of peak",
    "images/s in batches",
)
QUALITY_HEADINGS = (
    "engine",
    "accuracy % (95 %)",
    "macro F1",
    "ECE",
    "agrees %",
    "flips",
    "file MB",
    "memory MB",
    "install MB",
)


def timing_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Render the timings in a row of ``comparison.rows``, one text for each heading."""
    if row["missing"]:
        return (row["name"], f"missing: {row['missing']}", *[""] * (len(TIMING_HEADINGS) - 2))
    model, whole = row["model_only"], row["end_to_end"]
    share = row["share_of_peak"]
    return (
        row["name"],
        f"{model['p50_ms']:.1f} ({model['p50_low_ms']:.1f}..{model['p50_high_ms']:.1f})",
        _percentile(model, "p90"),
        _percentile(model, "p99"),
        f"{whole['p50_ms']:.1f}",
        _times(row["faster_than_torch"]),
        NONE if share is None else f"{100 * share['at_median']:.0f} %",
        _throughput(row["throughput"]),
    )


def quality_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Render the answers and sizes in a row; only memory depends on the number of threads."""
    if row["missing"]:
        return (row["name"], f"missing: {row['missing']}", *[""] * (len(QUALITY_HEADINGS) - 2))
    found, same = row.get("accuracy", {}), row.get("against_torch", {})
    return (
        row["name"],
        with_interval(found.get("accuracy"), 100, 2),
        with_interval(found.get("macro_f1"), 1, 3),
        with_interval(found.get("ece"), 1, 3),
        with_interval(same.get("same_class"), 100, 2),
        str(same.get("tumor_to_no_tumor_flips", NONE)),
        _mega(row.get("model_bytes")),
        _mega(row["peak_memory_bytes"]),
        _mega(row.get("install_bytes")),
    )


def with_interval(figure: Mapping[str, Any] | None, factor: float, digits: int) -> str:
    """Render a figure with its interval."""
    if figure is None or figure["value"] is None:
        return NONE
    value, low, high = (factor * figure[key] for key in ("value", "low", "high"))
    return f"{value:.{digits}f} ({low:.{max(digits - 1, 1)}f}..{high:.{max(digits - 1, 1)}f})"


def _percentile(timing: Mapping[str, Any], name: str) -> str:
    """Render MLPerf's bound if there are enough queries, else the observed percentile, marked with ~."""
    bound = timing[f"{name}_early_stopping_ms"]
    return f"~{timing[f'{name}_ms']:.1f}" if bound is None else f"{bound:.1f}"


def _times(ratio: Mapping[str, Any] | None) -> str:
    if ratio is None:
        return NONE
    return f"{ratio['value']:.2f} ({ratio['low']:.2f}..{ratio['high']:.2f})"


def _throughput(by_size: Mapping[str, Any]) -> str:
    if not by_size:
        return NONE
    return ", ".join(f"{it['pictures_per_second']:.1f} at {size}" for size, it in by_size.items())


def _mega(size_bytes: int | None) -> str:
    return NONE if not size_bytes else f"{size_bytes / 1e6:.1f}"
