"""Classify images with a bundle, from any thread, in any process."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_infer.binary_file import BinaryFile
from edge_infer.bundle import Bundle, load_bundle, shipped_bundle_path
from edge_infer.decision import SCOPE_MODES, ScopeMode, decide
from edge_infer.device_choice import ChosenSession, open_chosen_session
from edge_infer.doubts import doubts_about
from edge_infer.errors import BrainError, BundleIntegrity, InputOverLimit, TimedOut
from edge_infer.image_file import ImageSource, SourceImage, open_source, source_name
from edge_infer.names import shown_name
from edge_infer.prediction import ModelIdentity, Prediction, check_outputs, softmax
from edge_infer.preprocessing import resize_grey, to_pixel_values
from edge_infer.reading_time import check_seconds, read_within, timed_out
from edge_infer.reasons import Doubt
from edge_infer.self_test import SelfTest, require_golden_answers
from edge_infer.session import Device, Session
from edge_infer.signature.keys import TrustedKeys, TrustSource, trusted_keys
from edge_infer.signature.verify import SignedBy
from edge_infer.trust import Trust

__all__ = ["Classifier", "Outcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result for one of many images: a prediction or an error, never both.

    Attributes:
        source: As given.
        prediction: None if the image failed.
        error: None if the image was classified.
    """

    source: ImageSource
    prediction: Prediction | None = None
    error: BrainError | None = None

    def __repr__(self) -> str:
        """Show the name of the source and not its content, which may be patient data."""
        return (
            f"Outcome(source={source_name(self.source)!r}, prediction={self.prediction!r}, "
            f"error={self.error!r})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """An image on its way into the graph."""

    source: SourceImage
    seen: NDArray[np.uint8]  # (H, W)
    pixel_values: NDArray[np.float32]  # (1, 3, H, W)
    doubts: tuple[Doubt, ...]
    timings_ms: dict[str, float]

    @property
    def seconds(self) -> float:
        """How long reading and preprocessing took."""
        return sum(self.timings_ms.values()) / 1000.0


class Classifier:
    """A loaded bundle that answers; make it with ``Classifier.load``.

    One instance serves any number of threads. After a fork the child opens a session of its own. For ``spawn`` the
    path and the options are sent, and the child loads the bundle again; if the bundle has changed, that fails.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: Device = "cpu",
        providers: Sequence[str] | None = None,
        num_threads: int | None = None,
        self_test: SelfTest = "quick",
        timeout_s: float | None = None,
        scope: ScopeMode = "enforce",
    ) -> None:
        if scope not in SCOPE_MODES:
            raise ValueError(f"scope is {scope!r}, expected {', '.join(SCOPE_MODES)}")
        self._scope: ScopeMode = scope
        self._timeout_s = check_seconds(timeout_s)
        self._keeps_seen, self._keeps_embedding = False, False
        self.bundle = bundle
        self._options: dict[str, Any] = {
            "device": device,
            "providers": providers,
            "num_threads": num_threads,
        }
        self._self_test: SelfTest = self_test
        self._trusted: TrustedKeys | None = None
        chosen = self._open()
        # A forked or spawned process takes the device that was chosen, so that all of them answer alike.
        self._options["device"], self._device_choice = chosen.device, chosen.choice
        self._session = chosen.session
        require_golden_answers(bundle, self._session, self_test)

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str] | None = None,
        *,
        device: Device = "cpu",
        providers: Sequence[str] | None = None,
        num_threads: int | None = None,
        self_test: SelfTest = "quick",
        timeout_s: float | None = None,
        scope: ScopeMode = "enforce",
        trust: TrustSource | None = None,
    ) -> Self:
        """Load a bundle, open a session and check that it gives the known answers.

        Args:
            bundle: Its folder; None takes the one shipped in this package.
            device: ``cpu``, ``cuda``, ``cuda:N``, ``openvino``, ``directml`` ..., or ``auto``: CUDA for a bundle that
                is not INT8, if it gives the golden answers, else the CPU (docs/devices.md).
            providers: onnxruntime's own names, instead of a device.
            num_threads: Threads within one operator; by default the usable cores.
            self_test: ``quick`` replays two golden images, ``full`` all of them, ``off`` none.
            timeout_s: Seconds one image may take, reading and decoding included; by default there is no limit.
                With a limit, another thread does the reading, and that thread cannot be stopped: see
                ``edge_infer.reading_time``.
            scope: ``enforce`` abstains for every reason. ``report`` lists reasons and accepts all the same. ``off``
                does not compute whether an image is out of scope; the other reasons abstain.
            trust: Public keys, as PEM files or folders of them: one of them must have signed the bundle, and its
                signature lies beside it (docs/security.md). ``BRAIN_EDGE_TRUST`` asks for more, whatever is given
                here. By default no signature is asked for. (``Classifier.trust`` is something else: thresholds.)

        Raises:
            BundleUntrusted: None of the keys has signed the bundle as it is, or there is no such key.
            BundleError: The bundle is incomplete, damaged, too new or refused.
            ProviderUnavailable: The device is not there; there is no silent fallback.
            MissingDependency: No onnxruntime is installed, or no ``cryptography`` where a signature is asked for.
            InferenceFailed: The installed onnxruntime does not load, or there are two of them.
            SelfTestFailed: On this machine the bundle does not give its known answers.
            TypeError: ``timeout_s`` is not a number.
            ValueError: An option has a value that is not allowed, such as a ``timeout_s`` of NaN.
        """
        trusted = trusted_keys(trust)
        verified = load_bundle(shipped_bundle_path() if bundle is None else bundle, trusted=trusted)
        loaded = cls(
            verified,
            device=device,
            providers=providers,
            num_threads=num_threads,
            self_test=self_test,
            timeout_s=timeout_s,
            scope=scope,
        )
        loaded._trusted = trusted
        return loaded

    @property
    def trust(self) -> Trust | None:
        """When the bundle's answers are accepted; None where it does not say, and then only doubts abstain.

        ``trust`` of ``load`` is something else: the keys that a bundle must be signed with; see ``signed_by``.
        """
        return self.bundle.trust

    @property
    def signed_by(self) -> SignedBy | None:
        """Whose signature was verified; None where none was asked for."""
        return self.bundle.signed_by

    @property
    def scope(self) -> ScopeMode:
        """What reasons do: ``enforce``, ``report`` or ``off``."""
        return self._scope

    @property
    def model(self) -> ModelIdentity:
        """Which model this is."""
        manifest = self.bundle.manifest
        return ModelIdentity(
            name=manifest["model"],
            precision=manifest["precision"],
            manifest_sha256=manifest["manifest_sha256"],
            signed_by=None if self.signed_by is None else self.signed_by.key_id,
        )

    def with_timeout(self, timeout_s: float | None) -> Self:
        """Return this classifier with another time limit for an image; both share the session.

        Args:
            timeout_s: As for ``load``.
        """
        return self._with(_timeout_s=check_seconds(timeout_s))

    def keeping(self, *, seen: bool = False, embedding: bool = False) -> Self:
        """Return this classifier with predictions that hold more; both share the session.

        A process that it is sent to keeps the same.

        Args:
            seen: Every prediction holds the image at the model's size, uint8 (H, W); ``predict``'s always does.
            embedding: Every prediction holds the embedding that the graph gave, float32 (D,).
        """
        return self._with(_keeps_seen=seen, _keeps_embedding=embedding)

    def _with(self, **changed: object) -> Self:
        other = type(self).__new__(type(self))  # not copy(), which would load the bundle again
        other.__dict__.update(self.__dict__, **changed)
        return other

    @property
    def device_choice(self) -> str:
        """Which device ``auto`` took and why, as a sentence; empty where a device was asked for."""
        return self._device_choice

    @property
    def device(self) -> str | None:
        """The device that answers: what was asked for, or what ``auto`` took; None where providers were named."""
        return None if self._options["providers"] is not None else str(self._options["device"])

    @property
    def session(self) -> Session:
        """The session of this process."""
        # Two threads of a forked child may both open one; either one will do, so no lock is needed.
        # edge_infer.session keeps the parent's alive. The parent's self-test holds for the child too.
        if self._session.pid != os.getpid():
            self._session = self._open().session
        return self._session

    def _open(self) -> ChosenSession:
        return open_chosen_session(self.bundle, **self._options)

    def predict(self, source: ImageSource) -> Prediction:
        """Classify one image.

        Args:
            source: A path; the bytes of an image file; a file that is open in binary mode, read from
                where it stands and left open; an array, uint8 (H, W), (H, W, 1), (H, W, 3) or
                (H, W, 4), or uint16 (H, W) or (H, W, 1); or a Pillow image. uint16 and other deep
                images are scaled by their largest value.

        Returns:
            The answer. It keeps the image at the model's size, for a notebook to show.

        Raises:
            InputError: The image is missing, damaged, unsupported or over a limit.
            InferenceFailed: The runtime failed.
            NonFiniteOutput: The model gave NaN or infinity.
            TimedOut: It took longer than ``timeout_s``. The thread that was left behind may still be reading a
                file object: do not read or close it.
            TypeError: The source is none of these, or a file in text mode.
            ValueError: An array of another shape or type, or a closed file.
        """
        ready = self._prepare(source)
        return replace(self._answer([ready])[0], seen=ready.seen)

    def predict_many(
        self, sources: Iterable[ImageSource], *, batch_size: int = 1
    ) -> Iterator[Prediction]:
        """Classify images one after the other, lazily; stop with the first error.

        Yields:
            One prediction per source, in order.

        Raises:
            BrainError: As ``predict``, at the first image that fails.
            TypeError: ``sources`` is a single image.
            ValueError: ``batch_size`` is below 1.
        """
        return _predictions(self.predict_each(sources, batch_size=batch_size))

    def predict_each(
        self, sources: Iterable[ImageSource], *, batch_size: int = 1
    ) -> Iterator[Outcome]:
        """Classify images lazily; an image that fails does not stop the others.

        Args:
            sources: May be endless; no more than ``batch_size`` are held.
            batch_size: Images per run of the graph. 1 gives the same bits as ``predict``. A larger batch may differ
                in the last digits, since onnxruntime sums in another order. Keep 1 for a bundle whose
                ``quantization.method`` is ``mixed`` or ``dynamic``: there activation ranges are taken over the whole
                batch, so answers can differ more, and the quality gate judged the images one by one.

        Yields:
            One outcome per source, in order.

        Raises:
            TypeError: ``sources`` is a single image, such as a path: its characters are not images.
            ValueError: ``batch_size`` is below 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected 1 or more")
        if isinstance(sources, str | os.PathLike | bytes | bytearray | memoryview | BinaryFile):
            raise TypeError(
                f"sources is one image ({source_name(sources)}), expected several: give a list"
            )
        return self._in_chunks(iter(sources), batch_size)

    def _in_chunks(self, remaining: Iterator[ImageSource], batch_size: int) -> Iterator[Outcome]:
        while chunk := list(islice(remaining, batch_size)):
            yield from self._outcomes(chunk)

    def _outcomes(self, sources: list[ImageSource]) -> Iterator[Outcome]:
        prepared = [self._prepare_or_error(source) for source in sources]
        ready = [item for item in prepared if isinstance(item, _Ready)]
        answers = iter(self._answer_each(ready))
        for source, item in zip(sources, prepared, strict=True):
            result = next(answers) if isinstance(item, _Ready) else item
            if isinstance(result, BrainError):
                yield Outcome(source=source, error=result)
            else:
                yield Outcome(source=source, prediction=result)

    def _prepare_or_error(self, source: ImageSource) -> _Ready | BrainError:
        try:
            return self._prepare(source)
        except BrainError as error:
            return error

    def _answer_each(self, ready: list[_Ready]) -> list[Prediction | BrainError]:
        if not ready:
            return []
        try:
            return list(self._answer(ready))
        except BrainError as error:
            if len(ready) == 1:
                return [error]
        # One bad image must not fail the others of its batch: run them again, one by one.
        return [result for item in ready for result in self._answer_each([item])]

    def _prepare(self, source: ImageSource) -> _Ready:
        name = source_name(source)
        try:
            return read_within(self._timeout_s, lambda: self._read(source), name)
        except MemoryError as error:
            raise _no_memory(name) from error

    def _read(self, source: ImageSource) -> _Ready:
        started = time.perf_counter()
        opened = open_source(source)
        was_read = time.perf_counter()
        config = self.bundle.preprocessor
        seen = resize_grey(opened.image, config)
        pixel_values = to_pixel_values(seen[None], config)
        doubts = doubts_about(
            opened.image, coloured=opened.coloured, model_size=(config.width, config.height)
        )
        timings = {
            "read": _ms(was_read - started),
            "preprocess": _ms(time.perf_counter() - was_read),
        }
        return _Ready(
            source=opened,
            seen=seen,
            pixel_values=pixel_values,
            doubts=doubts,
            timings_ms=timings,
        )

    def _answer(self, ready: list[_Ready]) -> list[Prediction]:
        session = self.session
        rest = self._rest(ready)
        started = time.perf_counter()
        try:
            pixel_values = np.concatenate([item.pixel_values for item in ready])
        except MemoryError as error:  # of a batch; its images are then asked one by one
            raise _no_memory(ready[0].source.name) from error
        try:
            logits, embeddings, evidence = session.run(pixel_values, timeout_s=rest)
        except TimedOut as error:
            if self._timeout_s is None:
                raise
            raise timed_out(self._timeout_s, ready[0].source.name) from error
        per_image = _ms(time.perf_counter() - started) / len(ready)
        return [
            self._describe(
                item, logits[row], embeddings[row], evidence[row], per_image, session.provider
            )
            for row, item in enumerate(ready)
        ]

    def _rest(self, ready: list[_Ready]) -> float | None:
        """Return how long the graph may run: the time that reading the slowest image has left, in seconds.

        Raises:
            TimedOut: Reading has used up all of it.
        """
        if self._timeout_s is None:
            return None
        slowest = max(ready, key=lambda item: item.seconds)
        if slowest.seconds >= self._timeout_s:
            raise timed_out(self._timeout_s, slowest.source.name)
        return self._timeout_s - slowest.seconds

    def _describe(
        self,
        item: _Ready,
        logits: NDArray[np.float32],
        embedding: NDArray[np.float32],
        evidence: NDArray[np.float32],
        inference_ms: float,
        provider: str,
    ) -> Prediction:
        labels = self.bundle.labels
        name = shown_name(item.source.name)
        check_outputs(logits, evidence, classes=len(labels), source=name)
        probabilities = softmax(logits, self.bundle.temperature)
        best = int(probabilities.argmax())
        scope_score = None
        if self.bundle.scope_model is not None and self._scope != "off":
            scope_score = self.bundle.scope_model.score_one(embedding, source=name)
        trust = self.bundle.trust
        decided = decide(probabilities, labels, scope_score, item.doubts, trust, self._scope)
        return Prediction(
            decision=decided.decision,
            reasons=decided.reasons,
            prediction_set=decided.prediction_set,
            scope_score=scope_score,
            scope_threshold=None if scope_score is None or trust is None else trust.scope_threshold,
            label=labels[best],
            score=float(probabilities[best]),
            probabilities=dict(zip(labels, map(float, probabilities), strict=True)),
            logits=dict(zip(labels, map(float, logits), strict=True)),
            evidence=evidence.copy(),  # not a view that keeps the whole batch alive
            timings_ms={**item.timings_ms, "inference": inference_ms},
            source=item.source.name,
            source_sha256=item.source.sha256,
            source_size=item.source.image.size,
            model=self.model,
            provider=provider,
            warnings=tuple(doubt.note for doubt in item.doubts),
            negative_label=self.bundle.classes.negative,
            seen=item.seen if self._keeps_seen else None,
            embedding=embedding.copy() if self._keeps_embedding else None,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return path, options and digest for another process: a session cannot be sent there."""
        return {
            "path": str(self.bundle.path.absolute()),
            "options": {
                **self._options,
                "self_test": self._self_test,
                "timeout_s": self._timeout_s,
                "scope": self._scope,
            },
            "keeps": (self._keeps_seen, self._keeps_embedding),
            "manifest_sha256": self.model.manifest_sha256,
            "trust": None if self._trusted is None else self._trusted.sources,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        trusted = _trusted_here(state["trust"])
        bundle = load_bundle(Path(state["path"]), trusted=trusted)
        if bundle.manifest["manifest_sha256"] != state["manifest_sha256"]:
            raise BundleIntegrity(
                f"{shown_name(state['path'])}: bundle has changed since it was loaded",
                hint="load the classifier again",
            )
        self.__init__(bundle, **state["options"])  # type: ignore[misc]  # pickle gives an empty object
        self._trusted = trusted
        self._keeps_seen, self._keeps_embedding = state["keeps"]


def _trusted_here(sources: Iterable[Sequence[str]] | None) -> TrustedKeys | None:
    """Return the keys that count in this process for a classifier of another one.

    The policy of that process came along, but this one may have a policy of its own: a key must be in all of them.
    """
    policy = trusted_keys(None)
    if sources is None:
        return policy
    own = () if policy is None else policy.sources
    return TrustedKeys.read(dict.fromkeys([*own, *map(tuple, sources)]))


def _predictions(outcomes: Iterator[Outcome]) -> Iterator[Prediction]:
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
        if outcome.prediction is not None:
            yield outcome.prediction


def _no_memory(name: str) -> InputOverLimit:
    return InputOverLimit(f"{shown_name(name)}: there is not enough memory to read it")


def _ms(seconds: float) -> float:
    return seconds * 1000.0
