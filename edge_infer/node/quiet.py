"""Keep pydicom, pynetdicom and decoders from printing: their warnings and logs hold values of headers."""

import logging
import warnings

__all__ = ["silence_dicom"]

_LOGGERS = ("pydicom", "pynetdicom", "openjpeg", "jpeg_ls")


def silence_dicom() -> None:
    """Silence them for good, in a process that does nothing else."""
    warnings.simplefilter("ignore")
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)
