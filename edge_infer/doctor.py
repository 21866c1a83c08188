"""Check everything that decides whether a bundle can be trusted on this machine, one thing after the other.

The checks stop at the first that fails: those after it could only mislead.
"""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_infer.bundle import Bundle, load_bundle, shipped_bundle_path
from edge_infer.classes import Classes
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.device_choice import open_chosen_session
from edge_infer.devices.survey import survey_devices
from edge_infer.errors import BrainError, SelfTestFailed
from edge_infer.machine import machine_facts, peak_rss_mb
from edge_infer.names import shown_name, shown_names
from edge_infer.preprocessing import to_pixel_values
from edge_infer.runtime import import_onnxruntime
from edge_infer.saturation import PRECISION_OPTION, needs_precaution, products_saturate
from edge_infer.self_test import SelfTestReport, replay
from edge_infer.session import Device, Session
from edge_infer.signature.keys import TrustSource, trusted_keys
from edge_infer.signature.verify import SignedBy

__all__ = ["DOCTOR_SCHEMA_VERSION", "Check", "Examination", "examine"]

#: Version of the JSON that ``brain-doctor --json`` prints.
DOCTOR_SCHEMA_VERSION = 1

_WARM_UP = 3
_TIMED_RUNS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: Stable name for machines.
        finding: What was found, in one line.
        facts: The same for machines.
        lines: More for people, a line each.
        error: What failed; None if nothing did.
    """

    name: str
    finding: str
    facts: dict[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    error: BrainError | None = None

    def as_json(self) -> dict[str, Any]:
        """Render for JSON."""
        rendered = {
            "name": self.name,
            "ok": self.error is None,
            "finding": self.finding,
            **self.facts,
        }
        if self.error is not None:
            rendered["error"] = {
                "code": self.error.code,
                "exit_code": self.error.exit_code,
                "message": self.error.message,
                "hint": self.error.hint,
            }
        return rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The result of all checks.

    Attributes:
        machine: See ``edge_infer.machine``.
        checks: In their order; those after a failure were not made.
    """

    machine: dict[str, Any]
    checks: tuple[Check, ...]

    @property
    def error(self) -> BrainError | None:
        """The failure, if there was one."""
        return next((check.error for check in self.checks if check.error), None)

    @property
    def answers_were_checked(self) -> bool:
        """Whether the bundle had golden images to replay."""
        return any(check.facts.get("pictures") for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Render for JSON."""
        return {
            "schema_version": DOCTOR_SCHEMA_VERSION,
            "status": "ok" if self.error is None else "failed",
            "machine": self.machine,
            "checks": [check.as_json() for check in self.checks],
            "research_use_only": RESEARCH_USE_ONLY,
        }


def examine(
    path: Path | None,
    *,
    device: Device = "cpu",
    num_threads: int | None = None,
    trust: TrustSource | None = None,
    tick: Callable[[int, int], None] | None = None,
) -> Examination:
    """Check the runtime, the bundle and its answers.

    Args:
        path: The bundle's folder; None takes the one shipped in this package.
        device: As for ``Classifier.load``.
        num_threads: As for ``Classifier.load``.
        trust: As for ``Classifier.load``.
        tick: Told (done, total) while golden images are replayed.
    """
    checks: list[Check] = []
    name = "onnxruntime"
    try:
        checks.append(_onnxruntime())
        checks.append(_telemetry())
        name = "devices"
        checks.append(_devices())
        name = "saturation"
        checks.append(_saturation())
        name = "bundle"
        bundle = load_bundle(
            shipped_bundle_path() if path is None else path, trusted=trusted_keys(trust)
        )
        checks.append(_bundle(bundle))
        name = "session"
        chosen = open_chosen_session(bundle, device=device, num_threads=num_threads)
        session = chosen.session
        checks.append(_session(session, bundle, chosen.choice))
        name = "self_test"
        checks.append(_self_test(replay(bundle, session, "full", tick=tick)))
        if checks[-1].error is None:
            name = "latency"
            checks.append(_latency(bundle, session))
            checks.append(_memory())
    except BrainError as error:
        checks.append(Check(name=name, finding=error.message, error=error))
    return Examination(machine=machine_facts(), checks=tuple(checks))


def _onnxruntime() -> Check:
    onnxruntime = import_onnxruntime()
    providers = list(onnxruntime.get_available_providers())
    return Check(
        name="onnxruntime",
        finding=f"{onnxruntime.__version__} with {', '.join(providers)}",
        facts={"version": onnxruntime.__version__, "providers": providers},
    )


def _telemetry() -> Check:
    # edge_infer sets it on import, before onnxruntime is imported (tested by test_sealed_run.py).
    value = os.environ.get("ORT_DISABLE_TELEMETRY", "")
    return Check(
        name="telemetry",
        finding=f"off (ORT_DISABLE_TELEMETRY={value}, set by this package)",
        facts={"ORT_DISABLE_TELEMETRY": value},
    )


def _devices() -> Check:
    found = survey_devices(import_onnxruntime())
    return Check(
        name="devices",
        finding=", ".join(device.device for device in found if device.is_there),
        facts={"devices": [device.as_json() for device in found]},
        lines=tuple(device.finding for device in found),
    )


def _saturation() -> Check:
    if products_saturate():
        finding = f"8-bit products saturate on this CPU, so {PRECISION_OPTION} is set for weights of 8 bits"
    else:
        finding = "8-bit products are exact on this CPU, no precaution is needed"
    return Check(
        name="saturation",
        finding=finding,
        facts={"products_saturate": products_saturate()},
    )


def _bundle(bundle: Bundle) -> Check:
    manifest = bundle.manifest
    size = f"{bundle.preprocessor.width} x {bundle.preprocessor.height}"
    return Check(
        name="bundle",
        finding=(
            f"{shown_name(bundle.path.name)}: {manifest['model']} {manifest['precision']}, {size}, "
            f"{len(manifest['files']) + 1} files as they were written, "
            f"{'with' if bundle.scope_model else 'without'} a scope check{_classes_words(bundle.classes)}"
            f"{_signer_words(bundle.signed_by)}"
        ),
        facts={
            "model": manifest["model"],
            "precision": manifest["precision"],
            "schema_version": manifest["schema_version"],
            "manifest_sha256": manifest["manifest_sha256"],
            "scope_check": bundle.scope_model is not None,
            "labels": list(bundle.labels),
            "negative_label": bundle.classes.negative,
            "signed_by": None if bundle.signed_by is None else bundle.signed_by.key_id,
        },
    )


def _signer_words(signer: SignedBy | None) -> str:
    """Say whose signature was verified, if one was asked for."""
    if signer is None:
        return ""
    return f"; signed with {shown_name(signer.key_file)} ({signer.key_id[:12]})"


def _classes_words(classes: Classes) -> str:
    """Say which classes a bundle has, if they are not the four brain classes."""
    if classes.is_brain:
        return ""
    negative = (
        "no negative class" if classes.negative is None else f"negative class {classes.negative}"
    )
    return f"; {len(classes)} classes: {shown_names(classes.names)}; {negative}"


def _session(session: Session, bundle: Bundle, choice: str) -> Check:
    precaution = needs_precaution(bundle.largest_weight)
    return Check(
        name="session",
        finding=(
            f"{session.provider}, {session.num_threads} threads"
            f"{f', {PRECISION_OPTION} set' if precaution else ''}{f'; {choice}' if choice else ''}"
        ),
        facts={
            "provider": session.provider,
            "num_threads": session.num_threads,
            "x64quantprecision": precaution,
            "choice": choice,
        },
    )


def _self_test(report: SelfTestReport) -> Check:
    error: BrainError | None = None
    try:
        report.require_passed()
    except SelfTestFailed as failed:
        error = failed
    total, drift = len(report.replays), report.largest_drift
    if total == 0:
        finding = "no golden images in this bundle (schema 1): its answers are unchecked here"
    elif error is not None:
        finding = f"{len(report.failures)} of {total} golden images failed"
    else:
        finding = (
            f"{total} of {total} golden images answered as known, largest drift "
            f"{drift:.2g} logits, allowed {report.tolerance:.2g}"
        )
    facts = {
        "pictures": total,
        "failures": list(report.failures),
        "largest_drift_logits": drift if math.isfinite(drift) else None,
        "tolerance_logits": report.tolerance if total else None,
    }
    return Check(name="self_test", finding=finding, facts=facts, error=error)


def _latency(bundle: Bundle, session: Session) -> Check:
    """Time the graph on one image at a time; the median's interval comes from order statistics."""
    height, width = bundle.preprocessor.height, bundle.preprocessor.width
    cases = bundle.golden_cases()
    grey = cases[0].grey if cases else np.zeros((height, width), dtype=np.uint8)
    times = []
    for _ in range(_WARM_UP + _TIMED_RUNS):
        started = time.perf_counter()
        session.run(to_pixel_values(grey[None], bundle.preprocessor))
        times.append(1000 * (time.perf_counter() - started))
    counted = sorted(times[_WARM_UP:])
    half_width = 0.98 * math.sqrt(_TIMED_RUNS)  # 1.96 standard deviations of a binomial count
    low = counted[math.floor(_TIMED_RUNS / 2 - half_width)]
    high = counted[math.ceil(_TIMED_RUNS / 2 + half_width)]
    p50 = float(np.median(counted))
    return Check(
        name="latency",
        finding=(
            f"p50 {p50:.1f} ms a scan (95 % interval {low:.1f}..{high:.1f}, n {_TIMED_RUNS}), "
            "without reading the file"
        ),
        facts={"p50_ms": p50, "low_ms": low, "high_ms": high, "n": _TIMED_RUNS},
    )


def _memory() -> Check:
    peak = peak_rss_mb()
    return Check(
        name="memory",
        finding="peak unknown on this system" if peak is None else f"peak {peak:.0f} MB",
        facts={"peak_rss_mb": peak},
    )
