"""How often each doubt is raised: on good scans, where it should not be, and on scans made doubtful, where it should.

    python tests/campaigns/doubt_rates.py [--data ../shared/data] [--every 20] [--folder NAME=PATH]...

Good scans are those of BRISC's train and validation part (by patient, without copies) and of sartaj's official training
part. Each --every-th of them is made doubtful. Each rate has its 95 % interval (Wilson).
"""

import argparse
import csv
import math
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from doubtful import FOR, HARMLESS, made_doubtful
from PIL import Image

from edge_infer.decision import ABSTAINING
from edge_infer.doubts import doubts_about
from edge_infer.errors import BrainError
from edge_infer.image_file import open_source, read_image
from edge_infer.reasons import Reason

ROOT = Path(__file__).parents[2]
REASONS = tuple(
    reason for reason in Reason if reason not in (Reason.OUT_OF_SCOPE, Reason.AMBIGUOUS)
)
#: Width and height of the default model's input.
MODEL_SIZE = (224, 224)

_ABSTAINED = "abstained"

Source = Path | Image.Image


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=20, help="of the good scans are made doubtful")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--folder", action="append", default=[], metavar="NAME=PATH")
    default = os.environ.get("BRAIN_EDGE_DATA", ROOT / ".." / "shared" / "data")
    parser.add_argument("--data", type=Path, default=default)
    options = parser.parse_args()
    rows = good_rows(options.data)
    table = [
        (dataset, *counted(options.data / row["path"] for row in rows if row["dataset"] == dataset))
        for dataset in ("brisc2025", "sartaj")
    ]
    for folder in options.folder:
        name, _, path = folder.partition("=")
        table.append((name, *counted(sorted(Path(path).rglob("*.*")))))
    show(table)
    scans = [options.data / row["path"] for row in rows][:: options.every]
    by_kind = made(scans, np.random.default_rng(options.seed))
    show([(kind, n, raised) for kind, (n, raised) in by_kind.items()])
    return 0


def good_rows(data: Path) -> list[dict[str, str]]:
    with (data / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["first_of_copies"] == "1"]
    return [
        row
        for row in rows
        if (row["dataset"] == "brisc2025" and row["proposed_split"] in ("train", "val"))
        or (row["dataset"] == "sartaj" and row["official_split"] == "train")
    ]


def counted(sources: Iterable[Source]) -> tuple[int, Counter[str]]:
    n, raised = 0, Counter[str]()
    for source in sources:
        try:
            found = reasons(source)
        except BrainError:  # refused, and so not answered at all
            continue
        n += 1
        raised.update(found)
    return n, raised


def reasons(source: Source) -> set[str]:
    opened = open_source(source)
    doubts = doubts_about(opened.image, coloured=opened.coloured, model_size=MODEL_SIZE)
    found = {doubt.reason for doubt in doubts}
    return found | {_ABSTAINED} if found & ABSTAINING.keys() else set(found)


def made(scans: list[Path], rng: np.random.Generator) -> dict[str, tuple[int, Counter[str]]]:
    found: dict[str, tuple[int, Counter[str]]] = {
        kind: (0, Counter()) for kind in (*FOR, *HARMLESS)
    }
    for kind, image in all_made(scans, rng):
        n, raised = counted([image])
        found[kind] = (found[kind][0] + n, found[kind][1] + raised)
    return found


def all_made(scans: list[Path], rng: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    for place, path in enumerate(scans):
        others = [read_image(scans[(place + 7 * step) % len(scans)]) for step in (1, 2, 3)]
        yield from made_doubtful(read_image(path), others, rng)


def show(table: list[tuple[str, int, Counter[str]]]) -> None:
    for name, n, raised in table:
        wanted = FOR.get(name)
        kind = f"{name} ({wanted})" if wanted else name
        rates = ", ".join(
            f"{reason} {interval(raised[reason], n)}"
            for reason in (*REASONS, _ABSTAINED)
            if raised[reason] or reason == wanted
        )
        print(f"{kind}, n {n:,}: {rates or 'none'}", flush=True)


def interval(hits: int, n: int) -> str:
    rate, z = hits / n, 1.959964
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{hits} = {rate:.2%} ({max(0, middle - half):.2%}..{min(1, middle + half):.2%})"


if __name__ == "__main__":
    sys.exit(main())
