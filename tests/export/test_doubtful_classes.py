"""Classes whose right answers are hardly ever accepted are named when a bundle is made, with n and share."""

from pathlib import Path

import numpy as np
import pytest

from edge_infer.classes import Classes
from edge_infer.contract import LABELS
from export.bundling import export_bundle
from export.doubtful_classes import doubtful_classes
from export.trust.out_of_fold import OutOfFold
from train.checkpoint import Checkpoint

OWN = Classes(("disk", "ring", "empty"), "empty")
TRUST = {"set_thresholds": dict.fromkeys(OWN.names, 0.5), "least_score": 0.9}


def judged(rows: list[tuple[int, int, float]], classes: Classes = OWN) -> str:
    """Judge rows of class, answer and probability of that answer."""
    probabilities = np.array(
        [
            [sure if k == answer else (1 - sure) / 2 for k in range(len(classes))]
            for _, answer, sure in rows
        ]
    )
    labels = np.array([label for label, _, _ in rows])
    return doubtful_classes(TRUST, probabilities, labels, classes)


@pytest.mark.parametrize(("accepted", "is_named"), [(0, True), (1, True), (2, False), (20, False)])
def test_a_class_is_named_if_less_than_a_tenth_of_its_right_answers_is_accepted(
    accepted: int, is_named: bool
) -> None:
    rows = [(0, 0, 0.95)] * accepted + [(0, 0, 0.8)] * (20 - accepted) + [(1, 1, 0.95)] * 3
    rows += [(0, 1, 0.95)] * 50  # wrong answers are not what is asked
    share = f"disk ({100 * accepted / 20:.1f} % of n 20)"
    assert (share in judged(rows)) is is_named
    assert bool(judged(rows)) is is_named
    assert "\n" not in judged(rows)


def test_a_class_that_is_never_answered_rightly_is_named_and_one_without_images_is_not() -> None:
    said = judged([(0, 1, 0.95), (0, 1, 0.6), (1, 1, 0.95)])
    assert "disk (n 0 of 2 images)" in said
    assert "empty" not in said


def test_the_export_says_it(checkpoint: Checkpoint, tmp_path: Path) -> None:
    labels = np.arange(400) % len(LABELS)
    # Of class 1, half of the answers are right and none is sure; of the others, all are.
    guesses = np.where((labels == 1) & (np.arange(400) % 8 == 1), 2, labels)
    sure = np.where(labels == 1, 0.2, 9)
    answers = OutOfFold(
        logits=sure[:, None] * np.eye(len(LABELS))[guesses],
        labels=labels,
        groups=tuple(map(str, range(400))),
        source="folds.csv",
    )
    said: list[str] = []
    bundle = export_bundle(
        checkpoint,
        tmp_path / "bundle",
        precision="fp32",
        images=None,
        metrics={},
        command="brain-export",
        out_of_fold=answers,
        step=said.append,
    ).bundle
    assert sum(line.startswith("warning: ") for line in said) == 1
    assert any(f"{LABELS[1]} (0.0 % of n 50)" in line for line in said)
    fitted = bundle.manifest["trust"]["fitted_on"]
    assert (fitted["n"], fitted["accepted"], fitted["right"]) == (400, 300, 300)
    card = (bundle.path / "README.md").read_text()
    assert "of 400 images 300 were accepted, 300 of those were right" in card
