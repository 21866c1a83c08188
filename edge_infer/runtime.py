"""Find out which onnxruntime is installed and import it: there must be exactly one."""

import importlib
import importlib.metadata
import os
from typing import Any

from edge_infer.errors import InferenceFailed

__all__ = ["import_onnxruntime", "versions"]

# They all install the same folder, so a second one overwrites parts of the first.
_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")


def import_onnxruntime() -> Any:
    """Import onnxruntime, with its telemetry off.

    Raises:
        InferenceFailed: None is installed, more than one is, or it does not load.
    """
    found = [name for name in _DISTRIBUTIONS if _version(name)]
    if len(found) > 1:
        raise InferenceFailed(
            f"{' and '.join(found)} are both installed and overwrite each other's files",
            hint=f"pip uninstall {' '.join(found)}, then install one: "
            "pip install 'brain-edge[cpu]' or 'brain-edge[gpu]'",
        )
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # again: somebody may have cleared the environment
    try:
        return importlib.import_module("onnxruntime")
    except ModuleNotFoundError as error:
        raise InferenceFailed(
            "onnxruntime is not installed",
            hint="pip install 'brain-edge[cpu]', or 'brain-edge[gpu]' for an NVIDIA card",
        ) from error
    except ImportError as error:
        raise InferenceFailed(
            f"onnxruntime is installed but does not load ({error})",
            hint="reinstall it: pip install --force-reinstall 'brain-edge[cpu]'",
        ) from error


def versions() -> dict[str, str]:
    """Return the versions a result depends on."""
    installed = {name: _version(name) for name in (*_DISTRIBUTIONS, "numpy", "pillow")}
    return {name: version for name, version in installed.items() if version}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
