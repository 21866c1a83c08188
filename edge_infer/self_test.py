"""Ask a bundle for its known answers, on this machine and with this session.

Intact files and a runtime that starts are not enough. On x64 CPUs without VNNI onnxruntime's 8-bit products can
saturate (edge_infer/saturation.py), a driver can be faulty, and a provider can compute with less precision than it
claims; digests show none of that. The bundle is refused if a class differs, if a logit differs by more than the
tolerance stated in the bundle, or if a logit is NaN or infinite.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_infer.bundle import Bundle
from edge_infer.deadline import LOAD_SECONDS
from edge_infer.errors import RunError, SelfTestFailed, TimedOut
from edge_infer.golden import GoldenCase
from edge_infer.prediction import check_outputs
from edge_infer.preprocessing import to_pixel_values
from edge_infer.session import Session

__all__ = ["Replay", "SelfTest", "SelfTestReport", "replay", "require_golden_answers"]

#: What is replayed: ``quick`` two images, of two classes where possible; ``full`` all; ``off`` none. Each image runs
#: every operator, and a program that classifies one scan should not spend more time on its self-test than on the scan.
SelfTest = Literal["quick", "full", "off"]

_QUICK = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One golden image, asked again.

    Attributes:
        number: Its place on the sheet, from 1.
        expected: The class it got where the bundle was made.
        found: The class it got here; empty if there was no usable answer.
        drift: Largest difference of a logit; infinite if there was no usable answer.
        failure: What is wrong, in words; empty if nothing is wrong.
    """

    number: int
    expected: str
    found: str
    drift: float
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestReport:
    """The result of a self-test.

    Attributes:
        replays: One for each image; none if the bundle has no golden images.
        tolerance: Largest drift allowed, in logits.
    """

    replays: tuple[Replay, ...]
    tolerance: float

    @property
    def largest_drift(self) -> float:
        """The largest drift of all images that were replayed."""
        return max((replay.drift for replay in self.replays), default=0.0)

    @property
    def failures(self) -> tuple[str, ...]:
        """One sentence for each image that failed."""
        return tuple(replay.failure for replay in self.replays if replay.failure)

    def require_passed(self) -> None:
        """Raise an error unless all images passed.

        Raises:
            SelfTestFailed: An image failed; the message names the first.
        """
        if self.failures:
            raise SelfTestFailed(
                f"{len(self.failures)} of {len(self.replays)} golden images failed on this machine; "
                f"{self.failures[0]}",
                hint="do not use this bundle here; brain-doctor shows more, and an fp32 bundle or "
                "another device may do",
            )


def replay(
    bundle: Bundle,
    session: Session,
    extent: SelfTest = "full",
    *,
    tick: Callable[[int, int], None] | None = None,
) -> SelfTestReport:
    """Replay golden images, one by one as ``predict`` does, and return the result.

    Args:
        bundle: Whose answers are expected.
        session: Of this bundle.
        extent: ``quick``, ``full`` or ``off``.
        tick: Called with (done, total) after each image.

    Raises:
        TimedOut: An image takes longer than two minutes.
        ValueError: An unknown extent.
    """
    cases = _chosen(bundle.golden_cases() if extent != "off" else [], extent)
    # A bundle of schema 1 states no tolerance and has no images.
    tolerance = float(bundle.manifest["self_test"]["tolerance_logits"]) if cases else 0.0
    replays = []
    for done, case in enumerate(cases, start=1):
        replays.append(_ask(bundle, session, case, tolerance))
        if tick is not None:
            tick(done, len(cases))
    return SelfTestReport(replays=tuple(replays), tolerance=tolerance)


def require_golden_answers(bundle: Bundle, session: Session, extent: SelfTest) -> None:
    """Replay golden images and raise an error if an answer is not the known one.

    Raises:
        SelfTestFailed: A class differs, a logit is off by more than the tolerance, or is not finite.
        TimedOut: An image takes longer than two minutes.
    """
    replay(bundle, session, extent).require_passed()


def _chosen(cases: list[GoldenCase], extent: SelfTest) -> list[GoldenCase]:
    if extent not in ("quick", "full", "off"):
        raise ValueError(f"self_test is {extent!r}, expected quick, full or off")
    if extent != "quick":
        return cases
    first_of_class = {case.label: case for case in reversed(cases)}
    one_of_each = sorted(first_of_class.values(), key=lambda case: case.number)
    others = [case for case in cases if case is not first_of_class[case.label]]
    return [*one_of_each, *others][:_QUICK]


def _ask(bundle: Bundle, session: Session, case: GoldenCase, tolerance: float) -> Replay:
    name = f"golden image {case.number}"
    labels = bundle.labels
    try:
        pixel_values = to_pixel_values(case.grey[None], bundle.preprocessor)
        outputs = session.run(pixel_values, timeout_s=LOAD_SECONDS)
        logits, evidence = outputs[0][0], outputs[2][0]
        check_outputs(logits, evidence, classes=len(labels), source=name)
    except TimedOut:
        raise  # the other images would take as long
    except RunError as error:
        failure = error.message if name in error.message else f"{name}: {error.message}"
        return Replay(
            number=case.number, expected=case.label, found="", drift=float("inf"), failure=failure
        )
    found = labels[int(logits.argmax())]
    drift = float(np.abs(logits - case.logits).max())
    failure = ""
    if found != case.label:
        failure = f"{name}: is {found} here, expected {case.label} (logits differ by {drift:.3g})"
    elif not drift <= tolerance:
        failure = f"{name}: logits differ by {drift:.3g}, expected at most {tolerance:.3g}"
    return Replay(
        number=case.number, expected=case.label, found=found, drift=drift, failure=failure
    )
