"""What the models of k folds answer on the images of another division's test part, and where the folds are wrong.

    python docs/experiments/same_images.py TEST-EVALUATION FOLD-EVALUATION...

Both as ``brain-train evaluate`` writes them. An image is tested in one fold only, so each is answered by a model that
never saw its patient: the accuracy on these images beside that on all says whether the test part is harder.
Images are matched by file name. The product does not import this.
"""

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import DataRefused
from train.evaluation.saved import Answer, read_evaluation
from train.metrics.figures import wilson_interval
from train.metrics.text import percent

__all__ = ["main", "worst_groups"]

_SHOWN = 3


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
    return [f"{wrong.total()} errors of {len(answers)}", *lines]


def main(test: Path, folders: list[Path]) -> None:
    """Print the accuracies and the worst groups of each fold."""
    folds = [read_evaluation(folder) for folder in folders]
    answered = {_file_name(answer): answer for fold in folds for answer in fold.answers}
    evaluated = read_evaluation(test).answers
    missing = sum(_file_name(answer) not in answered for answer in evaluated)
    if missing:
        raise DataRefused(f"{missing} images of {test} are tested in no fold")
    same = [answered[_file_name(answer)] for answer in evaluated]
    for what, answers in (
        ("these images, the model evaluated", evaluated),
        ("these images, the folds' models", same),
        ("all images, the folds' models", list(answered.values())),
    ):
        print(f"{what}: {_accuracy(answers)}")
    for fold in folds:
        print(f"{fold.folder}: {'; '.join(worst_groups(fold.answers))}")
    print(RESEARCH_USE_ONLY)


def _file_name(answer: Answer) -> str:
    return Path(answer["name"]).name


def _accuracy(answers: list[Answer]) -> str:
    right = sum(answer["label"] == answer["predicted"] for answer in answers)
    return f"{percent(asdict(wilson_interval(right, len(answers))), 1)}, n {len(answers)}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
