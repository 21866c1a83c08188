"""What a refit changed, as a table for people."""

from typing import Any

from edge_infer.bundle import Bundle
from edge_infer.contract import LABELS

__all__ = ["refit_text"]


def refit_text(old: Bundle, new: Bundle) -> str:
    """Render what is different between two bundles, and how many images the figures come from."""
    record = new.manifest["provenance"]["refits"][-1]
    rows = [("", "before", "after")]
    rows += [
        (name, _number(before), _number(after))
        for name, before, after in zip(
            _NAMES, _figures(old.manifest), _figures(new.manifest), strict=True
        )
    ]
    if "in_scope_after" in record:
        rows.append(
            (
                "these images in scope",
                f"{100 * record['in_scope_before']:.1f} %",
                f"{100 * record['in_scope_after']:.1f} %",
            )
        )
    lines = [f"{name:<24}{before:>10}{after:>10}" for name, before, after in rows]
    lines.append(f"fitted on {record['n']} images")
    if record["labelled"]:
        lines.append(
            f"answers on them: {100 * record['accuracy']:.1f} % right, {record['mean_set_size']:.2f} classes in a set "
            "on average (fitted on the same images: test on others)"
        )
    lines.append(f"bundle: {new.path}")
    return "\n".join(lines)


_NAMES = (
    "scope threshold",
    "temperature",
    *(f"set threshold {label}" for label in LABELS),
    "least score",
)


def _figures(manifest: dict[str, Any]) -> list[float | None]:
    trust = manifest.get("trust") or {}
    thresholds = trust.get("set_thresholds", {})
    return [
        (trust.get("scope") or {}).get("threshold"),
        manifest["calibration"]["temperature"],
        *(thresholds.get(label) for label in LABELS),
        trust.get("least_score"),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
