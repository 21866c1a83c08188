"""Stop Pillow and its libtiff from writing to standard error and to logs: problems are raised or refused here instead.

libtiff prints messages about a damaged TIFF to file descriptor 2, and Pillow does not redirect them. Redirecting the
descriptor while an image is decoded would also lose what other threads of the host write meanwhile. So libtiff's own
switch is used, once and permanently: other code that decodes TIFFs with Pillow in this process no longer sees the
messages either. On Windows Pillow's libtiff cannot be reached, and its messages remain.

Pillow's Python warnings are ignored unless the host has its own filter for them: ours is added last.

At the level DEBUG Pillow logs the texts of an image: each tag of TIFF and EXIF, and PNG's chunks. They may hold a name,
so a host that listens to everything does not get them; one that wants them has to turn Pillow's log on by itself, after
the first image.
"""

import contextlib
import ctypes
import functools
import logging
import warnings

from PIL import _imaging

__all__ = ["quiet_pillow"]


@functools.cache
def quiet_pillow() -> None:
    """Turn the messages off for this process, at the first call."""
    warnings.filterwarnings("ignore", module=r"PIL\.", append=True)
    logging.getLogger("PIL").setLevel(logging.WARNING)
    # Through Pillow's own module, to get the libtiff that it uses.
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(_imaging.__file__)
        for handler in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            function = getattr(library, handler)
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
            function(None)
