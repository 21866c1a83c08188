"""From a device's name to what onnxruntime is asked for."""

from collections.abc import Sequence
from typing import Any

from edge_infer.devices.cuda import cuda_plan
from edge_infer.devices.directml import directml_plan
from edge_infer.devices.names import Device, parse_device
from edge_infer.devices.openvino import openvino_plan
from edge_infer.devices.plan import Plan, cpu_plan, named_plan

__all__ = ["plan_for"]


def plan_for(
    onnxruntime: Any, device: Device, providers: Sequence[str] | None, *, threads: int
) -> Plan:
    """Plan a session.

    Args:
        onnxruntime: The module.
        device: All but ``auto``, which is no device: ``edge_infer.device_choice`` chooses one.
        providers: onnxruntime's own names instead of a device.
        threads: For one image.

    Raises:
        ProviderUnavailable: The device is not there.
        ValueError: There is no such device, or it is ``auto``.
    """
    name = parse_device(device)
    if providers is not None:
        return named_plan(onnxruntime, providers)
    if name.kind == "cuda":
        return cuda_plan(onnxruntime, int(name.which))
    if name.kind == "openvino":
        return openvino_plan(onnxruntime, name.which, threads)
    if name.kind == "directml":
        return directml_plan(onnxruntime, int(name.which))
    if name.kind == "auto":
        raise ValueError("device is auto, expected a device: it is chosen with the bundle")
    return cpu_plan()
