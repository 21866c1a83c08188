"""A bundle's session: opened here only, so that nobody forgets to check the file again or to guard large weights."""

from collections.abc import Sequence
from pathlib import Path

from edge_infer.bundle import Bundle
from edge_infer.session import Device, Session, open_session

__all__ = ["open_bundle_session"]


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
        BrainError: What ``open_session`` raises.
    """
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
