"""``--device auto``: CUDA where it is known to answer rightly, otherwise the CPU; and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_infer.bundle import Bundle
from edge_infer.bundle_session import is_for_cuda, open_bundle_session
from edge_infer.devices.cuda import has_cuda
from edge_infer.devices.names import Device, parse_device
from edge_infer.errors import RunError
from edge_infer.runtime import import_onnxruntime
from edge_infer.self_test import replay
from edge_infer.session import Session

__all__ = ["ChosenSession", "open_chosen_session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenSession:
    """A session, and how it was chosen.

    Attributes:
        session: On the device.
        device: Never ``auto``: another process that is to answer alike asks for this one.
        choice: Which device ``auto`` took and why, as a sentence; empty where the device was asked for.
    """

    session: Session
    device: Device
    choice: str = ""


def open_chosen_session(
    bundle: Bundle,
    *,
    device: Device = "cpu",
    providers: Sequence[str] | None = None,
    num_threads: int | None = None,
) -> ChosenSession:
    """Open a session on a device, or on the one that ``auto`` chooses.

    ``auto`` takes CUDA if the bundle is not INT8, the session opens, and two golden images get their known answers
    there, whatever self-test follows. It never takes OpenVINO, which is no faster than the CPU provider
    (docs/devices.md), nor DirectML.

    Args:
        bundle: As loaded.
        device: As people name it (``edge_infer.devices.names``).
        providers: onnxruntime's own names instead of a device.
        num_threads: As for ``open_session``.

    Raises:
        ProviderUnavailable: The device is not there; there is no fallback but that of ``auto``.
        BrainError: What ``open_bundle_session`` raises.
        ValueError: An unknown device or a thread count below 1.
    """
    if parse_device(device).kind != "auto" or providers is not None:
        asked = "cpu" if providers is not None else device
        opened = open_bundle_session(
            bundle, device=asked, providers=providers, num_threads=num_threads
        )
        return ChosenSession(session=opened, device=asked)
    on_cuda, why = _on_cuda(bundle, num_threads)
    if on_cuda is not None:
        return ChosenSession(session=on_cuda, device="cuda", choice=f"auto took CUDA: {why}")
    opened = open_bundle_session(bundle, num_threads=num_threads)
    return ChosenSession(session=opened, device="cpu", choice=f"auto took the CPU: {why}")


def _on_cuda(bundle: Bundle, num_threads: int | None) -> tuple[Session | None, str]:
    """Return a session whose answers are known to be right, or none; and why."""
    if not is_for_cuda(bundle):
        return None, f"the bundle is {bundle.manifest['precision']}, for which CUDA has no kernels"
    if not bundle.golden_cases():
        return None, "the bundle has no golden images to check CUDA's answers with"
    if not has_cuda(import_onnxruntime()):
        return None, "this onnxruntime has no CUDA"
    try:
        opened = open_bundle_session(bundle, device="cuda", num_threads=num_threads)
        report = replay(bundle, opened, "quick")
        report.require_passed()
    except RunError as error:  # not there, wrong answers, no memory, no answer in time
        return None, error.message
    return opened, f"{len(report.replays)} golden images got their known answers there"
