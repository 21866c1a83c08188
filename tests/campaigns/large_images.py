"""Peak memory and time of a whole process that classifies one image of 40 million pixels, kind by kind.

    python tests/campaigns/large_images.py [--kind NAME]

Each kind is drawn, saved, and classified in a process of its own. Exit status 1 if one took more than 512 MiB.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 8000, 5000
LIMIT_MIB = 512
CHILD = """
import sys, time
from edge_infer import BrainError, Classifier
classifier = Classifier.load(num_threads=1, self_test="off")
started = time.perf_counter()
try:
    outcome = classifier.predict(sys.argv[1]).label
except BrainError as error:
    outcome = f"{error.exit_code} {error.message.partition(': ')[2]}"
seconds = time.perf_counter() - started
status = open("/proc/self/status").read()  # getrusage counts the parent of before exec
print(int(status.split("VmHWM:")[1].split()[0]) // 1024, f"{seconds:.2f}", outcome)
"""


def drawn(dtype: str = "uint8") -> np.ndarray:
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    ramp = (rows // 20 + columns // 32) % 251
    return np.broadcast_to(ramp, (HEIGHT, WIDTH)).astype(dtype)


def colour(mode: str) -> Image.Image:
    return Image.fromarray(drawn()).convert(mode)


def exif_turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


DEFLATE = {"format": "TIFF", "compression": "tiff_adobe_deflate"}
ONE_STRIP = {**DEFLATE, "strip_size": 2**30}
PNG = {"format": "PNG", "compress_level": 1}
Save = Callable[[Path], None]
KINDS: dict[str, Save] = {
    "png-grey": lambda path: Image.fromarray(drawn()).save(path, **PNG),
    "png-16": lambda path: Image.fromarray(drawn("uint16") * 16).save(path, **PNG),
    "png-rgb": lambda path: colour("RGB").save(path, **PNG),
    "png-rgba": lambda path: colour("RGBA").save(path, **PNG),
    "png-la": lambda path: colour("LA").save(path, **PNG),
    "png-palette": lambda path: colour("P").save(path, **PNG),
    "png-rgba-turned": lambda path: colour("RGBA").save(path, exif=exif_turned(), **PNG),
    "tiff-16": lambda path: Image.fromarray(drawn("uint16") * 16).save(path, **DEFLATE),
    "tiff-float": lambda path: Image.fromarray(drawn("float32")).save(path, **DEFLATE),
    "tiff-float-strip": lambda path: Image.fromarray(drawn("float32")).save(path, **ONE_STRIP),
    "tiff-int32-strip": lambda path: Image.fromarray(drawn("int32")).save(path, **ONE_STRIP),
    "tiff-rgb": lambda path: colour("RGB").save(path, **DEFLATE),
    "tiff-rgba-strip": lambda path: colour("RGBA").save(path, **ONE_STRIP),
    "tiff-rgba-turned": lambda path: colour("RGBA").save(path, exif=exif_turned(), **ONE_STRIP),
    "tiff-cmyk": lambda path: colour("CMYK").save(path, **DEFLATE),
    "tiff-lzw": lambda path: colour("RGB").save(path, format="TIFF", compression="tiff_lzw"),
    "tiff-jpeg": lambda path: colour("RGB").save(path, format="TIFF", compression="jpeg"),
    "bmp": lambda path: Image.fromarray(drawn()).save(path, format="BMP"),
    "jpeg": lambda path: colour("RGB").save(path, format="JPEG"),
    "jpeg-progressive": lambda path: colour("RGB").save(path, format="JPEG", progressive=True),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS)
    chosen = parser.parse_args().kind
    over = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        for kind, save in KINDS.items():
            if chosen in (None, kind):
                save(path)
                peak_mib, seconds, outcome = classified(path)
                size_mib = path.stat().st_size / 2**20
                over += peak_mib > LIMIT_MIB
                print(
                    f"{kind:18} file {size_mib:5.1f} MiB  peak {peak_mib:5} MiB  {seconds} s  {outcome}",
                    flush=True,
                )
    return int(over > 0)


def classified(path: Path) -> tuple[int, str, str]:
    result = subprocess.run(
        [sys.executable, "-c", CHILD, path], capture_output=True, text=True, check=True
    )
    peak_mib, seconds, outcome = result.stdout.strip().split(" ", 2)
    return int(peak_mib), seconds, outcome


if __name__ == "__main__":
    sys.exit(main())
