"""Damaged images of every format: each must be answered or refused by name, in bounded time and memory.

    python tests/campaigns/image_fuzz.py --n 100000 --seed 18

File i of a seed is always the same, so ``--start`` resumes a run, and ``--start I --n 1 --keep FOLDER`` writes one that
failed. Ctrl-C or SIGTERM ends with the counts so far. Exit status 1 if an exception had no
name (``BrainError``), a process died, or a file took longer than ``--limit`` seconds.
"""

import argparse
import io
import json
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SLICE = 2000
Random = np.random.Generator


def seeds() -> dict[str, bytes]:
    """Return a small valid file of each kind."""
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
    wanted: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "jpeg": (grey, "JPEG", {}),
        "jpeg-rgb": (rgb, "JPEG", {"exif": exif}),
        "jpeg-progressive": (rgb, "JPEG", {"progressive": True}),
        "jpeg-cmyk": (rgb.convert("CMYK"), "JPEG", {}),
        "jpeg-restart": (rgb, "JPEG", {"restart_marker_blocks": 2}),
        "png": (grey, "PNG", {}),
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


def flip_bits(data: bytearray, draw: Random, _: list[bytes]) -> None:
    for at in draw.integers(0, len(data), draw.integers(1, 9)):
        data[at] ^= 1 << int(draw.integers(8))


def flip_header(data: bytearray, draw: Random, _: list[bytes]) -> None:
    for at in draw.integers(0, min(len(data), 200), draw.integers(1, 5)):
        data[at] = int(draw.choice([0, 1, 2, 8, 16, 32, 127, 128, 254, 255]))


def cut(data: bytearray, draw: Random, _: list[bytes]) -> None:
    del data[int(draw.integers(0, len(data))) :]


def cut_middle(data: bytearray, draw: Random, _: list[bytes]) -> None:
    first, last = sorted(draw.integers(0, len(data), 2))
    del data[first:last]


def splice(data: bytearray, draw: Random, others: list[bytes]) -> None:
    other = others[int(draw.integers(len(others)))]
    at = int(draw.integers(0, len(data)))
    data[at:] = other[int(draw.integers(0, len(other))) :]


def repeat(data: bytearray, draw: Random, _: list[bytes]) -> None:
    first, last = sorted(draw.integers(0, len(data), 2))
    data[first:first] = data[first : min(last, first + 500)] * int(draw.integers(1, 60))


def edit_number(data: bytearray, draw: Random, _: list[bytes]) -> None:
    form = str(draw.choice(["<H", ">H", "<I", ">I"]))
    number = int(draw.choice([0, 1, 255, 4096, 8192, 32767, 65535, 2**24, 2**31 - 1, 2**32 - 1]))
    at = int(draw.integers(0, max(1, len(data) - 4)))
    packed = struct.pack(form, number % 2 ** (8 * struct.calcsize(form)))
    data[at : at + len(packed)] = packed


def zero(data: bytearray, draw: Random, _: list[bytes]) -> None:
    first, last = sorted(draw.integers(0, len(data), 2))
    data[first:last] = bytes([int(draw.choice([0, 255]))]) * int(last - first)


def mend_png(data: bytearray) -> None:
    """Correct the checksums of PNG chunks, so that the damage gets past that check."""
    import zlib

    at = 8
    while data[:4] == b"\x89PNG" and at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            return
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4


MUTATIONS: list[Callable[[bytearray, Random, list[bytes]], None]] = [
    *(flip_bits, flip_header, cut, cut_middle, splice, repeat, edit_number, zero),
]


def damaged_file(index: int, seed: int, files: dict[str, bytes]) -> tuple[str, bytes]:
    draw = np.random.default_rng((seed, index))
    name = list(files)[int(draw.integers(len(files)))]
    data = bytearray(files[name])
    for _ in range(int(draw.integers(1, 4))):
        if data:
            MUTATIONS[int(draw.integers(len(MUTATIONS)))](data, draw, list(files.values()))
    if draw.random() < 0.7:
        mend_png(data)
    return name, bytes(data)


def worker(start: int, count: int, seed: int) -> dict[str, object]:
    """Read files start..start+count, half of them as Pillow images too; return the outcomes."""
    from edge_infer.errors import BrainError
    from edge_infer.image_file import open_source

    files = seeds()
    outcomes: Counter[str] = Counter()
    unmapped: list[str] = []
    slowest = (0.0, -1)

    def read(source: bytes | Image.Image, kind: str, index: int) -> None:
        try:
            open_source(source)
            outcomes[f"{kind}: answered"] += 1
        except BrainError as error:
            outcomes[f"{kind}: {error.exit_code} {error.code}"] += 1
        except Exception as error:
            unmapped.append(f"{index} {kind} {type(error).__name__}: {error}")

    for index in range(start, start + count):
        _, data = damaged_file(index, seed, files)
        began = time.perf_counter()
        read(data, "file", index)
        slowest = max(slowest, (time.perf_counter() - began, index))
        image = opened(data) if index % 2 else None
        if image is not None:
            read(image, "image", index)
    status = Path("/proc/self/status").read_text()
    peak_mib = int(status.split("VmHWM:")[1].split()[0]) // 1024
    return {"outcomes": outcomes, "unmapped": unmapped, "slowest": slowest, "peak_mib": peak_mib}


def opened(data: bytes) -> Image.Image | None:
    try:
        return Image.open(io.BytesIO(data))
    except Exception:  # nobody can pass an image that Pillow does not open
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds a file may take")
    parser.add_argument("--keep", type=Path, help="write the damaged files there and read nothing")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(worker(options.start, options.n, options.seed)))
        return 0
    if options.keep:
        for index in range(options.start, options.start + options.n):
            name, data = damaged_file(index, options.seed, seeds())
            (options.keep / f"{index}-{name}").write_bytes(data)
        return 0
    return campaign(options)


def campaign(options: argparse.Namespace) -> int:
    outcomes: Counter[str] = Counter()
    unmapped: list[str] = []
    slowest, peak_mib, done, deaths = (0.0, -1), 0, 0, []
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore the first
        signal.signal(number, signal.default_int_handler)
    try:
        for start in range(options.start, options.start + options.n, SLICE):
            count = min(SLICE, options.start + options.n - start)
            command = [sys.executable, "-W", "ignore", __file__, "--worker"]
            command += ["--start", str(start), "--n", str(count), "--seed", str(options.seed)]
            result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if result.returncode:
                deaths.append(f"{start}..{start + count}: status {result.returncode}")
                continue
            found = json.loads(result.stdout.splitlines()[-1])
            outcomes.update(found["outcomes"])
            unmapped += found["unmapped"]
            slowest = max(slowest, tuple(found["slowest"]))
            peak_mib = max(peak_mib, found["peak_mib"])
            done += count
            print(f"{done:,} files, {len(unmapped)} unmapped", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    for outcome, count in sorted(outcomes.items()):
        print(f"{outcome:32} {count:8,}")
    print(
        f"n {done:,} from {options.start:,}, seed {options.seed}; unmapped exceptions {len(unmapped)}"
    )
    print(f"slowest file {slowest[1]}: {slowest[0]:.2f} s; peak {peak_mib} MiB; died {len(deaths)}")
    print(*unmapped[:20], *deaths, sep="\n")
    return int(bool(unmapped or deaths) or slowest[0] > options.limit)


if __name__ == "__main__":
    sys.exit(main())
