"""Intel's processors by OpenVINO's plugin for onnxruntime, the package onnxruntime-ep-openvino (licence: MIT)."""

import importlib
import json
import threading
from pathlib import Path
from typing import Any

from edge_infer.devices.plan import Plan, ep_devices
from edge_infer.errors import ProviderUnavailable

__all__ = ["OPENVINO", "device_names", "library", "openvino_plan", "register"]

OPENVINO = "OpenVINOExecutionProvider"

_MODULE = "onnxruntime_ep_openvino"
_REGISTERED_AS = "brain-edge-openvino"
_INSTALL = (
    "pip install 'brain-edge[openvino]', which goes beside the onnxruntime that is there (Linux and Windows on x64 "
    "only); or ask for the CPU"
)
_CHECK = "another bundle may do (docs/devices.md lists what was tried), or ask for the CPU"

_registering = threading.Lock()


def openvino_plan(onnxruntime: Any, which: str, threads: int) -> Plan:
    """Ask for a device of OpenVINO. It takes the whole graph: what it left to the CPU would not be OpenVINO's answer.

    Args:
        onnxruntime: The module.
        which: ``CPU``, ``GPU``, ``GPU.1``, ``NPU``.
        threads: Threads for one image, where the device is a CPU.

    Raises:
        ProviderUnavailable: The plugin is not installed or does not load, or offers no such device.
    """
    register(onnxruntime)
    found = device_names(onnxruntime)
    if which not in found:
        names = ", ".join(found) or "none (it takes Intel's processors only)"
        raise ProviderUnavailable(
            f"openvino:{which} is not there; OpenVINO offers {names}",
            hint="ask for one of these, or for the CPU",
        )
    return Plan(
        required=(OPENVINO,),
        ep_devices=[found[which]],
        ep_options={
            "load_config": json.dumps({which.partition(".")[0]: _settings(which, threads)})
        },
        config={"session.disable_cpu_ep_fallback": "1"},
        runtime_threads=1,
        hint=_CHECK,
    )


def register(onnxruntime: Any) -> None:
    """Make the plugin's devices known to onnxruntime, once in a process.

    Raises:
        ProviderUnavailable: The plugin is not installed, or does not load.
    """
    with _registering:
        if any(ep_devices(onnxruntime, OPENVINO)):
            return  # by us, or by the program that we are part of
        path = library()
        if path is None:
            raise ProviderUnavailable(
                "OpenVINO is not installed: there is no package onnxruntime-ep-openvino",
                hint=_INSTALL,
            )
        try:
            onnxruntime.register_execution_provider_library(_REGISTERED_AS, str(path))
        except Exception as error:  # onnxruntime's own classes; AttributeError before 1.23
            if "already registered" in str(error):  # and it offers no device
                return
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ProviderUnavailable(
                f"OpenVINO's plugin does not load: {reason.replace(str(path), path.name)[:300]}",
                hint=_INSTALL,
            ) from error


def device_names(onnxruntime: Any) -> dict[str, Any]:
    """Return the devices that a registered plugin offers, by OpenVINO's names."""
    # AUTO and the like, which choose among them, have provider names of their own.
    return {
        str(device.ep_metadata.get("ov_device", "")): device
        for device in ep_devices(onnxruntime, OPENVINO)
    }


def library() -> Path | None:
    """Return the plugin's library, or None where the package is not installed or damaged."""
    try:
        return Path(importlib.import_module(_MODULE).get_library_path())
    except (ImportError, FileNotFoundError):
        return None


def _settings(which: str, threads: int) -> dict[str, str]:
    """Return OpenVINO's properties of a device; it refuses unknown names and values."""
    if which == "NPU":
        return {}  # it computes in float16 whatever is asked
    settings = {
        "INFERENCE_PRECISION_HINT": "f32"
    }  # else bfloat16 or float16 where the processor has it
    if which == "CPU":
        settings |= {
            "INFERENCE_NUM_THREADS": str(threads),
            "NUM_STREAMS": "1",
            # Else each process pins its threads to cores, and all processes to the same: two processes of one thread
            # then answered 49 images a second each on two cores, without pinning 114 (measured).
            "ENABLE_CPU_PINNING": "NO",
        }
    return settings
