"""What of the answers is drawn: the curve of every volume that holds both kinds of slices, and ROC curves."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_infer.contract import LABELS
from train.plots.volumes import VolumeCurve, plot_separation, plot_volumes
from train.volumes.answers import SliceAnswers
from train.volumes.cues import CUES, direction
from train.volumes.figures import volume_areas

__all__ = ["draw_separation", "draw_volumes"]

_HEALTHY = LABELS.index("no_tumor")


def draw_volumes(answers: SliceAnswers, path: Path, *, title: str) -> None:
    """Draw the answers along each volume; nothing if no volume with both kinds has numbered slices.

    Args:
        answers: On all slices.
        path: PNG to write.
        title: Names model and data.
    """
    curves = sorted(_curves(answers), key=lambda curve: curve.name)
    if curves:
        plot_volumes(curves, title, path)


def draw_separation(
    answers: SliceAnswers, cues: Mapping[str, NDArray[np.float64]], path: Path, *, title: str
) -> None:
    """Draw ROC curves of each source that holds both kinds; nothing if none does.

    Args:
        answers: On all slices.
        cues: Scores of the same slices without a model, (N,), NaN where unknown.
        path: PNG to write.
        title: Names model and data.
    """
    sources = {}
    for source in answers.sources():
        rows = answers.rows(source)
        tumour = answers.tumour[rows]
        if tumour.any() and not tumour.all():
            its_cues = {
                CUES[name]: direction(tumour, scores[rows]) * scores[rows]
                for name, scores in cues.items()
                if not np.isnan(scores[rows]).any()
            }
            sources[source] = tumour, {"model": answers.scores[rows], **its_cues}
    if sources:
        plot_separation(sources, title, path)


def _curves(answers: SliceAnswers) -> Iterator[VolumeCurve]:
    for source in answers.sources():
        its = answers.only(answers.rows(source))
        for volume in volume_areas(its.slices, its.tumour, its.scores):
            places = [its.slices[row].position for row in volume.rows]
            known = [place for place in places if place is not None]
            if len(known) < len(places):
                continue
            rows = np.array(volume.rows)[np.argsort(known, kind="stable")]
            yield VolumeCurve(
                name=volume.volume,
                positions=np.sort(np.array(known, dtype=np.int64)),
                tumour=its.tumour[rows],
                probabilities=1 - its.probabilities[rows, _HEALTHY],
                area=volume.area,
            )
