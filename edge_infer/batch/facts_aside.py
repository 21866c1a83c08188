"""A classifier whose predictions hold no image: its statistics are taken at once, and kept in its place."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

from edge_infer.batch.answer_rows import Facts
from edge_infer.classifier import Classifier, Outcome
from edge_infer.drift.image_facts import image_facts
from edge_infer.image_file import ImageSource
from edge_infer.prediction import Prediction

__all__ = ["FactsAside"]


class FactsAside:
    """Answers as a classifier does, and keeps what rows need of each image.

    A series holds the predictions of all its slices until it is judged; with them it would hold their images.

    Args:
        classifier: Answers.
        embeddings: Whether embeddings are kept, too.
    """

    def __init__(self, classifier: Classifier, *, embeddings: bool) -> None:
        self._classifier = classifier.keeping(seen=True, embedding=embeddings)
        self._kept: list[Facts] = []

    @property
    def classifier(self) -> Classifier:
        """This object, for who asks for a classifier."""
        return cast(Classifier, self)

    def predict_each(
        self, sources: Iterable[ImageSource], *, batch_size: int = 1
    ) -> Iterator[Outcome]:
        """Classify images as ``Classifier.predict_each`` does."""
        for outcome in self._classifier.predict_each(sources, batch_size=batch_size):
            prediction = outcome.prediction
            if prediction is None:
                yield outcome
                continue
            self._kept.append(_facts(prediction))
            yield replace(outcome, prediction=replace(prediction, seen=None, embedding=None))

    def take(self) -> list[Facts]:
        """Return what was kept since the last time, one for each prediction, in their order."""
        kept, self._kept = self._kept, []
        return kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)


def _facts(prediction: Prediction) -> Facts:
    if prediction.seen is None:  # never: it was asked for
        raise ValueError("the prediction holds no image")
    embedding = prediction.embedding
    return (
        [float(number) for number in image_facts(prediction.seen)],
        None if embedding is None else [float(number) for number in embedding],
    )
