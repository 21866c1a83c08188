"""What the readers show of a scan that lies in memory, for their tests."""

import numpy as np
from dicom_files import scan_file
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from edge_infer.dicom.read import open_dicom
from edge_infer.errors import BrainError, ScanRefused
from edge_infer.scan_slice import ScanSlice, ShownSlice

__all__ = ["only_slice", "outcome", "pixels", "refusal_of", "shown"]


def only_slice(content: FileDataset | bytes, *, despite: tuple[str, ...] = ()) -> ScanSlice:
    """Open a file of one slice."""
    (found,) = open_dicom(scan_file(content), despite=despite)
    return found


def shown(content: FileDataset | bytes, *, despite: tuple[str, ...] = ()) -> ShownSlice:
    """Open a file of one slice and read it."""
    return only_slice(content, despite=despite).read()


def pixels(one: ShownSlice) -> NDArray[np.int64]:
    """Return the grey levels, as integers that can be subtracted."""
    return np.asarray(one.source.image).astype(np.int64)


def refusal_of(content: FileDataset | bytes, *, despite: tuple[str, ...] = ()) -> str:
    """Return the value of the refusal of a file, or ``read``."""
    try:
        open_dicom(scan_file(content), despite=despite)
    except ScanRefused as error:
        return error.refusal.value
    return "read"


def outcome(content: FileDataset | bytes) -> str:
    """Return ``read`` if all slices of a file can be read, else the code of the error."""
    try:
        for one in open_dicom(scan_file(content)):
            one.read()
    except BrainError as error:
        return error.code
    return "read"
