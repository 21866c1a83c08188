"""The answer for an image: whether to accept it, a label, its probability, the evidence, the source and the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.classes import BRAIN, Classes
from edge_infer.decision import Verdict
from edge_infer.errors import InferenceFailed, NonFiniteOutput
from edge_infer.names import shown_name
from edge_infer.reasons import Reason

__all__ = [
    "SHOWN_CLASSES",
    "ModelIdentity",
    "Prediction",
    "check_outputs",
    "shown_classes",
    "softmax",
]

#: More classes are not shown to people, but for the most probable of them.
SHOWN_CLASSES, _MOST_PROBABLE = 10, 5

#: What copies and pickles leave behind: it is large, or it is the image.
_NOT_SENT = {"seen", "embedding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """Which model answered.

    Attributes:
        name: Such as ``cvt13``.
        precision: ``fp32``, ``fp16`` or ``int8``.
        manifest_sha256: Digest of the bundle's manifest, which lists the digests of all its files.
        signed_by: Id of the key whose signature was verified; None where none was asked for.
    """

    name: str
    precision: str
    manifest_sha256: str
    signed_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer for one image. Research use only; not for diagnosis.

    A notebook shows it with the image; the saved notebook then holds that image.

    Attributes:
        decision: ``accept`` or ``abstain``. An answer that is not accepted still has its label and probabilities: they
            say which class is nearest, and no more.
        reasons: Why it abstains. With ``scope="report"`` it is accepted all the same.
        prediction_set: The labels that the bundle's calibration does not exclude; empty where it has none.
        scope_score: How far the image lies from the training images; None where that was not computed.
        scope_threshold: Above it, the image is out of scope; None with ``scope_score``.
        label: The most probable class.
        score: Its probability, 0..1.
        probabilities: By label, summing to 1; softmax of the logits over the bundle's temperature.
        logits: By label, as the graph gave them.
        evidence: float32, (classes, h, w); the mean over h and w is the logits.
        timings_ms: Milliseconds by step: read, preprocess (doubts included), inference. In a batch, inference
            is the batch's time divided by its size.
        source: The path as given, or ``<bytes>``, ``<file>``, ``<stdin>``, ``<array>``, ``<image>``.
        source_sha256: Of the bytes that were read.
        model: Which model answered.
        provider: The execution provider that ran it.
        warnings: What to know about this image before trusting the answer; often empty.
        source_size: (width, height) of the image in pixels, upright.
        seen: uint8, (H, W), the image as the model saw it, for a notebook to draw on. Only ``Classifier.predict`` and
            ``Classifier.keeping`` keep it, and copies and pickles of the prediction do not: predictions for a thousand
            images do not hold a thousand images, and a prediction that is stored or sent holds none.
        embedding: float32, (D,), as the graph gave it. Only ``Classifier.keeping`` keeps it; copies and pickles do
            not.
        negative_label: The class that says that nothing is there, so that it has no place in the image; None if no
            class is such.
    """

    decision: Verdict
    reasons: tuple[Reason, ...] = ()
    prediction_set: tuple[str, ...] = ()
    scope_score: float | None = None
    scope_threshold: float | None = None
    label: str
    score: float
    probabilities: Mapping[str, float]
    logits: Mapping[str, float]
    evidence: NDArray[np.float32] = field(repr=False, compare=False)
    timings_ms: Mapping[str, float] = field(compare=False)
    source: str
    source_sha256: str
    model: ModelIdentity
    provider: str
    warnings: tuple[str, ...] = ()
    source_size: tuple[int, int] | None = None
    seen: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)
    negative_label: str | None = BRAIN.negative
    embedding: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def classes(self) -> Classes:
        """The classes that the model tells apart, in their order."""
        names = tuple(self.probabilities)
        return Classes(names, self.negative_label if self.negative_label in names else None)

    @property
    def is_negative(self) -> bool:
        """Whether the most probable class is the one that says that nothing is there."""
        return self.label == self.negative_label

    @property
    def positive_probability(self) -> float | None:
        """The probability that something is there: of all classes but the negative one; None without such a class."""
        if self.negative_label is None:
            return None
        return 1.0 - self.probabilities.get(self.negative_label, 0.0)

    @property
    def is_accepted(self) -> bool:
        """Whether the decision is ``accept``."""
        return self.decision == "accept"

    @property
    def decision_words(self) -> str:
        """The decision in words: ``accepted`` or ``abstains``, with the reasons in brackets."""
        named = ", ".join(reason.value for reason in self.reasons)
        if not self.is_accepted:
            return f"abstains ({named})"
        return f"accepted although {named}" if named else "accepted"

    @property
    def undecided_words(self) -> str:
        """What the prediction set says, in words; empty where it says nothing.

        It says nothing about an answer that is not ambiguous, or an image out of scope: the calibration behind the set
        knows no such images. A set of the answer alone adds nothing.
        """
        if Reason.AMBIGUOUS not in self.reasons or Reason.OUT_OF_SCOPE in self.reasons:
            return ""
        if self.prediction_set == (self.label,):
            return ""
        if not self.prediction_set:
            return "no class is likely enough to be kept"
        shown, more = shown_classes(
            {one: self.probabilities.get(one, 0.0) for one in self.prediction_set}
        )
        names = ", ".join(map(shown_name, shown))
        return f"cannot be excluded: {names}" + (f" and {more} more" if more else "")

    def _repr_html_(self) -> str:
        """Return what a notebook shows; IPython looks for a method of this name."""
        from edge_infer.notebook import prediction_html  # here, because only notebooks need it

        return prediction_html(self)

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in _NOT_SENT
        }
        return partial(type(self), **kept), ()


def shown_classes(probabilities: Mapping[str, float]) -> tuple[tuple[str, ...], int]:
    """Return the classes to show to people, and how many more there are.

    Up to ten are all shown, in the order of the model; of more, the five most probable, the first one first.

    Args:
        probabilities: By label.
    """
    if len(probabilities) <= SHOWN_CLASSES:
        return tuple(probabilities), 0
    falling = sorted(probabilities, key=lambda label: -probabilities[label])
    return tuple(falling[:_MOST_PROBABLE]), len(probabilities) - _MOST_PROBABLE


def softmax(logits: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Turn logits into probabilities.

    Args:
        logits: float, (classes,) or (N, classes).
        temperature: Above 1 makes probabilities more equal, below 1 less; their order never changes.

    Returns:
        float64, of the same shape, each row summing to 1.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float64)


def check_outputs(
    logits: NDArray[np.float32], evidence: NDArray[np.float32], *, classes: int, source: str
) -> None:
    """Check one image's outputs before an answer is made of them.

    Args:
        logits: float32, (classes,).
        evidence: float32, (classes, h, w).
        classes: Number of classes of the bundle.
        source: Name of the image, for the message.

    Raises:
        InferenceFailed: A shape is not the contract's.
        NonFiniteOutput: A value is NaN or infinite.
    """
    if logits.shape != (classes,) or evidence.ndim != 3 or evidence.shape[0] != classes:
        raise InferenceFailed(
            f"model gave logits {logits.shape} and evidence {evidence.shape}, "
            f"expected ({classes},) and ({classes}, h, w)",
            hint="export the bundle again",
        )
    if not (np.isfinite(logits).all() and np.isfinite(evidence).all()):
        raise NonFiniteOutput(
            f"{source}: model gave NaN or infinity, so there is no answer",
            hint="run it on another device or export the bundle again",
        )
