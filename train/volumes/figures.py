"""The figures of one source: slices with a tumour against slices without, in all and inside each volume.

Slices of one patient are not independent, so intervals come from a bootstrap over patients. Shares also carry Wilson's
interval over slices, which has a width where the bootstrap has none, because all or no slices are right.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.contract import LABELS
from train.metrics.figures import GroupBootstrap, wilson_interval
from train.volumes.answers import SliceAnswers
from train.volumes.cues import direction
from train.volumes.separation import area, false_alarms_at, sensitivity_at
from train.volumes.slices import Slice

__all__ = ["WORKING_POINT", "VolumeArea", "source_figures", "volume_areas"]

#: The specificity at which sensitivity is given, and the sensitivity at which false alarms are.
WORKING_POINT = 0.9
_HEALTHY = LABELS.index("no_tumor")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeArea:
    """A volume that holds slices with and without a tumour.

    Attributes:
        volume: Its name.
        patient: Its patient.
        rows: Its slices.
        tumours: How many of them show a tumour.
        area: Area under the ROC curve of its slices.
    """

    volume: str
    patient: str
    rows: tuple[int, ...]
    tumours: int
    area: float

    @property
    def pairs(self) -> int:
        """How many pairs of a tumour and a slice without one it has."""
        return self.tumours * (len(self.rows) - self.tumours)


def volume_areas(
    slices: Sequence[Slice], tumour: NDArray[np.bool_], scores: NDArray[np.float64]
) -> list[VolumeArea]:
    """Return the area of each known volume that holds both, in the order of their first slices.

    Args:
        slices: N of one source.
        tumour: (N,), whether a slice shows one.
        scores: (N,), higher for a tumour.
    """
    members: dict[str, list[int]] = {}
    for row, one in enumerate(slices):
        if one.volume:
            members.setdefault(one.volume, []).append(row)
    areas = []
    for volume, rows in members.items():
        inside = area(tumour[rows], scores[rows])
        if inside is not None:
            areas.append(
                VolumeArea(
                    volume=volume,
                    patient=slices[rows[0]].patient,
                    rows=tuple(rows),
                    tumours=int(tumour[rows].sum()),
                    area=inside,
                )
            )
    return areas


def source_figures(
    answers: SliceAnswers, cues: dict[str, NDArray[np.float64]], *, seed: int = 0
) -> dict[str, Any]:
    """Compute what volumes.json holds of one source.

    Args:
        answers: On its slices.
        cues: Scores of the same slices without a model, (N,); one with a NaN is left out.
        seed: Of the bootstrap.

    Returns:
        Counts; shares of answers; and, where both kinds of slices occur, how well the model and each cue separate
        them (``model``, ``baselines``, and the model's area ``by_volume``).
    """
    tumour, labels, predicted = answers.tumour, answers.labels, answers.predicted
    patients = [one.patient for one in answers.slices]
    bootstrap = GroupBootstrap(len(labels), groups=patients, seed=seed)
    called_healthy = predicted == _HEALTHY
    figures: dict[str, Any] = {
        "n": len(labels),
        "tumours": int(tumour.sum()),
        "without_tumour": int((~tumour).sum()),
        "patients": len({name or row for row, name in enumerate(patients)}),
        "volumes": len({one.volume for one in answers.slices if one.volume}),
        "without_tumour_called_no_tumor": _share(called_healthy, ~tumour, bootstrap),
        "tumour_called_no_tumor": _share(called_healthy, tumour, bootstrap),
        "recall": {
            LABELS[label]: _share(predicted == label, labels == label, bootstrap)
            for label in sorted(set(labels[tumour].tolist()))
        },
    }
    if not figures["tumours"] or not figures["without_tumour"]:
        return figures
    baselines = {}
    for name, scores in cues.items():
        if not np.isnan(scores).any():
            sign = direction(tumour, scores)
            its = _separation(answers, tumour, sign * scores, bootstrap, seed)
            baselines[name] = {"turned": sign < 0, **its}
    return figures | {
        "model": _separation(answers, tumour, answers.scores, bootstrap, seed),
        "baselines": baselines,
        "by_volume": [
            {
                "volume": it.volume,
                "patient": it.patient,
                "tumours": it.tumours,
                "without_tumour": len(it.rows) - it.tumours,
                "roc_auc": it.area,
            }
            for it in volume_areas(answers.slices, tumour, answers.scores)
        ],
    }


def _share(
    counted: NDArray[np.bool_], among: NDArray[np.bool_], bootstrap: GroupBootstrap
) -> dict[str, Any]:
    """Return a share of some slices with both intervals."""

    def of_rows(rows: NDArray[np.int64]) -> float | None:
        chosen = rows[among[rows]]
        return float(counted[chosen].mean()) if len(chosen) else None

    n = int(among.sum())
    return {
        "by_slice": asdict(wilson_interval(int((counted & among).sum()), n)),
        "by_patient": asdict(bootstrap(of_rows)) | {"n": n},
    }


def _separation(
    answers: SliceAnswers,
    tumour: NDArray[np.bool_],
    scores: NDArray[np.float64],
    bootstrap: GroupBootstrap,
    seed: int,
) -> dict[str, Any]:
    return {
        "roc_auc": asdict(bootstrap(lambda rows: area(tumour[rows], scores[rows]))),
        "sensitivity": asdict(
            bootstrap(lambda rows: sensitivity_at(WORKING_POINT, tumour[rows], scores[rows]))
        ),
        "false_alarms": asdict(
            bootstrap(lambda rows: false_alarms_at(WORKING_POINT, tumour[rows], scores[rows]))
        ),
        **_within(volume_areas(answers.slices, tumour, scores), seed),
    }


def _within(volumes: Sequence[VolumeArea], seed: int) -> dict[str, Any]:
    """Return the areas inside volumes: their mean, and weighted by pairs, which large volumes have more of.

    Whole volumes are drawn, those of a patient together: slices of a patient who is drawn twice are not compared with
    themselves.
    """
    if not volumes:
        return {}
    areas = np.array([it.area for it in volumes])
    pairs = np.array([it.pairs for it in volumes])
    patients = [it.patient for it in volumes]
    bootstrap = GroupBootstrap(len(volumes), groups=patients, seed=seed)
    counts = {"n": sum(len(it.rows) for it in volumes), "volumes": len(volumes)}
    return {
        "within_volumes": asdict(bootstrap(lambda rows: float(areas[rows].mean()))) | counts,
        "within_volumes_by_pairs": asdict(
            bootstrap(lambda rows: float(np.average(areas[rows], weights=pairs[rows])))
        )
        | counts,
    }
