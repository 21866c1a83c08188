"""Answers as ``brain-infer --json`` prints them, for a service or a host program: of bytes in memory, or of files.

Each line is one object: of docs/result.schema.json for an image or a slice, of docs/series.schema.json for a series. An
image that fails is a line, too. Nothing is written to the disk.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from PIL import Image

from edge_infer.answer_views import packed_image, view_of
from edge_infer.audit.entries import digest_of
from edge_infer.audit.log import AuditLog
from edge_infer.classifier import Classifier, Outcome
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import BrainError, InputOverLimit, NoInputs, UnsupportedImage
from edge_infer.image_file import SourceImage, open_named, open_source
from edge_infer.image_limits import MAX_FILE_BYTES
from edge_infer.inputs import IMAGE_ENDINGS, expand_inputs
from edge_infer.names import shown_name, shown_names
from edge_infer.reading_time import check_seconds, read_within
from edge_infer.report import context_of, json_fields
from edge_infer.scan_files import START_BYTES, kind_of
from edge_infer.scan_slice import ScanFile

if TYPE_CHECKING:
    from edge_infer.series.study import Study

__all__ = ["AnswerLines", "Cancelled", "Line", "Progress", "bundle_facts"]

Line = dict[str, Any]
#: Called with (done, total) steps.
Progress = Callable[[int, int], None]
#: Gives the digest of an input that has no answer, where it is needed.
_Digest = Callable[[], str | None]

_BYTES = "<bytes>"


class Cancelled(Exception):
    """Whoever asked does not want the answer any more."""


class AnswerLines:
    """Answers one request after the other; any number of threads may ask at once.

    Args:
        classifier: Loaded once.
        despite: Refusals of DICOM files to overrule, values of ``edge_infer.refusals.OVERRULABLE``.
        timeout_s: Seconds that reading an image or a slice may take. How long the graph may run is the classifier's.
        log: Where each answer, refusal and failure is recorded before its line is yielded; None for nowhere.

    Raises:
        ValueError: ``timeout_s`` is not a finite number above 0.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        despite: Collection[str] = (),
        timeout_s: float | None = None,
        log: AuditLog | None = None,
    ) -> None:
        self._classifier = classifier
        self._log = None if log is None else log.of(classifier, despite=despite)
        self._despite = despite
        self._timeout_s = check_seconds(timeout_s)
        self._context = context_of(classifier)

    def of_content(
        self,
        content: bytes,
        *,
        name: str = _BYTES,
        despite: Collection[str] | None = None,
        view: bool = False,
        progress: Progress | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[Line]:
        """Answer what is in memory.

        Args:
            content: An image, a DICOM or NIfTI file, or a ZIP archive of scans or of images.
            name: Shown as ``source``.
            despite: In place of that of this object.
            view: Whether each line has a field ``view``: see ``edge_infer.answer_views.view_of``.
            progress: Told of the slices of a series.
            is_cancelled: Asked before each image and each slice.

        Yields:
            The lines: those of a series' slices, then that of the series, as soon as the series is answered.

        Raises:
            Cancelled: ``is_cancelled`` said so.
        """
        steps = _Steps(progress, is_cancelled)
        log = self._log_of(despite)
        kind = kind_of(content[:START_BYTES])
        if kind is None:
            steps.check()
            yield self._image(
                partial(open_named, content, name),
                name,
                log,
                partial(digest_of, content),
                view=view,
            )
            return
        # Here, as all that is for scans: who classifies an image does not wait for it.
        from edge_infer.series.study import open_content

        wanted = self._despite if despite is None else despite
        images = _images_of(content, name) if kind == "zip" else {}
        for member, read in images.items():
            steps.check()
            yield self._image(read, member, log, None, view=view)
        whole = partial(digest_of, content)
        try:
            study = open_content(content, name=name, despite=wanted)
        except BrainError as error:
            if not (images and isinstance(error, NoInputs)):
                yield self._error(name, error, log, whole)
            return
        yield from self._study(study, name, set(images), steps, log, {name: whole}, view=view)

    def of_paths(
        self,
        paths: Sequence[Path],
        *,
        despite: Collection[str] | None = None,
        view: bool = False,
        progress: Progress | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        left_out: Callable[[str], None] | None = None,
    ) -> Iterator[Line]:
        """Answer files and folders as ``brain-infer`` does; arguments and errors as for ``of_content``.

        There is no line for what of folders was not looked at: ``left_out`` is told, in words.
        """
        steps = _Steps(progress, is_cancelled)
        log = self._log_of(despite)
        try:
            found = expand_inputs(paths)
        except BrainError as error:
            yield self._error(str(paths[0]) if paths else _BYTES, error, log)
            return
        if left_out is not None and found.left_out:
            left_out(found.left_out)
        for image in found.images:
            steps.check()
            yield self._image(
                partial(open_source, image), str(image), log, partial(digest_of, image), view=view
            )
        if not found.scans:
            return
        from edge_infer.series.study import open_study

        wanted = self._despite if despite is None else despite
        try:
            study = open_study(found.scans, despite=wanted)
        except BrainError as error:
            yield self._error(str(found.scans[0]), error, log)
            return
        digests = {str(scan): partial(digest_of, scan) for scan in found.scans}
        yield from self._study(study, str(paths[0]), set(), steps, log, digests, view=view)

    def _log_of(self, despite: Collection[str] | None) -> AuditLog | None:
        """Return the log of a request; its records name what it overrules."""
        return (
            self._log if self._log is None or despite is None else self._log.with_despite(despite)
        )

    def _image(
        self,
        read: Callable[[], SourceImage],
        name: str,
        log: AuditLog | None,
        digest: _Digest | None,
        *,
        view: bool,
    ) -> Line:
        started = time.perf_counter()
        try:
            source = read_within(self._timeout_s, read, name)
        except BrainError as error:
            return self._error(name, error, log, digest, kind="image")
        except MemoryError:
            lacking = InputOverLimit(f"{shown_name(name)}: there is not enough memory")
            return self._error(name, lacking, log, kind="image")
        seconds = time.perf_counter() - started
        outcome = next(self._classifier.predict_each([source]))
        prediction = outcome.prediction
        if prediction is not None:
            timings = {**prediction.timings_ms, "read": 1000 * seconds}
            prediction = replace(prediction, timings_ms=timings)
        if log is not None:
            if prediction is not None:
                log.add(prediction)
            elif outcome.error is not None:
                log.add_error(outcome.error, kind="image", input_sha256=source.sha256)
        answered = Outcome(source=name, prediction=prediction, error=outcome.error)
        line = json_fields(answered, self._context)
        return {**line, "view": view_of(packed_image(source.image), prediction)} if view else line

    def _study(
        self,
        study: "Study",
        name: str,
        images: Collection[str],
        steps: "_Steps",
        log: AuditLog | None,
        digests: Mapping[str, _Digest],
        *,
        view: bool,
    ) -> Iterator[Line]:
        from edge_infer.series.classify import classify_series
        from edge_infer.series.lines import outcome_of, scan_fields, series_fields

        for refused in study.refused:
            yield self._error(refused.name, refused.error, log, digests.get(refused.name))
        for series in study.series:
            seen: dict[int, bytes] = {}
            result = classify_series(
                self._classifier,
                series,
                progress=steps.tell,
                shown=partial(_keep, seen) if view else None,
                timeout_s=self._timeout_s,
            )
            if log is not None:
                log.add(result)
            for index, answer in enumerate(result.slices):
                outcome = outcome_of(answer)
                line = json_fields(outcome, self._context, scan_fields(answer, result))
                if index in seen:
                    line["view"] = view_of(seen[index], outcome.prediction)
                yield line
            yield series_fields(result, self._context)
        left_out = [one for one in study.others if one not in images]
        if left_out:
            error = UnsupportedImage(
                f"{shown_name(name)}: {len(left_out)} files that are no scans were left out "
                f"({shown_names([PurePath(one).name for one in left_out])})"
            )
            yield self._error(name, error, log)

    def _error(
        self,
        name: str,
        error: BrainError,
        log: AuditLog | None,
        digest: _Digest | None = None,
        *,
        kind: str = "file",
    ) -> Line:
        if log is not None:
            log.add_error(error, kind=kind, input_sha256=None if digest is None else digest())
        return json_fields(Outcome(source=name, error=error), self._context)


def _keep(seen: dict[int, bytes], index: int, image: Image.Image) -> None:
    seen[index] = packed_image(image)


class _Steps:
    """Passes progress on, and ends work that nobody waits for."""

    def __init__(self, progress: Progress | None, is_cancelled: Callable[[], bool] | None) -> None:
        self._progress, self._is_cancelled = progress, is_cancelled

    def check(self) -> None:
        if self._is_cancelled is not None and self._is_cancelled():
            raise Cancelled

    def tell(self, done: int, total: int) -> None:
        self.check()
        if self._progress is not None:
            self._progress(done, total)


def _images_of(content: bytes, name: str) -> dict[str, Callable[[], SourceImage]]:
    """Return the images of an archive by name; what is amiss with the archive is told when it is opened as a study."""
    from edge_infer.series.archive import Archive

    found: dict[str, Callable[[], SourceImage]] = {}
    with suppress(BrainError):
        for member in Archive(Path(name), content).members():
            if not member.name.lower().endswith(IMAGE_ENDINGS):
                continue
            if kind_of(member.start()) is None:
                found[member.name] = partial(_open_member, member.file)
    return found


def _open_member(file: ScanFile) -> SourceImage:
    return open_named(file.read(), file.name)


def bundle_facts(classifier: Classifier) -> Mapping[str, Any]:
    """Return what a program needs to know of the bundle before it asks: for a handshake, or a page.

    Args:
        classifier: Loaded.
    """
    bundle, trust = classifier.bundle, classifier.trust
    context = context_of(classifier)
    fitted_on = {} if trust is None else bundle.manifest["trust"]["fitted_on"]
    return {
        "model": context["model"],
        "runtime": context["runtime"],
        "device_choice": classifier.device_choice,
        "labels": list(bundle.labels),
        "negative": bundle.classes.negative,
        "temperature": bundle.temperature,
        "image_size": {"height": bundle.preprocessor.height, "width": bundle.preprocessor.width},
        "scope": classifier.scope,
        "trust": None
        if trust is None
        else {
            "alpha": trust.alpha,
            "set_thresholds": dict(trust.set_thresholds),
            "least_score": trust.least_score,
            "target_accuracy": trust.target_accuracy,
            "scope_threshold": trust.scope_threshold,
            "fitted_on": trust.way,
            "n": fitted_on["n"],
            "groups": dict(fitted_on["groups"]),
        },
        "series_rule": bundle.manifest.get("series") is not None,
        "limits": {"image_bytes": MAX_FILE_BYTES},
        "research_use_only": RESEARCH_USE_ONLY,
    }
