"""What a bundle answers on images, as brain-infer would: class, prediction set, decision."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.classifier import Classifier
from edge_infer.errors import CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.prediction import Prediction
from train.data.samples import Progress
from train.trust.image_set import AskedImage

__all__ = ["REFUSALS", "TrustAnswers", "ask"]

#: Errors of an image that was found and is no scan, such as a blank one. A missing file is another matter.
REFUSALS = (CorruptImage, InputOverLimit, UnsupportedImage)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnswers:
    """Images, and what a bundle answers on them.

    Attributes:
        images: N of them.
        probabilities: float64, (N, classes); NaN where the image was refused.
        in_set: (N, classes), which classes are in the prediction set.
        scope_scores: float64, (N,), higher for images less like the training images; NaN where there is none.
        accepted: (N,), whether the bundle's own decision is to accept.
        refused: (N,), whether the image was not read at all, such as a blank one: then there is no answer.
        reasons: Why each image is doubted; may be empty.
        classes: What the bundle tells apart.
    """

    images: tuple[AskedImage, ...]
    probabilities: NDArray[np.float64] = field(repr=False)
    in_set: NDArray[np.bool_] = field(repr=False)
    scope_scores: NDArray[np.float64] = field(repr=False)
    accepted: NDArray[np.bool_] = field(repr=False)
    refused: NDArray[np.bool_] = field(repr=False)
    reasons: tuple[tuple[str, ...], ...] = field(repr=False)
    classes: Classes = BRAIN

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,), true class ids; -1 for none of the classes."""
        return np.array([image.label for image in self.images], dtype=np.int64)

    @property
    def groups(self) -> list[str]:
        """The patient of each; empty if unknown."""
        return [image.group for image in self.images]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,), class ids; -1 where the image was refused."""
        known = np.where(self.refused[:, None], 0.0, self.probabilities)
        return np.where(self.refused, -1, known.argmax(axis=1)).astype(np.int64)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(N,), the top probability; NaN where the image was refused."""
        return np.asarray(self.probabilities.max(axis=1))

    def only(self, rows: Sequence[int] | NDArray[np.int64]) -> "TrustAnswers":
        """Return some of them."""
        chosen = np.asarray(rows, dtype=np.int64)
        return TrustAnswers(
            images=tuple(self.images[row] for row in chosen),
            probabilities=self.probabilities[chosen],
            in_set=self.in_set[chosen],
            scope_scores=self.scope_scores[chosen],
            accepted=self.accepted[chosen],
            refused=self.refused[chosen],
            reasons=tuple(self.reasons[row] for row in chosen),
            classes=self.classes,
        )

    @classmethod
    def joined(cls, parts: Sequence["TrustAnswers"]) -> Self:
        """Return the answers on several sets as those on one."""
        return cls(
            images=tuple(image for part in parts for image in part.images),
            probabilities=np.concatenate([part.probabilities for part in parts]),
            in_set=np.concatenate([part.in_set for part in parts]),
            scope_scores=np.concatenate([part.scope_scores for part in parts]),
            accepted=np.concatenate([part.accepted for part in parts]),
            refused=np.concatenate([part.refused for part in parts]),
            reasons=tuple(its for part in parts for its in part.reasons),
            classes=parts[0].classes,
        )

    def counted_reasons(self) -> dict[str, int]:
        """Count the reasons, the most frequent first; an image may have several."""
        return dict(Counter(reason for its in self.reasons for reason in its).most_common())

    def counted_labels(self, among: NDArray[np.bool_]) -> dict[str, int]:
        """Count the classes that are answered on some images."""
        predicted = self.predicted
        return {
            name: int((among & (predicted == label)).sum())
            for label, name in enumerate(self.classes.names)
        }


def ask(
    classifier: Classifier, images: Sequence[AskedImage], progress: Progress | None = None
) -> TrustAnswers:
    """Ask a bundle about every image, one at a time, as its gate did.

    Args:
        classifier: The bundle.
        images: N of them.
        progress: Called with (done, total).

    Raises:
        BrainError: The runtime failed, or a file is missing. An image that is refused is only counted.
    """
    answers: list[Prediction | None] = []
    for outcome in classifier.predict_each(image.source for image in images):
        if outcome.error is not None and not isinstance(outcome.error, REFUSALS):
            raise outcome.error
        answers.append(outcome.prediction)
        if progress is not None:
            progress(len(answers), len(images))
    return _collected(images, answers, classifier.bundle.classes)


def _collected(
    images: Sequence[AskedImage], answers: Sequence[Prediction | None], classes: Classes
) -> TrustAnswers:
    names = classes.names
    return TrustAnswers(
        images=tuple(images),
        probabilities=np.array([_probabilities(its, names) for its in answers]).reshape(
            -1, len(names)
        ),
        in_set=np.array(
            [[its is not None and name in its.prediction_set for name in names] for its in answers]
        ).reshape(-1, len(names)),
        scope_scores=np.array([_score(its) for its in answers], dtype=np.float64),
        accepted=np.array([its is not None and its.decision == "accept" for its in answers]),
        refused=np.array([its is None for its in answers]),
        classes=classes,
        reasons=tuple(() if its is None else tuple(map(str, its.reasons)) for its in answers),
    )


def _probabilities(answer: Prediction | None, names: Sequence[str]) -> list[float]:
    if answer is None:
        return [np.nan] * len(names)
    return [answer.probabilities[name] for name in names]


def _score(answer: Prediction | None) -> float:
    if answer is None or answer.scope_score is None:
        return np.nan
    return answer.scope_score
