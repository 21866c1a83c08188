"""NVIDIA cards by onnxruntime's CUDA provider: built in (onnxruntime-gpu), or as the plugin that comes with it.

Never run on a GPU by us: docs/devices.md says what was tried, and tests/gpu/check.py how to try the rest.
"""

import contextlib
import ctypes
import io
import sys
from pathlib import Path
from typing import Any

from edge_infer.devices.plan import CPU, Plan, ep_devices
from edge_infer.errors import ProviderUnavailable

__all__ = ["CUDA", "INSTALL_CUDA", "cuda_plan", "driver_failure", "has_cuda", "packaged_libraries"]

CUDA = "CUDAExecutionProvider"

INSTALL_CUDA = "pip uninstall onnxruntime, then pip install 'brain-edge[gpu]'; or ask for the CPU"
_CHECK = "check the driver (nvidia-smi) and CUDA's libraries (brain-doctor lists them), or ask for the CPU"

#: Those without which the provider does not load; others come with them.
_LIBRARIES = ("libcudart", "libcublas.", "libcudnn.", "cudart64", "cublas64", "cudnn64")

#: TF32 has 10 bits of mantissa: logits would differ by 1e-3 and more from those the bundle knows. The other search for
#: convolution algorithms, EXHAUSTIVE (the default), tries all of them at the first run of each batch size. Doubling
#: blocks, the default of the arena, holds up to twice the memory that is needed.
_OPTIONS = {
    "arena_extend_strategy": "kSameAsRequested",
    "cudnn_conv_algo_search": "HEURISTIC",
    "use_tf32": "0",
}
#: The same for the plugin, whose arena has names and numbers of its own (1: as requested).
_PLUGIN_OPTIONS = {
    "arena.extend_strategy": "1",
    "cudnn_conv_algo_search": "HEURISTIC",
    "use_tf32": "0",
}


def has_cuda(onnxruntime: Any) -> bool:
    """Tell whether this onnxruntime was built with CUDA, or a plugin offers it; not whether it works."""
    return CUDA in onnxruntime.get_available_providers() or any(ep_devices(onnxruntime, CUDA))


def cuda_plan(onnxruntime: Any, ordinal: int) -> Plan:
    """Ask for an NVIDIA card.

    Args:
        onnxruntime: The module.
        ordinal: Of the card, as CUDA counts them.

    Raises:
        ProviderUnavailable: This onnxruntime has no CUDA, or a plugin does not list the card.
    """
    missing = _preloaded(onnxruntime)
    reason = "; ".join(filter(None, (driver_failure(), missing)))
    if CUDA in onnxruntime.get_available_providers():
        return Plan(
            required=(CUDA, CPU),  # the CPU takes the few operators that CUDA lacks
            providers=((CUDA, {"device_id": str(ordinal), **_OPTIONS}), CPU),
            hint=_CHECK,
            reason=reason,
        )
    devices = list(ep_devices(onnxruntime, CUDA))
    if not devices:
        raise ProviderUnavailable(
            f"{CUDA} is not in this onnxruntime {onnxruntime.__version__}, which has "
            f"{', '.join(onnxruntime.get_available_providers())}",
            hint=INSTALL_CUDA,
        )
    numbers = [
        str(device.ep_metadata.get("cuda_device_id", place)) for place, device in enumerate(devices)
    ]
    if str(ordinal) not in numbers:
        raise ProviderUnavailable(
            f"cuda:{ordinal} is not there; the CUDA plugin lists {', '.join(numbers)}", hint=_CHECK
        )
    return Plan(
        required=(CUDA,),
        ep_devices=[devices[numbers.index(str(ordinal))]],
        ep_options=_PLUGIN_OPTIONS,
        hint=_CHECK,
        reason=reason,
    )


def _preloaded(onnxruntime: Any) -> str:
    """Load the CUDA libraries that pip installed, where onnxruntime can; return what it says is missing.

    The empty folder means NVIDIA's packages and then the system's, but not those within torch, which may be of another
    version. It says what it misses on stdout, where results go.
    """
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is None:
        return ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(Exception):  # opening tells the rest
        preload(directory="")
    failures = [line for line in said.getvalue().splitlines() if "Failed to load" in line]
    return "; ".join(line.removeprefix("Failed to load ").strip() for line in failures[:3])


def packaged_libraries() -> list[Path]:
    """Return the libraries of CUDA and cuDNN that pip installed; the first folder of packages that has any counts."""
    for place in filter(None, sys.path):
        found = [
            path
            for pattern in ("*/lib/lib*.so.*", "*/bin/**/*.dll")
            for path in sorted((Path(place) / "nvidia").glob(pattern))
            if path.name.lower().startswith(_LIBRARIES)
        ]
        if found:
            return found
    return []


def driver_failure() -> str:
    """Return why NVIDIA's driver does not load; empty if it does."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        ctypes.CDLL(library)
    except OSError:
        return f"the driver's {library} does not load"
    return ""
