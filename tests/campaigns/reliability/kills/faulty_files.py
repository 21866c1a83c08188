"""Some twenty ways in which an image file of a batch may be wrong, each with the code it must get."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from dicom_files import file_bytes, secondary_capture
from PIL import Image
from tiny_bundle import scan

__all__ = ["FAULTS", "good"]


def good(seed: int) -> bytes:
    """An image that is answered: PNG, JPEG, BMP or TIFF."""
    kind = ("PNG", "JPEG", "BMP", "TIFF")[seed % 4]
    return _saved(scan(seed), kind)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _damaged_sum() -> bytes:
    data = bytearray(_saved(scan(1), "PNG"))
    data[-20] ^= 0xFF
    return bytes(data)


def _many_pixels(width: int, height: int) -> bytes:
    """A PNG whose header states more pixels than anybody has."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunks + _saved(scan(1), "PNG")[33:]


def _two_pages() -> bytes:
    return _saved(scan(1), "TIFF", save_all=True, append_images=[scan(2)])


#: Name: how it is made, and its code.
FAULTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "corrupt"),
    "one byte": (lambda: b"\x89", "corrupt"),
    "text": (lambda: b"This is no image.\n" * 40, "unsupported"),
    "random bytes": (lambda: np.random.default_rng(1).bytes(3000), "corrupt"),
    "zeros": (lambda: bytes(5000), "corrupt"),
    "half a PNG": (lambda: _saved(scan(1), "PNG")[:-900], "corrupt"),
    "half a JPEG": (lambda: _saved(scan(1), "JPEG")[:-500], "corrupt"),
    "half a BMP": (lambda: _saved(scan(1), "BMP")[:-500], "corrupt"),
    "half a TIFF": (lambda: _saved(scan(1), "TIFF")[:1000], "corrupt"),
    "a damaged check sum": (_damaged_sum, "corrupt"),
    "a GIF": (lambda: _saved(scan(1), "GIF"), "unsupported"),
    "a WebP": (lambda: _saved(scan(1), "WEBP"), "unsupported"),
    "a JPEG 2000": (lambda: _saved(scan(1), "JPEG2000"), "unsupported"),
    "an icon": (lambda: _saved(scan(1), "ICO"), "unsupported"),
    "a PDF": (lambda: _saved(scan(1), "PDF"), "unsupported"),
    "two pages": (_two_pages, "unsupported"),
    "an SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported"),
    "a DICOM image": (lambda: file_bytes(secondary_capture()), "unsupported"),
    "many pixels": (lambda: _many_pixels(60_000, 60_000), "over_limit"),
    "one long row": (lambda: _many_pixels(1_000_000, 1), "over_limit"),
}
