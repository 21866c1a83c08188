"""R15: many threads that share one classifier."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from reliability.campaign import Broken, Campaign, Seen, Subject
from tiny_bundle import files_with_scope, manifest_body, tiny_trust

from edge_infer.bundle import load_bundle, shipped_bundle_path, write_bundle
from edge_infer.classifier import Classifier, ImageSource, Outcome
from edge_infer.contract import INPUT_NAME, OUTPUT_NAMES
from edge_infer.preprocessing import preprocess
from edge_infer.session import Session

__all__ = ["CAMPAIGN", "kit_images"]

_KIT = Path(__file__).parents[4] / "export" / "kit" / "pictures"

#: Threads of the session; 64 of them on a few cores take a second an image, so they come seldom.
_THREADS = {1: 0.25, 2: 0.25, 4: 0.25, 8: 0.15, 16: 0.08, 64: 0.02}
_BATCHES = (1, 1, 2, 8, 32)
_WORKERS = (2, 4, 8, 16, 32, 64)
_IMAGES = 32

#: Predictions of a trial, about; fewer where the session has more threads than a machine has cores.
_CALLS = {1: 32, 2: 32, 4: 32, 8: 32, 16: 16, 64: 8}
_TINY_CALLS = 192

#: Between batches of other sizes: an 8-bit value that is rounded the other way moves a logit by less than this.
_NEAR = 0.5

#: Bundle, threads of the session, images of a batch, place of the batch among the images.
_Key = tuple[str, int, int, int]


def kit_images(count: int) -> list[Path]:
    """Return so many images of the kit, evenly from all of them."""
    files = sorted(path for path in _KIT.rglob("*") if path.suffix in (".jpg", ".png"))
    return files[:: len(files) // count][:count]


@dataclass
class _Arena:
    """The images, a classifier for each number of threads, and what it answers when nobody else asks."""

    sources: list[ImageSource]
    tiny: Path
    spoil: Callable[[Classifier], None] = lambda _classifier: None
    classifiers: dict[tuple[str, int], Classifier] = field(default_factory=dict)
    serial: dict[_Key, list[Outcome]] = field(default_factory=dict)

    def classifier(self, bundle: str, threads: int) -> Classifier:
        if (bundle, threads) not in self.classifiers:
            path = self.tiny if bundle == "tiny" else None
            self.classifiers[bundle, threads] = Classifier.load(path, num_threads=threads)
        return self.classifiers[bundle, threads]

    def chunk(self, key: _Key) -> list[ImageSource]:
        return [self.sources[row] for row in _rows(key)]

    def expected(self, key: _Key) -> list[Outcome]:
        if key not in self.serial:
            chunk = self.chunk(key)
            self.serial[key] = list(
                self.classifier(key[0], key[1]).predict_each(chunk, batch_size=len(chunk))
            )
        return self.serial[key]


def _rows(key: _Key) -> list[int]:
    _, _, batch, place = key
    return [(place * batch + n) % _IMAGES for n in range(batch)]


def _sources(folder: Path) -> _Arena:
    write_bundle(folder / "tiny", files_with_scope(), manifest_body(trust=tiny_trust()))
    sources: list[ImageSource] = []
    for number, path in enumerate(kit_images(_IMAGES - 4)):
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"))
        sources.append(
            (path, path.read_bytes(), grey, path, grey.astype(np.uint16) * 257)[number % 5]
        )
    cut = kit_images(1)[0].read_bytes()[:2000]
    sources[7:7] = [cut, Path("missing.png"), b"no image"]
    return _Arena([*sources, np.zeros((224, 224), np.uint8)], folder / "tiny")


def _plan(number: int) -> tuple[int, int, list[list[_Key]]]:
    """Return threads, images of a batch, and the batches that each worker asks for."""
    rng = np.random.default_rng([722, number])
    bundle = ("tiny", "shipped")[number % 2]
    threads = int(rng.choice(list(_THREADS), p=list(_THREADS.values())))
    batch, workers = int(rng.choice(_BATCHES)), int(rng.choice(_WORKERS))
    calls = _TINY_CALLS if bundle == "tiny" else _CALLS[threads]
    if bundle == "shipped":
        workers = min(workers, max(2, 64 // batch))  # of memory, 64 large batches take too much
    each = max(1, calls // (workers * batch))
    places = rng.integers(_IMAGES // batch, size=(workers, each))
    return (
        threads,
        batch,
        [[(bundle, threads, batch, int(place)) for place in own] for own in places],
    )


def _at_once(ask: Callable[[_Key], Any], keys: list[list[_Key]]) -> list[list[Any]]:
    """Return what workers get that all begin in the same moment."""
    start = threading.Barrier(len(keys))

    def work(own: list[_Key]) -> list[Any]:
        start.wait()
        return [ask(key) for key in own]

    with ThreadPoolExecutor(len(keys)) as pool:
        return list(pool.map(work, keys))


def _ours(arena: _Arena, number: int, folder: Path) -> Seen:
    del folder
    threads, batch, keys = _plan(number)
    classifier = arena.classifier(*keys[0][0][:2])
    for key in {key for own in keys for key in own}:
        arena.expected(key)
    if number % 4 == 3:
        classifier = classifier.with_timeout(300)  # then another thread reads
    shared = classifier.session
    arena.spoil(classifier)

    def ask(key: _Key) -> list[Outcome]:
        if batch == 1:
            return list(classifier.predict_each(arena.chunk(key)))
        return list(classifier.predict_each(arena.chunk(key), batch_size=batch))

    try:
        answers = _at_once(ask, keys)
    finally:
        classifier._session = shared
    for own, asked in zip(answers, keys, strict=True):
        for outcomes, key in zip(own, asked, strict=True):
            _compare(outcomes, arena.expected(key), f"{threads} threads, batch of {batch}")
    farthest = 0.0
    if batch > 1:
        farthest = _against_single(arena, keys[0][0])
    kind = "bit for bit as serial" + ("" if batch == 1 else ", in batches")
    calls = sum(batch for own in keys for _ in own)
    return Seen(kind=kind, figures={"batch against single, logit": farthest}, tries=calls)


def _compare(outcomes: list[Outcome], expected: list[Outcome], where: str) -> None:
    for got, serial in zip(outcomes, expected, strict=True):
        if (got.error is None) != (serial.error is None):
            raise Broken(f"{where}: an image was answered in one and refused in the other")
        if serial.prediction is None:
            if got.error is None or str(got.error) != str(serial.error):
                raise Broken(f"{where}: another error")
        elif _bits(got) != _bits(serial):
            raise Broken(f"{where}: an answer differs from the serial one")


def _bits(outcome: Outcome) -> tuple[Any, ...]:
    one = outcome.prediction
    assert one is not None
    return (
        *(one.label, one.score, one.decision, one.reasons, one.prediction_set, one.scope_score),
        *(one.warnings, one.source_sha256, one.probabilities, one.logits, one.evidence.tobytes()),
    )


def _against_single(arena: _Arena, key: _Key) -> float:
    """Check a batch against its images one by one, and return by how much a logit differs at most."""
    bundle, threads, batch, _ = key
    farthest = 0.0
    for row, together in zip(_rows(key), arena.expected(key), strict=True):
        (alone,) = arena.expected((bundle, threads, 1, row))
        if together.prediction is None or alone.prediction is None:
            if str(together.error) != str(alone.error):
                raise Broken("a batch refuses another image than single questions do")
            continue
        one, other = together.prediction, alone.prediction
        off = max(abs(one.logits[label] - other.logits[label]) for label in one.logits)
        farthest = max(farthest, off)
        # What abstains because it is too close to call may turn by a rounding.
        if off > _NEAR or (one.label != other.label and (one.is_accepted or other.is_accepted)):
            raise Broken(f"batch of {batch}: another answer than alone, {off:.2g} in a logit")
    return farthest


class _SharedBuffers:
    """The planted fault: a session that gives all of its callers the same memory, as to save allocations."""

    def __init__(self, session: Session) -> None:
        self._session, self.pid, self.provider = session, session.pid, session.provider
        self._buffers: dict[tuple[int, ...], NDArray[np.float32]] = {}

    def run(
        self, pixel_values: NDArray[np.float32], *, timeout_s: float | None = None
    ) -> tuple[NDArray[np.float32], ...]:
        given = []
        for output in self._session.run(pixel_values, timeout_s=timeout_s):
            buffer = self._buffers.setdefault(output.shape, np.empty_like(output))
            buffer[...] = output
            given.append(buffer)
        threading.Event().wait(0.001)  # anything that lets another thread come in between
        return tuple(given)


def _plant(classifier: Classifier) -> None:
    classifier._session = _SharedBuffers(classifier.session)  # type: ignore[assignment]


def _spoiled(folder: Path) -> _Arena:
    arena = _sources(folder)
    arena.spoil = _plant
    return arena


@dataclass
class _Plain:
    """onnxruntime alone: pixel values, and a session for each number of threads."""

    pixel_values: NDArray[np.float32]
    model: str
    sessions: dict[int, Any] = field(default_factory=dict)
    serial: dict[_Key, list[bytes]] = field(default_factory=dict)

    def ask(self, key: _Key) -> list[bytes]:
        threads = key[1]
        if threads not in self.sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            self.sessions[threads] = onnxruntime.InferenceSession(
                self.model, options, providers=["CPUExecutionProvider"]
            )
        feeds = {INPUT_NAME: self.pixel_values[_rows(key)]}
        outputs = self.sessions[threads].run(list(OUTPUT_NAMES), feeds)
        return [output.tobytes() for output in outputs]


def _plain(folder: Path) -> _Plain:
    del folder
    bundle = load_bundle(shipped_bundle_path())
    images = []
    for path in kit_images(_IMAGES):
        with Image.open(path) as image:
            images.append(preprocess(image.convert("L"), bundle.preprocessor))
    return _Plain(np.concatenate(images), str(shipped_bundle_path() / "model.onnx"))


def _raw(plain: _Plain, number: int, folder: Path) -> Seen:
    del folder
    threads, batch, keys = _plan(2 * number + 1)  # of the shipped model
    for key in {key for own in keys for key in own}:
        plain.serial.setdefault(key, plain.ask(key))
    answers = _at_once(plain.ask, keys)
    for own, asked in zip(answers, keys, strict=True):
        for got, key in zip(own, asked, strict=True):
            if got != plain.serial[key]:
                raise Broken(
                    f"{threads} threads, batch of {batch}: an answer differs from the serial one"
                )
    kind = "bit for bit as serial" + ("" if batch == 1 else ", in batches")
    return Seen(kind=kind, tries=sum(batch for own in keys for _ in own))


CAMPAIGN = Campaign(
    id="R15",
    title="Threads",
    promise="Any number of threads may share one classifier: each gets, bit for bit, what it would get alone.",
    attack=(
        "2 to 64 threads ask one session of 1 to 64 threads for images one by one, or in batches of 2, 8 or 32, "
        "some of them damaged; each answer is compared with that of the same question asked alone"
    ),
    unit="predictions",
    subjects={
        "ours": Subject(
            trial=_ours,
            prepare=_sources,
            what="`Classifier.predict_each`, shipped and tiny bundle",
        ),
        "control": Subject(
            trial=_ours, prepare=_spoiled, what="a session whose callers share one output buffer"
        ),
        "raw": Subject(
            trial=_raw, prepare=_plain, what="the same graph, `InferenceSession.run` alone"
        ),
    },
    ci={"ours": 2, "control": 1, "raw": 0},
    full={"ours": 1000, "control": 100, "raw": 200},
    limit_s=300,
    chunk=20,
    control_share=0.5,
)
