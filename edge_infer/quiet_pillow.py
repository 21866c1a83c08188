"""Keep Pillow and the libtiff in it from writing to standard error: what they find wrong is raised or refused here.

libtiff prints to file descriptor 2 what it thinks of a damaged TIFF, and Pillow gives it no other place. Turning the
descriptor away while an image is decoded would swallow what other threads of the host write meanwhile. So libtiff's
own switch is used, once and for good: whoever else decodes TIFFs with Pillow in this process no longer sees its notes
either. On Windows Pillow's libtiff cannot be reached, and its notes remain.

Pillow's Python warnings are ignored where nobody else says what is to be done with them: the filter stands last.
"""

import contextlib
import ctypes
import functools
import warnings

from PIL import _imaging

__all__ = ["quiet_pillow"]


@functools.cache
def quiet_pillow() -> None:
    """Turn their notes off, in this process, the first time it is called."""
    warnings.filterwarnings("ignore", module=r"PIL\.", append=True)
    # Through Pillow's own module, so that it is the libtiff that it uses.
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(_imaging.__file__)
        for handler in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            function = getattr(library, handler)
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
            function(None)
