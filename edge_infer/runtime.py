"""Find out which onnxruntime is installed and import it: there must be exactly one."""

import importlib
import os
import sys
from typing import Any

import numpy as np
import PIL

from edge_infer.errors import InferenceFailed, MissingDependency

__all__ = ["import_onnxruntime", "plugins", "versions"]

#: Packages whose names begin alike but which are no runtimes. All others are onnxruntime for some processor: -gpu,
#: -directml, -openvino, -qnn, -rocm, -migraphx, -training, ...
_ADDITIONS = ("onnxruntime-extensions", "onnxruntime-genai", "onnxruntime-tools")
#: Providers that plug into any onnxruntime: results may depend on them, too.
_PLUGINS = ("onnxruntime-ep-",)
_ENDINGS = (".dist-info", ".egg-info")


def import_onnxruntime() -> Any:
    """Import onnxruntime, with its telemetry off.

    Raises:
        MissingDependency: None is installed.
        InferenceFailed: More than one is installed, or the one there is does not load.
    """
    found = list(_onnxruntimes())
    if len(found) > 1:  # they all install a folder of the same name
        raise InferenceFailed(
            f"{' and '.join(found)} are both installed and overwrite each other's files",
            hint=f"pip uninstall {' '.join(found)}, then install one: "
            "pip install 'brain-edge[cpu]' or 'brain-edge[gpu]'",
        )
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # again: somebody may have cleared the environment
    try:
        onnxruntime = importlib.import_module("onnxruntime")
        # On Windows the variable is not asked; events go to the system's tracing until this is said.
        getattr(onnxruntime, "disable_telemetry_events", lambda: None)()
        return onnxruntime
    except ModuleNotFoundError as error:
        raise MissingDependency(
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
    return {**_onnxruntimes(), **plugins(), "numpy": np.__version__, "pillow": PIL.__version__}


def _onnxruntimes() -> dict[str, str]:
    """Return name and version of each onnxruntime in the first folder of ``sys.path`` that has one.

    The names of pip's folders tell. importlib.metadata gives the same, but imports the standard library's e-mail, CSV
    and compression modules, which takes 30 ms of a start of 700 ms.
    """
    for place in sys.path:
        found = {
            name: version
            for name, version in _installed_in(place).items()
            if not name.startswith(_PLUGINS)
        }
        if found:
            return found
    return {}


def plugins() -> dict[str, str]:
    """Return name and version of each package of a provider that plugs into onnxruntime."""
    return {
        name: version
        for place in reversed(sys.path)  # the first folder counts
        for name, version in _installed_in(place).items()
        if name.startswith(_PLUGINS)
    }


def _installed_in(place: str) -> dict[str, str]:
    try:
        names = os.listdir(place or ".")  # noqa: PTH208 -- only names are needed
    except OSError:  # missing, forbidden or an archive: Python skips it, too
        return {}
    found = {}
    for name in sorted(names):
        if name.startswith(("onnxruntime", "ort_nightly")) and name.endswith(_ENDINGS):
            package, _, version = name.rpartition(".")[0].partition("-")
            package = package.replace("_", "-")
            if not package.startswith(_ADDITIONS):
                found[package] = version
    return found
