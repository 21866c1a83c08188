"""The process of one bundle: answers images and says how long each took, and at its end how much memory it needed.

    python -m edge_infer.comparison.cost_worker

Speaks JSON lines on standard input and output: options, then one line a turn.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from edge_infer.classifier import Classifier
from edge_infer.errors import BrainError
from edge_infer.machine import peak_rss_mb
from edge_infer.private_streams import private_streams

__all__ = ["main"]

_SIDE = 256


def main() -> int:
    """Serve until standard input ends."""
    with private_streams() as (source, target):
        requests = open(source, encoding="utf-8", closefd=False)  # noqa: SIM115 -- private_streams closes it
        answers = open(target, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- likewise
        _serve(requests, answers)
    return 0


def _serve(requests: TextIO, answers: TextIO) -> None:
    options = json.loads(requests.readline())
    started = time.perf_counter()
    try:
        classifier = Classifier.load(
            Path(options["bundle"]), device=options["device"], num_threads=options["threads"]
        )
    except BrainError as error:
        _say(answers, {"error": error.message})
        return
    _say(answers, {"load_ms": 1000 * (time.perf_counter() - started)})
    # No person: its content does not matter to the time.
    drawn = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE), dtype=np.uint8)
    for line in requests:
        turn = json.loads(line)
        times = [_answer(classifier, image, drawn) for image in turn["images"]]
        _say(answers, {"times": times, "peak_mb": peak_rss_mb()})


def _answer(classifier: Classifier, image: str | None, drawn: Any) -> list[float] | None:
    """Return milliseconds of the whole and of the graph; None where the image has no answer."""
    started = time.perf_counter()
    try:
        prediction = classifier.predict(drawn if image is None else Path(image))
    except BrainError:
        return None
    return [1000 * (time.perf_counter() - started), prediction.timings_ms["inference"]]


def _say(answers: TextIO, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
