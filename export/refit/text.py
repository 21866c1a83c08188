"""What a refit changed, as a table for people."""

from collections.abc import Sequence
from typing import Any

from edge_infer.bundle import Bundle

__all__ = ["refit_text"]


def refit_text(old: Bundle, new: Bundle) -> str:
    """Render what is different between two bundles, and how many images the figures come from."""
    record = new.manifest["provenance"]["refits"][-1]
    rows = [("", "before", "after")]
    labels = old.labels
    names = (*_FIRST, *(f"set threshold {label}" for label in labels), _LAST)
    befores, afters = _figures(old.manifest, labels), _figures(new.manifest, labels)
    rows += [
        (name, _number(before), _number(after))
        for name, before, after in zip(names, befores, afters, strict=True)
    ]
    if "in_scope_after" in record:
        rows.append(
            (
                "these images in scope",
                f"{100 * record['in_scope_before']:.1f} %",
                f"{100 * record['in_scope_after']:.1f} %",
            )
        )
    width = max(_NAME_WIDTH, *(len(name) + 1 for name, _, _ in rows))
    lines = [f"{name:<{width}}{before:>10}{after:>10}" for name, before, after in rows]
    lines.append(f"fitted on {record['n']} images")
    if record["labelled"]:
        lines.append(
            f"answers on them: {100 * record['accuracy']:.1f} % right, {record['mean_set_size']:.2f} classes in a set "
            "on average (fitted on the same images: test on others)"
        )
    lines.append(f"bundle: {new.path}")
    return "\n".join(lines)


_FIRST, _LAST = ("scope threshold", "temperature"), "least score"
#: Of the table's first column, in letters.
_NAME_WIDTH = 24


def _figures(manifest: dict[str, Any], labels: Sequence[str]) -> list[float | None]:
    trust = manifest.get("trust") or {}
    thresholds = trust.get("set_thresholds", {})
    return [
        (trust.get("scope") or {}).get("threshold"),
        manifest["calibration"]["temperature"],
        *(thresholds.get(label) for label in labels),
        trust.get("least_score"),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
