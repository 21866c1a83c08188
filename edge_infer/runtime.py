"""Find out which onnxruntime is installed and import it: there must be exactly one."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from edge_infer.errors import InferenceFailed

__all__ = ["import_onnxruntime", "versions"]

# They all install the same folder, so a second one overwrites parts of the first.
_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")


def import_onnxruntime() -> Any:
    """Import onnxruntime, with its telemetry off.

    Raises:
        InferenceFailed: None is installed, more than one is, or it does not load.
    """
    found = list(_onnxruntimes())
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
    return {**_onnxruntimes(), "numpy": np.__version__, "pillow": PIL.__version__}


def _onnxruntimes() -> dict[str, str]:
    """Find which are installed, by the names of the folders pip leaves: version of each.

    importlib.metadata would say the same, and import the standard library's e-mail, CSV and compression for it: 30 ms
    of a start that shall take 700.
    """
    installed = dict(
        folder.name.removesuffix(".dist-info").split("-", 1)
        for place in sys.path
        for folder in Path(place).glob("onnxruntime*-*.dist-info")
    )
    found = {name: installed.get(name.replace("-", "_"), "") for name in _DISTRIBUTIONS}
    return {name: version for name, version in found.items() if version}
