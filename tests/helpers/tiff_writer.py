"""Writes TIFFs that Pillow does not: any tag, any byte order, any number of pages."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_FORMATS = {"u": 1, "i": 2, "f": 3, "c": 6}


def tiff(
    array: NDArray[np.generic],
    *,
    order: str = "<",
    deflate: bool = False,
    pages: int = 1,
    **changes: int | tuple[int, ...],
) -> bytes:
    """Return a TIFF of (H, W) or (H, W, channels) in one strip; ``changes`` are tags: ``t259=50000``."""
    height, width, *rest = array.shape
    channels = rest[0] if rest else 1
    pixels = array.astype(array.dtype.newbyteorder(order)).tobytes()
    strip = zlib.compress(pixels) if deflate else pixels
    tags: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: (array.dtype.itemsize * 8,) * channels,
        259: (8 if deflate else 1,),
        262: (2 if channels >= 3 else 1,),
        273: (8,),
        277: (channels,),
        278: (height,),
        279: (len(strip),),
        339: (_FORMATS[array.dtype.kind],) * channels,
    }
    for name, value in changes.items():
        tags[int(name[1:])] = value if isinstance(value, tuple) else (value,)
    parts = [b"II*\0" if order == "<" else b"MM\0*", b"", strip + b"\0" * (len(strip) % 2)]
    first = 8 + len(parts[2])
    parts[1] = struct.pack(f"{order}I", first)
    at = first
    for page in range(pages):
        body = _page(tags, order, at, is_last=page == pages - 1)
        parts.append(body)
        at += len(body)
    return b"".join(parts)


def _page(tags: dict[int, tuple[int, ...]], order: str, at: int, *, is_last: bool) -> bytes:
    entries, far = [], b""
    behind = at + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        kind, form = (4, "I") if tag in (273, 279, 324, 325) else (3, "H")
        packed = struct.pack(f"{order}{len(values)}{form}", *values)
        if len(packed) > 4:
            entries.append(struct.pack(f"{order}HHII", tag, kind, len(values), behind + len(far)))
            far += packed + b"\0" * (len(packed) % 2)
        else:
            entries.append(
                struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
            )
    following = 0 if is_last else behind + len(far)
    return (
        struct.pack(f"{order}H", len(tags))
        + b"".join(entries)
        + struct.pack(f"{order}I", following)
        + far
    )
