from dataclasses import replace
from pathlib import Path

import numpy as np

from train.report import read_runs
from train.report.scans import DRAW_SEED, PER_CLASS, confident_mistakes, random_rows


def test_images_are_drawn_by_seed_and_not_by_result(runs: list[Path]) -> None:
    (run, _) = read_runs(runs)
    answers = run.test
    assert answers is not None
    many = replace(
        answers,
        names=tuple(f"{row:03d}" for row in range(400)),
        labels=np.arange(400) % 4,
        probabilities=np.random.default_rng(1).dirichlet(np.ones(4), 400),
    )
    rows = random_rows(many)
    others = replace(many, probabilities=np.roll(many.probabilities, 1, axis=1))
    assert rows == random_rows(others), "whatever the answers are"
    assert [many.labels[row] for row in rows] == [k for k in range(4) for _ in range(PER_CLASS)]
    assert rows != [row for k in range(4) for row in range(k, 4 * PER_CLASS, 4)]
    assert DRAW_SEED == 0
    mistakes = confident_mistakes(many)
    scores = many.probabilities[mistakes].max(axis=1)
    assert (np.diff(scores) <= 0).all()
    assert (many.predicted[mistakes] != many.labels[mistakes]).all()
    wrong = many.predicted != many.labels
    assert scores[0] == many.probabilities[wrong].max()
