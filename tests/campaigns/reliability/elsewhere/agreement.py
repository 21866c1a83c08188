"""R25: the same answers in Python, Node, C++, a browser, and on an older processor."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.elsewhere.compared_images import BATCH, write_batch
from reliability.elsewhere.other_runtimes import RUNTIMES, Runtime, one_file, raw_onnxruntime

from edge_infer.answer_lines import AnswerLines
from edge_infer.bundle import load_bundle, shipped_bundle_path
from edge_infer.classifier import Classifier

__all__ = ["CAMPAIGN"]

#: Batches of each runtime at full size: 500 images, and 20 where each takes seconds.
_BATCHES = {"node": 25, "cpp": 25, "browser": 25, "nehalem": 1}
#: What each trial does: a runtime, and a batch of images.
_TRIALS = [(name, batch) for name, count in _BATCHES.items() for batch in range(count)]


@dataclass(frozen=True, slots=True)
class _Both:
    python: AnswerLines
    model: Path


def _prepared(folder: Path) -> _Both:
    return _Both(AnswerLines(Classifier.load(num_threads=1)), one_file(folder))


def _relabelled(folder: Path) -> _Both:
    """With a model whose labels stand in another order."""
    first, second, *others = load_bundle(shipped_bundle_path()).labels
    return _Both(
        AnswerLines(Classifier.load(num_threads=1)), one_file(folder, (second, first, *others))
    )


def _trial(both: _Both, number: int, folder: Path) -> Seen:
    name, batch = _TRIALS[number % len(_TRIALS)]
    runtime = RUNTIMES[name]
    missing = runtime.missing()
    if missing:
        return Seen(kind=f"{runtime.name} not asked: {missing}", tries=0)
    files = write_batch(batch, folder)
    return _compared(both, runtime, files, runtime.answers(files, both.model))


def _planted(both: _Both, number: int, folder: Path) -> Seen:
    """Node with labels in another order, or, every second time, with the right ones and another resize."""
    files = write_batch(number % _BATCHES["node"], folder)
    if number % 2 == 0:
        return _compared(both, RUNTIMES["node"], files, RUNTIMES["node"].answers(files, both.model))
    for file in files:
        with Image.open(file) as image:
            smaller = image.resize(
                (image.width * 2 // 3, image.height * 2 // 3), Image.Resampling.NEAREST
            )
        (folder / "other").mkdir(exist_ok=True)
        smaller.save(folder / "other" / file.name)
    others = [folder / "other" / file.name for file in files]
    answers = RUNTIMES["node"].answers(others, one_file(folder))
    return _compared(both, RUNTIMES["node"], files, answers)


def _raw(both: _Both, number: int, folder: Path) -> Seen:
    files = write_batch(number % _BATCHES["node"], folder)
    return _compared(both, RUNTIMES["node"], files, raw_onnxruntime(files, both.model))


def _compared(
    both: _Both, runtime: Runtime, files: Sequence[Path], answers: list[dict[str, Any]]
) -> Seen:
    """Compare with Python's answers.

    Raises:
        Broken: A label or a decision is another one, or a probability lies too far away.
    """
    if len(answers) != len(files):
        raise Broken(f"{runtime.name}: {len(answers)} answers to {len(files)} images")
    largest, answered = 0.0, 0
    for file, found in zip(files, answers, strict=True):
        (expected,) = both.python.of_content(file.read_bytes(), name=file.name)
        if "decision" in found and found["decision"] != expected["decision"]:
            raise Broken(f"{runtime.name}: {found['decision']}, expected {expected['decision']}")
        if "probabilities" not in found:
            raise Broken(f"{runtime.name}: no answer to an image that Python answers")
        pairs = [
            (found["probabilities"][name], value)
            for name, value in expected["probabilities"].items()
        ]
        largest = max(largest, *(abs(one - other) for one, other in pairs))
        if _first(found) != _first(expected):
            raise Broken(f"{runtime.name}: {_first(found)}, expected {_first(expected)}")
        answered += 1
    if largest > runtime.bound:
        raise Broken(
            f"{runtime.name}: a probability is off by {largest:.2g}, allowed {runtime.bound}"
        )
    return Seen(
        kind=f"{runtime.name} answers alike",
        figures={f"{runtime.name}, largest difference of a probability": largest},
        tries=answered,
    )


def _first(line: dict[str, Any]) -> str:
    """The class with the largest probability: a line has a label only where it is accepted."""
    probabilities: dict[str, float] = line["probabilities"]
    return max(probabilities, key=lambda name: probabilities[name])


CAMPAIGN = Campaign(
    id="R25",
    title="Other runtimes",
    promise="An image gets the same label and decision in Python, Node, C++, a browser, and on an older processor.",
    attack=f"asks one of them and Python about {BATCH} real or drawn images of many sizes",
    unit="images",
    subjects={
        "ours": Subject(
            trial=_trial,
            prepare=_prepared,
            what="the examples, the page of `brain-export --web`, and qemu's Nehalem",
        ),
        "control": Subject(
            trial=_planted,
            prepare=_relabelled,
            what="Node with two labels exchanged, or with another resize",
        ),
        "raw": Subject(
            trial=_raw,
            prepare=_prepared,
            what="onnxruntime with the bundle's graph and Pillow's own resize",
        ),
    },
    ci={"ours": 0, "control": 0, "raw": 0},
    full={"ours": len(_TRIALS), "control": 25, "raw": 25},
    limit_s=900,
    chunk=25,
    processes=2,
    missing=RUNTIMES["node"].missing,
    control_share=0.9,
)
