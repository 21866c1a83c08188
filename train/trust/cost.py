"""How long each check takes beside the whole answer."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from edge_infer.classifier import Classifier
from edge_infer.doubts import doubts_about
from edge_infer.image_file import ImageSource, open_source
from edge_infer.preprocessing import resize_grey, to_pixel_values
from train.data.samples import Progress
from train.metrics.figures import GroupBootstrap
from train.trust.image_set import AskedImage

__all__ = ["cost_figures", "timed_images"]

#: Enough for a median; more would only take longer.
_IMAGES = 50
_REPEATS = 3


def timed_images(images: Sequence[AskedImage]) -> list[AskedImage]:
    """Return the images to time: evenly spread over the given ones."""
    return list(images[:: max(1, len(images) // _IMAGES)][:_IMAGES])


def cost_figures(
    classifier: Classifier, images: Sequence[AskedImage], progress: Progress | None = None
) -> dict[str, Any]:
    """Time the whole answer and each check by itself: the best of three, so that other work on the machine counts less.

    Args:
        classifier: The bundle.
        images: At least one.
        progress: Called with (done, total).

    Returns:
        For ``whole`` (reading, preprocessing, the graph, all checks), ``image_checks`` and, if the bundle has one,
        ``scope_score``: ``ms``, the median over images with a bootstrap interval, and ``of_whole``.
    """
    times: dict[str, list[float]] = {}
    for done, image in enumerate(images, start=1):
        for name, seconds in _time(classifier, image.source).items():
            times.setdefault(name, []).append(1000 * seconds)
        if progress is not None:
            progress(done, len(images))
    whole = float(np.median(times["whole"]))
    return {
        name: {"ms": _median(values), "of_whole": float(np.median(values)) / whole}
        for name, values in times.items()
    }


def _time(classifier: Classifier, source: ImageSource) -> dict[str, float]:
    config = classifier.bundle.preprocessor
    opened = open_source(source)
    pixel_values = to_pixel_values(resize_grey(opened.image, config)[None], config)
    _, embeddings, _ = classifier.session.run(pixel_values)
    found = {
        "whole": _best(lambda: classifier.predict(source)),
        "image_checks": _best(
            lambda: doubts_about(
                opened.image, coloured=opened.coloured, model_size=(config.width, config.height)
            )
        ),
    }
    scope = classifier.bundle.scope_model
    if scope is not None:
        found["scope_score"] = _best(lambda: scope.score(embeddings))
    return found


def _best(work: Callable[[], object]) -> float:
    """Return the shortest of several runs, in seconds."""
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _median(values: Sequence[float]) -> dict[str, Any]:
    numbers = np.array(values)
    bootstrap = GroupBootstrap(len(numbers))
    return asdict(bootstrap(lambda rows: float(np.median(numbers[rows]))))
