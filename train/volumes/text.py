"""The figures of each source as rows of tables."""

from collections.abc import Mapping
from typing import Any

from edge_infer.names import counted, shown_name
from train.metrics.text import aligned, percent
from train.volumes.cues import CUES

__all__ = ["answer_lines", "separation_rows", "source_heading", "volumes_notes", "volumes_text"]

#: What a coin would reach at 90 % specificity, and at 90 % sensitivity.
_CHANCE = ("chance", "0.500", "0.500", "10.0 %", "90.0 %")


def volumes_text(result: Mapping[str, Any]) -> str:
    """Render the result of ``train.volumes.report`` for the terminal."""
    lines = [result["title"]]
    for name, figures in result["sources"].items():
        lines += ["", f"  {source_heading(name, figures)}"]
        if "model" in figures:
            lines += aligned(separation_rows(figures, result["working_point"]))
        lines += [f"  {line}" for line in answer_lines(figures)]
    healthy = result["healthy_sources"]
    if healthy:
        name = f"the {healthy['sources']} sources without tumours together"
        lines += ["", f"  {source_heading(name, healthy)}"]
        lines += [f"  {line}" for line in answer_lines(healthy)]
    return "\n".join([*lines, "", *(f"  {note}" for note in volumes_notes())])


def source_heading(name: str, figures: Mapping[str, Any]) -> str:
    """Name a source, and say how much there is of it."""
    volumes = counted(figures["volumes"], "volume") if figures["volumes"] else "volumes unknown"
    return (
        f"{shown_name(name)}: {figures['tumours']} slices with tumour, {figures['without_tumour']} without, "
        f"{counted(figures['patients'], 'patient')}, {volumes}"
    )


def separation_rows(figures: Mapping[str, Any], working_point: float) -> list[tuple[str, ...]]:
    """Return how well the model, each cue and chance separate; the first row is the head."""
    at = f"{100 * working_point:.0f} %"
    model = figures["model"]
    inside = model.get("within_volumes")
    mixed = f" ({inside['volumes']} hold both)" if inside else ""
    rows: list[tuple[str, ...]] = [
        (
            "score",
            "AUROC, all slices",
            f"AUROC inside volumes{mixed}",
            f"sensitivity at {at} specificity",
            f"false alarms at {at} sensitivity",
        )
    ]
    for name, its in {"model": model, **figures["baselines"]}.items():
        rows.append(
            (
                CUES.get(name, name),
                _area(its["roc_auc"]),
                _area(its["within_volumes"]) if "within_volumes" in its else "-",
                percent(its["sensitivity"], 1),
                percent(its["false_alarms"], 1),
            )
        )
    return [*rows, _CHANCE]


def answer_lines(figures: Mapping[str, Any]) -> list[str]:
    """Say what is answered on slices with and without a tumour."""
    shares = {
        "slices without tumour called no_tumor": figures["without_tumour_called_no_tumor"],
        "tumours called no_tumor": figures["tumour_called_no_tumor"],
        **{f"recall {name}": its for name, its in figures["recall"].items()},
    }
    return [
        f"{name}: {_wider(its)}, n {its['by_slice']['n']}"
        for name, its in shares.items()
        if its["by_slice"]["n"]
    ]


def volumes_notes() -> list[str]:
    """Explain the columns."""
    return [
        (
            "AUROC: how often a slice with tumour gets a higher 1 - p(no_tumor) than one without; inside volumes: "
            "both from one volume, mean over the volumes. Only there can the sequence not tell."
        ),
        (
            "Scores below the model's use no model; each is turned to where it separates these slices. Intervals: "
            "bootstrap over patients; of shares of answers, the wider of it and Wilson's over slices."
        ),
    ]


def _area(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    return f"{figure['value']:.3f} ({figure['low']:.2f}..{figure['high']:.2f})"


def _wider(share: Mapping[str, Any]) -> str:
    """Render a share with the wider of its intervals: the patients' has no width where all slices are alike."""
    by_slice, by_patient = share["by_slice"], share["by_patient"]
    given = [it for it in (by_slice, by_patient) if it["value"] is not None]
    widest = max(given, key=lambda it: float(it["high"] - it["low"]))
    return percent(widest, 1)
