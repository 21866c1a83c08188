"""How often each note is given: on good scans, where it should not be, and on scans made doubtful, where it should.

    python tests/campaigns/doubt_rates.py [--n 500] [--seed 18] [--data ../shared/data]

Without ``--n`` all scans are read. Each rate has its 95 % interval (Wilson).
"""

import argparse
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from edge_infer.doubts import doubts_about
from edge_infer.errors import UnsupportedImage
from edge_infer.image_file import read_image

ROOT = Path(__file__).parents[2]
NOTES = {"shape": "far from", "line": "dark line", "levels": "few grey", "rim": "the rim"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, help="scans of each set; by default all")
    parser.add_argument("--seed", type=int, default=18)
    default = os.environ.get("BRAIN_EDGE_DATA", ROOT / ".." / "shared" / "data")
    parser.add_argument("--data", type=Path, default=default)
    options = parser.parse_args()
    for name in ("brisc2025/classification_task", "sartaj"):
        paths = sorted((options.data / name).rglob("*.jpg"))
        order = np.random.default_rng(options.seed).permutation(len(paths))
        report(name.partition("/")[0], [paths[place] for place in order[: options.n]])
    return 0


def report(name: str, paths: list[Path]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    tried: Counter[str] = Counter()
    previous = read_image(paths[-1])
    for path in paths:
        scan = read_image(path)
        for kind, made in made_doubtful(scan, previous):
            tried[kind] += 1
            notes = " ".join(doubts_about(made))
            counts.update((kind, note) for note, words in NOTES.items() if words in notes)
            counts[kind, "any"] += bool(notes)
        previous = scan
    for kind, n in tried.items():
        rates = (f"{note} {interval(counts[kind, note], n)}" for note in (*NOTES, "any"))
        print(f"{name} {kind:12} n {n:,}: " + ", ".join(rates), flush=True)


def made_doubtful(scan: Image.Image, other: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    yield "as it is", scan
    yield "inverted", ImageOps.invert(scan)
    pair = Image.new("L", (scan.width + other.width, max(scan.height, other.height)))
    pair.paste(other, (0, (pair.height - other.height) // 2))
    pair.paste(scan, (other.width, (pair.height - scan.height) // 2))
    yield "two-up", pair
    square = scan.resize((256, 256))
    twins = Image.new("L", (512, 256))
    twins.paste(square)
    twins.paste(other.resize((256, 256)), (256, 0))
    yield "two squares", twins
    for top in (65_535, 4_095):
        deep = np.asarray(scan).astype(np.uint16) * 600 // 255
        deep = deep.astype(np.uint16)
        deep[0, 0] = top
        try:
            yield f"hot {top}", read_image(deep)
        except UnsupportedImage:
            continue


def interval(hits: int, n: int) -> str:
    rate, z = hits / n, 1.959964
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{hits} = {rate:.2%} ({max(0, middle - half):.2%}..{min(1, middle + half):.2%})"


if __name__ == "__main__":
    sys.exit(main())
