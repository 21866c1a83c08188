"""A bundle's session: opened here only, so that nobody forgets to check the file again or to guard large weights."""

from collections.abc import Sequence
from pathlib import Path

from edge_infer.bundle import Bundle
from edge_infer.devices.names import parse_device
from edge_infer.errors import ProviderUnavailable
from edge_infer.session import Device, Session, open_session

__all__ = ["is_for_cuda", "open_bundle_session"]


def open_bundle_session(
    bundle: Bundle,
    *,
    device: Device = "cpu",
    providers: Sequence[str] | None = None,
    num_threads: int | None = None,
    profile_prefix: Path | None = None,
) -> Session:
    """Open a session on the very bytes that were verified when the bundle was loaded.

    Where 8-bit products saturate on this CPU, weights that are too large for them are guarded
    (``edge_infer.saturation``).

    Args:
        bundle: As loaded.
        device: As for ``open_session``.
        providers: As for ``open_session``.
        num_threads: As for ``open_session``.
        profile_prefix: As for ``open_session``.

    Raises:
        BundleIntegrity: model.onnx has changed since the bundle was loaded.
        ProviderUnavailable: CUDA is asked for, and the bundle is INT8.
        BrainError: What ``open_session`` raises.
    """
    if providers is None and parse_device(device).kind == "cuda" and not is_for_cuda(bundle):
        raise ProviderUnavailable(
            f"{device} is not for this bundle of {bundle.manifest['precision']}: onnxruntime's CUDA has no kernels for "
            "8-bit operators, so the CPU would run most of the graph, with copies between",
            hint="take a bundle that brain-export wrote with --fp16 or --fp32, or ask for the CPU",
        )
    return bundle.model.open(
        lambda model: open_session(
            model,
            device=device,
            providers=providers,
            num_threads=num_threads,
            largest_weight=bundle.largest_weight,
            profile_prefix=profile_prefix,
        )
    )


def is_for_cuda(bundle: Bundle) -> bool:
    """Tell whether CUDA has kernels for the bundle's operators.

    It has none for most that are INT8, and is then reported to be slower than the CPU alone:
    microsoft/onnxruntime#12229, #24807, #15260.
    """
    return bool(bundle.manifest["precision"] != "int8")
