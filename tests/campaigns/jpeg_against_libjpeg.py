"""Compare our check of JPEG data with libjpeg's own warnings, on intact and damaged JPEGs of every kind.

    python tests/campaigns/jpeg_against_libjpeg.py --data ../shared/data --n 200 --seed 1

Needs a C compiler, libjpeg's headers and jpegtran (Debian: gcc libjpeg-dev libjpeg-turbo-progs). Prints for each kind
of JPEG and damage how many libjpeg decoded silently, and where the two differ:

- missed: libjpeg warned or failed, and we accepted. Must be 0. (Its warning about an odd JFIF version does not count.)
- stricter: libjpeg said nothing, and we refused. Must be 0 for intact files.
"""

import argparse
import collections
import io
import random
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from damage import KINDS, damaged
from PIL import Image

from edge_infer.errors import BrainError
from edge_infer.formats.jpeg.check import check_jpeg

HARMLESS = ("unknown JFIF revision",)  # changes no pixel, and is accepted
HERE = Path(__file__).parent
NON_INTERLEAVED = "0;\n1;\n2;\n"
UNUSUAL_SCANS = (
    "0: 0-0, 0, 2;\n1 2: 0-0, 0, 2;\n0: 1-9, 0, 3;\n2: 1-63, 0, 1;\n0: 10-63, 0, 3;\n"
    "0: 1-63, 3, 2;\n1: 1-63, 0, 0;\n0: 0-0, 2, 1;\n1: 0-0, 2, 1;\n0: 0-0, 1, 0;\n2: 1-63, 1, 0;\n"
    "0: 1-63, 2, 1;\n2: 0-0, 2, 1;\n1 2: 0-0, 1, 0;\n0: 1-63, 1, 0;\n"
)


class Libjpeg:
    """A running decoder that reports its warnings."""

    def __init__(self, folder: Path) -> None:
        program = folder / "jpeg_warnings"
        subprocess.run(["cc", "-O2", HERE / "jpeg_warnings.c", "-o", program, "-ljpeg"], check=True)
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def verdict(self, data: bytes) -> str:
        """Return its first warning or error, or nothing."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        stdin.write(struct.pack("=I", len(data)) + data)
        stdin.flush()
        warnings, failed, message = (
            stdout.readline().decode(errors="replace").rstrip("\n").split(" ", 2)
        )
        if not int(failed) and any(text in message for text in HARMLESS):
            return ""
        return message or "?" if int(warnings) or int(failed) else ""


def ours(data: bytes) -> str:
    """Return our refusal, or nothing."""
    try:
        check_jpeg(data, "")
        Image.open(io.BytesIO(data), formats=["JPEG"]).load()
    except BrainError as error:
        return error.message
    except Exception as error:  # what Pillow cannot decode gets no class either
        return f"Pillow ({type(error).__name__})"
    return ""


def variants(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a scan as each kind of JPEG."""
    yield "as found", data
    image = Image.open(io.BytesIO(data))
    colour = Image.merge(
        "RGB", [image.convert("L"), image.convert("L").rotate(9), image.convert("L")]
    )
    yield "grey, quality 100", _saved(image.convert("L"), quality=100)
    yield "grey, quality 5", _saved(image.convert("L"), quality=5)
    yield "grey, progressive", _saved(image.convert("L"), progressive=True, quality=90)
    yield "grey, restarts", _saved(image.convert("L"), restart_marker_blocks=7)
    yield "4:2:0", _saved(colour, subsampling=2)
    yield "4:2:2, restart rows", _saved(colour, subsampling=1, restart_marker_rows=1)
    yield (
        "4:4:4, quality 98, a restart each MCU",
        _saved(colour, subsampling=0, quality=98, restart_marker_blocks=1),
    )
    yield "4:2:0, progressive", _saved(colour, subsampling=2, progressive=True)
    yield (
        "4:4:4, progressive, restarts",
        _saved(colour, subsampling=0, progressive=True, restart_marker_blocks=5),
    )
    yield "CMYK", _saved(colour.convert("CMYK"))
    yield "CMYK, progressive", _saved(colour.convert("CMYK"), progressive=True, quality=95)
    yield "one scan a component", _rescanned(_saved(colour, subsampling=2), NON_INTERLEAVED)
    yield (
        "unusual progression",
        _rescanned(_saved(colour, subsampling=1, quality=92), UNUSUAL_SCANS),
    )


def _saved(image: Image.Image, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def _rescanned(data: bytes, script: str) -> bytes:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(script)
        file.flush()
        command = ["jpegtran", "-optimize", "-scans", file.name]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def compare(
    name: str, data: bytes, libjpeg: Libjpeg, tally: collections.Counter[tuple[str, str]]
) -> None:
    theirs, mine = libjpeg.verdict(data), ours(data)
    tally[name, "n"] += 1
    tally[name, "libjpeg silent"] += not theirs
    tally[name, "refused"] += bool(mine)
    if theirs and not mine:
        tally[name, "missed"] += 1
        sys.stderr.write(f"missed: {name}: {theirs}\n")
    if mine and not theirs:
        tally[name, "stricter"] += 1
        tally["stricter: " + mine.split("(")[-1], "n"] += 1


def show(tally: collections.Counter[tuple[str, str]]) -> None:
    columns = ["n", "libjpeg silent", "refused", "missed", "stricter"]
    sys.stdout.write(f"{'':54}" + "".join(f"{column:>15}" for column in columns) + "\n")
    for name in dict.fromkeys(name for name, _ in tally):
        figures = "".join(f"{tally[name, column]:15,}" for column in columns)
        sys.stdout.write(f"{name[:54]:54}{figures}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of JPEG scans")
    parser.add_argument("--n", type=int, default=20, help="scans to damage, each in every kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--whole", action="store_true", help="also try all scans of the folder undamaged"
    )
    options = parser.parse_args()
    draw = random.Random(options.seed)  # noqa: S311 -- damage, no secret
    files = sorted(
        path for path in options.data.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"}
    )
    tally: collections.Counter[tuple[str, str]] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        libjpeg = Libjpeg(Path(folder))
        for path in files if options.whole else []:
            compare(
                f"whole: {path.relative_to(options.data).parts[0]}",
                path.read_bytes(),
                libjpeg,
                tally,
            )
        for path in draw.sample(files, min(options.n, len(files))):
            for kind, data in variants(path.read_bytes()):
                compare(f"whole, {kind}", data, libjpeg, tally)
                for damage in KINDS:
                    compare(f"damaged, {damage}", damaged(data, damage, draw), libjpeg, tally)
    show(tally)


if __name__ == "__main__":
    main()
