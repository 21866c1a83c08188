"""Small images of every format and kind, and numbered damage to them."""

import functools
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, PngImagePlugin
from reliability.inputs.watching import CANARY

__all__ = ["damaged_image", "seeds"]

Random = np.random.Generator


@functools.cache
def seeds() -> dict[str, bytes]:
    """Return a small valid file of each kind; those that can hold text hold the canary."""
    rows, columns = np.mgrid[-1:1:48j, -1:1:64j]
    pixels = ((rows**2 + columns**2 < 0.9) * (130 + 90 * rows + 30 * columns)).clip(0, 255)
    grey = Image.fromarray(pixels.astype(np.uint8))
    rgb = Image.merge("RGB", (grey, grey.rotate(90), grey.rotate(180)))
    rgba = rgb.copy()
    rgba.putalpha(grey)
    deep = Image.fromarray((pixels * 16).astype(np.uint16))
    real = Image.fromarray(pixels.astype(np.float32))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = exif[0x013B] = f"{CANARY}^NAME"  # description, artist
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", f"{CANARY}^NAME")
    text.add_text("Comment", f"{CANARY} " * 20, zip=True)
    wanted: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "jpeg": (grey, "JPEG", {"comment": CANARY}),
        "jpeg-rgb": (rgb, "JPEG", {"exif": exif}),
        "jpeg-progressive": (rgb, "JPEG", {"progressive": True}),
        "jpeg-cmyk": (rgb.convert("CMYK"), "JPEG", {}),
        "jpeg-restart": (rgb, "JPEG", {"restart_marker_blocks": 2}),
        "png": (grey, "PNG", {"pnginfo": text}),
        "png-rgba": (rgba, "PNG", {"exif": exif}),
        "png-palette": (rgb.quantize(16), "PNG", {"transparency": 3}),
        "png-16": (deep, "PNG", {}),
        "png-1": (grey.convert("1"), "PNG", {}),
        "bmp": (rgb, "BMP", {}),
        "bmp-8": (grey, "BMP", {}),
        "tiff": (grey, "TIFF", {}),
        "tiff-rgb": (rgb, "TIFF", {"exif": exif}),
        "tiff-lzw": (rgba, "TIFF", {"compression": "tiff_lzw"}),
        "tiff-deflate": (deep, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "tiff-packbits": (grey, "TIFF", {"compression": "packbits"}),
        "tiff-jpeg": (rgb, "TIFF", {"compression": "jpeg"}),
        "tiff-group4": (grey.convert("1"), "TIFF", {"compression": "group4"}),
        "tiff-float": (real, "TIFF", {"compression": "tiff_lzw"}),
        "tiff-ycbcr": (rgb.convert("YCbCr"), "TIFF", {}),
        "tiff-pages": (grey, "TIFF", {"save_all": True, "append_images": [rgb]}),
        "gif": (grey, "GIF", {}),
        "webp": (rgb, "WEBP", {}),
        "tga": (grey, "TGA", {}),
        "pgm": (grey, "PPM", {}),
        "ico": (rgba, "ICO", {}),
    }
    made = {}
    for name, (image, form, options) in wanted.items():
        file = io.BytesIO()
        image.save(file, form, **options)
        made[name] = file.getvalue()
    made["dicom"] = b"\0" * 128 + b"DICM\2\0\0\0UL\4\0\xc4\0\0\0" + b"\0" * 400
    made["nifti"] = b"\x5c\x01\0\0" + b"\0" * 340 + b"n+1\0" + b"\0" * 400
    made["text"] = b"<!DOCTYPE html><html><body>log in</body></html>\n" * 4
    return made


def _flip_bits(data: bytearray, draw: Random, _: list[bytes]) -> None:
    for at in draw.integers(0, len(data), draw.integers(1, 9)):
        data[at] ^= 1 << int(draw.integers(8))


def _flip_header(data: bytearray, draw: Random, _: list[bytes]) -> None:
    for at in draw.integers(0, min(len(data), 200), draw.integers(1, 5)):
        data[at] = int(draw.choice([0, 1, 2, 8, 16, 32, 127, 128, 254, 255]))


def _cut(data: bytearray, draw: Random, _: list[bytes]) -> None:
    del data[int(draw.integers(0, len(data))) :]


def _cut_middle(data: bytearray, draw: Random, _: list[bytes]) -> None:
    first, last = sorted(draw.integers(0, len(data), 2))
    del data[first:last]


def _splice(data: bytearray, draw: Random, others: list[bytes]) -> None:
    other = others[int(draw.integers(len(others)))]
    at = int(draw.integers(0, len(data)))
    data[at:] = other[int(draw.integers(0, len(other))) :]


def _repeat(data: bytearray, draw: Random, _: list[bytes]) -> None:
    first, last = sorted(draw.integers(0, len(data), 2))
    data[first:first] = data[first : min(last, first + 500)] * int(draw.integers(1, 60))


def _edit_number(data: bytearray, draw: Random, _: list[bytes]) -> None:
    form = str(draw.choice(["<H", ">H", "<I", ">I"]))
    number = int(draw.choice([0, 1, 255, 4096, 8192, 32767, 65535, 2**24, 2**31 - 1, 2**32 - 1]))
    at = int(draw.integers(0, max(1, len(data) - 4)))
    packed = struct.pack(form, number % 2 ** (8 * struct.calcsize(form)))
    data[at : at + len(packed)] = packed


def _zero(data: bytearray, draw: Random, _: list[bytes]) -> None:
    first, last = sorted(draw.integers(0, len(data), 2))
    data[first:last] = bytes([int(draw.choice([0, 255]))]) * int(last - first)


def _mend_png(data: bytearray) -> None:
    """Correct the checksums of PNG chunks, so that the damage gets past that check."""
    at = 8
    while data[:4] == b"\x89PNG" and at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            return
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4


_MUTATIONS: list[Callable[[bytearray, Random, list[bytes]], None]] = [
    *(_flip_bits, _flip_header, _cut, _cut_middle, _splice, _repeat, _edit_number, _zero),
]


def damaged_image(number: int) -> tuple[str, bytes]:
    """Return the kind and the bytes of damaged image ``number``, which are the same everywhere."""
    files = seeds()
    name = list(files)[number % len(files)]
    draw = np.random.default_rng((18, number))
    data = bytearray(files[name])
    for _ in range(int(draw.integers(1, 4))):
        if data:
            _MUTATIONS[int(draw.integers(len(_MUTATIONS)))](data, draw, list(files.values()))
    if draw.random() < 0.7:
        _mend_png(data)
    return name, bytes(data)
