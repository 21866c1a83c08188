"""Decode a stream of JPEG Lossless."""

import numpy as np
from numpy.typing import NDArray

from edge_infer.dicom.lossless.codes import differences_of
from edge_infer.dicom.lossless.markers import damaged, scan_of
from edge_infer.dicom.lossless.prediction import undo_prediction

__all__ = ["decode_lossless"]


def decode_lossless(stream: bytes, rows: int, columns: int, name: str) -> NDArray[np.uint16]:
    """Decode the only component of a stream.

    Args:
        stream: From SOI to EOI; its size has been compared with the header.
        rows: Of the image.
        columns: Of the image.
        name: As shown, for messages.

    Returns:
        (rows, columns).

    Raises:
        CorruptImage: Damaged, or there are not as many pixels as there should be.
        UnsupportedImage: Another kind of JPEG, or of several components.
    """
    scan = scan_of(stream, name)
    if scan.interval % columns:  # H.1.1: restarts stand between lines
        raise damaged(name)
    lines = differences_of(scan, rows * columns, name).reshape(rows, columns)
    high = scan.interval // columns or rows
    first = 1 << (scan.precision - scan.shift - 1)
    parts = [
        undo_prediction(lines[top : top + high], scan.predictor, first)
        for top in range(0, rows, high)
    ]
    values = np.concatenate(parts) << scan.shift
    if values.max() >= 1 << scan.precision:
        raise damaged(name)
    return values.astype(np.uint16)
