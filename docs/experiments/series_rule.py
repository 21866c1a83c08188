"""Measure the rule for series with each patient left out, for several lengths of a run.

    python docs/experiments/series_rule.py export/checkpoints/efficientnet-lite/volumes_out_of_fold.csv \
        --bundle edge_infer/shipped

Each patient's volumes are judged with thresholds fitted on the other patients, and the answers to its slices come from
a model that was trained without it. docs/series.md and docs/experiments.md hold the tables that it prints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from edge_infer.bundle import load_bundle, shipped_bundle_path
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.prediction import softmax
from edge_infer.series_rule import SeriesRule, read_series_rule
from export.trust.series_fit import LENGTH_MM, SLICES, SPACING_MM, fit_series_rule, score
from export.trust.volume_answers import Volume, read_volume_answers
from train.metrics.figures import GroupBootstrap, wilson_interval
from train.metrics.text import markdown
from train.volumes.separation import area

_HEALTHY = LABELS.index("no_tumor")


@dataclass(slots=True)
class Judged:
    """Volumes with a tumour, or without, and what the rule says of them."""

    patients: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    called: list[bool] = field(default_factory=list)
    abstained: list[bool] = field(default_factory=list)

    def add(self, volume: Volume, rule: SeriesRule) -> None:
        """Judge one volume."""
        found = score(volume, rule)
        self.patients.append(volume.patient)
        self.scores.append(0.0 if found is None else found)
        self.called.append(found is not None and found > rule.positive)
        self.abstained.append(found is None or rule.negative <= found <= rule.positive)


def share(flags: Sequence[bool], patients: Sequence[str]) -> str:
    """Return a share with the wider of Wilson's interval and the bootstrap's over patients."""
    values = np.array(flags, dtype=np.float64)
    drawn = GroupBootstrap(len(values), groups=patients)(lambda rows: float(values[rows].mean()))
    wilson = wilson_interval(int(values.sum()), len(values))
    low = min(end for end in (drawn.low, wilson.low) if end is not None)
    high = max(end for end in (drawn.high, wilson.high) if end is not None)
    return f"{int(values.sum())} of {len(values)}: {100 * values.mean():.1f} % ({100 * low:.1f}..{100 * high:.1f})"


def fitted(volumes: Sequence[Volume], temperature: float, slices: int) -> SeriesRule:
    """Fit a rule with runs of this many slices."""
    length = (slices - 1) * SPACING_MM - (SLICES - 1) * SPACING_MM + LENGTH_MM if slices > 1 else 0
    fields = fit_series_rule(
        volumes, temperature=temperature, source="folds", slices=slices, length_mm=length
    )
    rule = read_series_rule(fields)
    assert rule is not None  # noqa: S101 -- for the type checker
    return rule


def judged(
    volumes: Sequence[Volume], temperature: float, slices: int
) -> tuple[Judged, Judged, SeriesRule]:
    """Judge each patient by a rule fitted on the others; return those with tumour, without, and the rule of all."""
    ill, healthy = Judged(), Judged()
    for patient in sorted({volume.patient for volume in volumes}):
        others = [volume for volume in volumes if volume.patient != patient]
        rule = fitted(others, temperature, slices)
        for volume in volumes:
            if volume.patient == patient:
                healthy.add(volume.without_tumour(), rule)
                if volume.shows_tumour.any():
                    ill.add(volume, rule)
    return ill, healthy, fitted(volumes, temperature, slices)


def auroc(ill: Judged, healthy: Judged) -> str:
    """Return the area with its interval over patients."""
    tumour = np.array([True] * len(ill.scores) + [False] * len(healthy.scores))
    scores = np.array(ill.scores + healthy.scores)
    found = GroupBootstrap(len(tumour), groups=ill.patients + healthy.patients)(
        lambda rows: area(tumour[rows], scores[rows])
    )
    return f"{found.value:.3f} ({found.low:.3f}..{found.high:.3f})"


def slice_figures(volumes: Sequence[Volume], temperature: float) -> list[tuple[str, str]]:
    """Return what single slices say, for comparison."""
    patients = [volume.patient for volume in volumes for _ in volume.numbers]
    shows = np.concatenate([volume.shows_tumour for volume in volumes])
    logits = np.concatenate([volume.logits for volume in volumes])
    called = softmax(logits, temperature).argmax(axis=1) != _HEALTHY
    alarmed = [bool(called[rows].any()) for rows in _healthy_rows(volumes)]
    names = [volume.patient for volume in volumes]
    return [
        (
            "tumour slices called a tumour",
            share(called[shows].tolist(), _only(patients, shows)),
        ),
        (
            "tumour-free slices called a tumour",
            share(called[~shows].tolist(), _only(patients, ~shows)),
        ),
        ("tumour-free volumes with such a slice (any slice)", share(alarmed, names)),
    ]


def _healthy_rows(volumes: Sequence[Volume]) -> list[list[int]]:
    rows, start = [], 0
    for volume in volumes:
        rows.append((start + np.flatnonzero(~volume.shows_tumour)).tolist())
        start += len(volume.numbers)
    return rows


def _only(patients: Sequence[str], kept: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> list[str]:
    return [patient for patient, is_kept in zip(patients, kept.tolist(), strict=True) if is_kept]


@click.command()
@click.argument("answers", type=click.Path(path_type=Path))
@click.option(
    "--bundle", type=click.Path(path_type=Path), help="Whose temperature; default: the shipped one."
)
def main(answers: Path, bundle: Path | None) -> None:
    """Print the tables."""
    volumes = read_volume_answers(answers).volumes
    shipped = load_bundle(bundle or shipped_bundle_path())
    temperature = shipped.temperature
    print(f"{len(volumes)} volumes of {len({volume.patient for volume in volumes})} patients\n")
    singles = [["single slices", "share (95 %)"], *map(list, slice_figures(volumes, temperature))]
    print("\n".join(markdown(singles)))
    rows = [
        [
            "run",
            "AUROC",
            "found",
            "abstains, tumour",
            "false alarms",
            "abstains, no tumour",
            "thresholds",
        ]
    ]
    for slices in (1, 2, 3, 4, 5):
        ill, healthy, rule = judged(volumes, temperature, slices)
        rows.append(
            [
                f"{slices} slices" if slices != SLICES else f"**{slices} slices**",
                auroc(ill, healthy),
                share(ill.called, ill.patients),
                share(ill.abstained, ill.patients),
                share(healthy.called, healthy.patients),
                share(healthy.abstained, healthy.patients),
                f"{rule.negative:.3f}, {rule.positive:.3f}",
            ]
        )
    print("\n".join(markdown(rows)))
    print(RESEARCH_USE_ONLY)


if __name__ == "__main__":
    main()
