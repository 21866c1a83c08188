"""What a bundle's results look like on given images: ``drift`` of its manifest, for ``brain-drift`` to compare with.

The bundle itself is asked, about the files as ``brain-infer`` would read them, so that later results differ by nothing
but the images.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_infer.bundle import Bundle, write_bundle
from edge_infer.classifier import Classifier
from edge_infer.drift.fitting import LEAST_REFERENCE, fit_baseline
from edge_infer.drift.gathering import observe
from edge_infer.drift.image_facts import image_facts
from edge_infer.drift.observing import Answer
from edge_infer.image_file import ImageSource
from edge_infer.prediction import Prediction
from export.rewriting import kept_fields, kept_files
from train.data.samples import Progress

__all__ = ["answer_of", "drift_of", "with_drift"]


def answer_of(prediction: Prediction) -> Answer:
    """Return what is compared of a prediction that keeps its image and perhaps its embedding."""
    return Answer(
        probabilities=list(prediction.probabilities.values()),
        label=prediction.label,
        decision=prediction.decision,
        reasons=[reason.value for reason in prediction.reasons],
        scope_score=prediction.scope_score,
        facts=None if prediction.seen is None else image_facts(prediction.seen),
        embedding=prediction.embedding,
    )


def drift_of(
    bundle: Bundle,
    images: Sequence[ImageSource],
    *,
    groups: Sequence[str],
    source: str,
    with_points: bool = True,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, Any] | None:
    """Return the baseline of a bundle; None where there are fewer than 100 images.

    Args:
        bundle: That answers.
        images: That it has not learnt from, such as it will be asked about.
        groups: The patient of each image, empty where unknown.
        source: What the images are, in words.
        with_points: Whether it holds projected embeddings of up to 256 single images.
        progress: Called with (done, total) after each image.

    Raises:
        BrainError: An image cannot be read or answered.
    """
    if len(images) < LEAST_REFERENCE:
        return None
    classifier = Classifier(bundle, self_test="off").keeping(seen=True, embedding=with_points)

    def answers() -> Iterator[Answer]:
        for done, prediction in enumerate(classifier.predict_many(images), start=1):
            yield answer_of(prediction)
            progress(done, len(images))

    return fit_baseline(
        observe(answers()),
        labels=bundle.labels,
        source=source,
        groups=groups,
        with_points=with_points,
    )


def with_drift(bundle: Bundle, target: Path, drift: dict[str, Any] | None) -> Bundle:
    """Write a bundle again with another baseline, or with none, and return it as loaded back.

    Args:
        bundle: All but the baseline stays.
        target: Folder to write; may be the bundle's own.
        drift: Of ``drift_of``.

    Raises:
        BundleIntegrity: A file has changed since the bundle was loaded.
        CannotWrite: The target cannot be written; what was there before is unchanged.
        OutputLocked: Another process is writing the same target.
    """
    fields = {key: value for key, value in kept_fields(bundle).items() if key != "drift"}
    if drift is not None:
        fields["drift"] = drift
    return write_bundle(target, kept_files(bundle), fields)
