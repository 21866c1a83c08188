"""Stop pydicom from printing: it shows bad values of a header, and such a value may be a name.

pydicom says each of them twice, as a warning and in its log. Both are turned off for the whole process, since warning
filters cannot be those of one thread. A host that wants pydicom's own log has to turn it on again after each file.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec

from edge_infer.errors import BrainError, CorruptImage, InputOverLimit, MissingDependency

__all__ = ["EXTRA_HINT", "foreign_errors", "quiet_pydicom", "require_pydicom"]

EXTRA_HINT = "pip install 'brain-edge[dicom]'"

_MODULES = r"pydicom(\.|$)"
_LOGGERS = ("pydicom", "openjpeg", "jpeg_ls")
_SILENT = logging.CRITICAL + 1


def require_pydicom(name: str) -> None:
    """Check that the extra is installed, and make it quiet.

    Args:
        name: Of the file, as shown.

    Raises:
        MissingDependency: pydicom is not installed.
    """
    if find_spec("pydicom") is None:
        raise MissingDependency(
            f"{name}: format is DICOM, which needs the package pydicom", hint=EXTRA_HINT
        )
    quiet_pydicom()


def quiet_pydicom() -> None:
    """Turn warnings and log off. Cheap; to be called before each file, since a host may have changed the filters."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(_SILENT)
    first = warnings.filters[0] if warnings.filters else None
    if first is None or getattr(first[3], "pattern", "") != _MODULES:
        warnings.filterwarnings("ignore", module=_MODULES)  # before the host's: "error" would raise


@contextlib.contextmanager
def foreign_errors(name: str, what: str) -> Iterator[None]:
    """Turn whatever pydicom or a decoder raises into an error that shows no value of the header.

    Args:
        name: Of the file, as shown.
        what: What is damaged if it fails.

    Raises:
        CorruptImage: Anything was raised but our own errors.
        InputOverLimit: There is not enough memory.
    """
    try:
        yield
    except BrainError:
        raise
    except MemoryError:
        raise InputOverLimit(f"{name}: there is not enough memory to read it") from None
    except Exception as error:  # pydicom raises anything, and what it says may hold a name
        raise CorruptImage(
            f"{name}: {what} is damaged or cut short ({type(error).__name__})",
            hint="copy or export the file again",
        ) from None
