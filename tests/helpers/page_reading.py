"""What the page without a server reads of a file, in Node, beside what the runtime reads; and files for both."""

import hashlib
import io
import json
import random
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from edge_infer.doubts import doubts_about
from edge_infer.errors import BrainError
from edge_infer.image_file import open_named
from train.phantoms import phantom

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "export" / "web" / "js"
PROGRAM = Path(__file__).parent / "page_reading.mjs"
KIT = ROOT / "export" / "kit" / "pictures"
SIZE = (224, 224)


def in_page(files: dict[str, bytes], folder: Path) -> list[dict[str, Any]]:
    paths = []
    for number, content in enumerate(files.values()):
        path = folder / str(number)
        path.write_bytes(content)
        paths.append(str(path))
        if content.startswith(b"\xff\xd8"):
            try:
                pixels = Image.open(io.BytesIO(content)).convert("RGB").convert("RGBA").tobytes()
            except (OSError, SyntaxError, ValueError):
                continue
            path.with_suffix(".rgba").write_bytes(pixels)
    done = subprocess.run(
        ["node", PROGRAM, MODULES, *map(str, SIZE)],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def in_runtime(content: bytes) -> dict[str, Any]:
    try:
        source = open_named(content, "scan")
    except BrainError as error:
        return {"error": error.code}
    doubts = doubts_about(source.image, coloured=source.coloured, model_size=SIZE)
    return {
        "width": source.image.width,
        "height": source.image.height,
        "digest": hashlib.sha256(source.image.tobytes()).hexdigest(),
        "coloured": source.coloured,
        "doubts": [{"reason": doubt.reason.value, "note": doubt.note} for doubt in doubts],
    }


def compared(files: dict[str, bytes], folder: Path) -> Iterator[tuple[str, Any, Any]]:
    for name, found in zip(files, in_page(files, folder), strict=True):
        code = found.get("error", {}).get("code")
        yield name, in_runtime(files[name]), {"error": code} if code else found


def packed(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scans(count: int) -> list[Image.Image]:
    drawn = [
        Image.fromarray(phantom(label, np.random.default_rng(number), 256))
        for number, label in enumerate(("glioma", "no_tumor"))
    ]
    real = sorted(KIT.rglob("*.jpg"))
    return [*drawn, *(Image.open(path).convert("L") for path in real[:: len(real) // count])]


def with_exif(turn: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


def with_texts(**texts: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        info.add_itxt(keyword.replace("_", ":", 1).replace("_", "."), text, zip=True)
    return info


def kinds() -> Iterator[tuple[str, bytes]]:
    """Every kind of PNG and JPEG, by what could be read in another way."""
    scan = scans(1)[0].resize((141, 97))
    rgb = Image.merge("RGB", (scan, scan.rotate(4), scan.point(lambda grey: grey * 2 // 3)))
    veil = scan.rotate(90, expand=True).resize(scan.size)
    deep = Image.fromarray(np.asarray(scan).astype(np.uint16) * 13)
    for bits in (1, 2, 4, 8):
        few = scan.quantize(2**bits)
        yield f"palette of {bits} bits", packed(few, bits=bits)
        yield f"palette of {bits} bits with a clear colour", packed(few, bits=bits, transparency=1)
        yield (
            f"palette of {bits} bits with opacities",
            packed(few, bits=bits, transparency=bytes([9, 200])),
        )
    yield "1 bit", packed(scan.convert("1"))
    yield "1 bit, white is clear", packed(scan.convert("1"), transparency=1)
    yield "deep", packed(deep)
    yield "deep with a clear value", packed(deep, transparency=int(np.asarray(deep)[50, 60]))
    yield "grey with a clear value", packed(scan, transparency=int(np.asarray(scan)[50, 60]))
    yield "colour", packed(rgb)
    yield "colour with a clear one", packed(rgb, transparency=rgb.getpixel((60, 50)))
    yield "grey and opacity", packed(Image.merge("LA", (scan, veil)))
    yield "colour and opacity", packed(Image.merge("RGBA", (*rgb.split(), veil)))
    for turn in range(10):
        yield f"turned by {turn}", packed(scan, exif=with_exif(turn))
        yield f"JPEG turned by {turn}", packed(rgb, "JPEG", exif=with_exif(turn))
    xmp = '<x tiff:Orientation="6"/>'
    yield "turned by XMP", packed(scan, pnginfo=with_texts(XML_com_adobe_xmp=xmp))
    exif = with_exif(3).tobytes().hex()
    yield (
        "as ImageMagick",
        packed(scan, pnginfo=_raw_profile(f"\nexif\n{len(exif) // 2}\n{exif}\n")),
    )
    yield "JPEG turned by XMP", packed(scan, "JPEG", xmp=xmp.encode())
    for turn, xmp_turn in ((1, 6), (6, 1)):
        both = f'<x tiff:Orientation="{xmp_turn}"/>'.encode()
        yield f"EXIF {turn} and XMP {xmp_turn}", packed(rgb, "JPEG", xmp=both, exif=with_exif(turn))
    for subsampling in (0, 1, 2):
        for progressive in (False, True):
            options = {"subsampling": subsampling, "progressive": progressive}
            yield f"JPEG {options}", packed(rgb, "JPEG", **options)
    yield "JPEG with restarts", packed(rgb, "JPEG", restart_marker_blocks=3)
    for size in ((15, 40), (16, 16), (16, 400), (9000, 20)):
        yield f"{size} pixels", packed(scan.resize(size))
    yield "blank", packed(Image.new("L", (64, 64), 7))
    yield "blank JPEG", packed(Image.new("RGB", (64, 64), (9, 9, 9)), "JPEG")
    yield "several frames", packed(scan, save_all=True, append_images=[veil])
    yield "trailing bytes", packed(scan) + b"more"
    yield "GIF", packed(scan, "GIF")
    yield "WebP", packed(rgb, "WEBP")
    yield "nothing", b""
    yield "text", b"this is a text and no image, as anybody can read"
    yield "HTML", b"<!doctype html><html>log in</html>"


def _raw_profile(text: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", text, zip=True)
    return info


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(header: bytes, rows: bytes) -> bytes:
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def damaged(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    at = chance.randrange(2, len(data))
    change = chance.choice(("cut", "bit", "lost", "filled"))
    if change == "cut":
        del data[at:]
    elif change == "bit":
        data[at] ^= 1 << chance.randrange(8)
    elif change == "lost":
        del data[at : at + chance.choice((1, 2, 60))]
    else:
        data[at : at + 40] = bytes([chance.choice((0, 255))]) * len(data[at : at + 40])
    return bytes(data)


def mended(content: bytes) -> bytes:
    """With the checksums of all chunks made right again, so that what is behind them is looked at."""
    start, at = content[:8], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        start += chunk(content[at + 4 : at + 8], content[at + 8 : at + 8 + length])
        at += 12 + length
    return start
