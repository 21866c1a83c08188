"""What the node needs beyond the base install, asked for before anything is started."""

import importlib

from edge_infer.errors import MissingDependency

__all__ = ["require"]

_EXTRA_OF = {"pynetdicom": "node", "pydicom": "dicom"}


def require(*modules: str) -> None:
    """Check that packages are installed.

    Raises:
        MissingDependency: One is not; names the extra that brings it.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            raise MissingDependency(
                f"{module} is not installed", hint=f"pip install 'brain-edge[{_EXTRA_OF[module]}]'"
            ) from None
