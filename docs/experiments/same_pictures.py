"""What the models of k folds answer on the pictures of another division's test part, and where the folds err.

    python docs/experiments/same_pictures.py TEST-EVALUATION FOLD-EVALUATION...

Both as ``brain-train evaluate`` writes them. A picture is tested in one fold only, so each is answered by a model that
never saw its patient: the accuracy on these pictures beside that on all says whether the test part is a harder one.
Pictures are matched by file name. The product does not import this.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

from edge_infer.contract import RESEARCH_USE_ONLY
from train.metrics import wilson_interval

__all__ = ["main", "worst_groups"]

_SHOWN = 3

Answer = dict[str, str]


def worst_groups(answers: list[Answer]) -> list[str]:
    """Say which patient groups hold most of the errors."""
    size = Counter(answer["group"] for answer in answers)
    wrong = Counter(
        (answer["group"], answer["label"], answer["predicted"])
        for answer in answers
        if answer["label"] != answer["predicted"]
    )
    lines = [
        f"{group}: {count} of {size[group]} are {label} called {predicted}"
        for (group, label, predicted), count in wrong.most_common(_SHOWN)
    ]
    return [f"{sum(wrong.values())} errors of {len(answers)}", *lines]


def main(test: Path, folds: list[Path]) -> None:
    """Print the accuracies and the worst groups of each fold."""
    answered = {
        Path(answer["name"]).name: answer for folder in folds for answer in _answers(folder)
    }
    shipped = _answers(test)
    same = [answered[Path(answer["name"]).name] for answer in shipped]
    for what, answers in (
        ("these pictures, the model evaluated", shipped),
        ("these pictures, the folds' models", same),
        ("all pictures, the folds' models", list(answered.values())),
    ):
        print(f"{what}: {_accuracy(answers)}")
    for folder in folds:
        print(f"{folder}: {'; '.join(worst_groups(_answers(folder)))}")
    print(RESEARCH_USE_ONLY)


def _answers(folder: Path) -> list[Answer]:
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _accuracy(answers: list[Answer]) -> str:
    right = sum(answer["label"] == answer["predicted"] for answer in answers)
    figure = wilson_interval(right, len(answers))
    value, low, high = (100 * share for share in (right / len(answers), figure.low, figure.high))
    return f"{value:.1f} % ({low:.1f}..{high:.1f}), n {len(answers)}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
