"""Real scans, damaged as by disks and transfers: how many still get a class, and how often another one.

    python tests/campaigns/damage_realistic.py --data ../shared/data/brisc2025 --n 100 --seed 1

Run it with another version of edge_infer first on PYTHONPATH to compare.
"""

import argparse
import io
import random
import sys
from pathlib import Path

from damage import damaged
from PIL import Image

from edge_infer import BrainError, Classifier

_KINDS = {
    "JPEG": (
        "512 B of zeros",
        "4 KiB of zeros",
        "512 B lost",
        "10 % lost",
        "40 % of the middle lost",
        "cut to 20 %, end marker",
        "cut to 50 %, end marker",
        "cut to header, end marker",
        "one bit",
    ),
    "BMP": (
        "512 B of zeros",
        "4 KiB of zeros",
        "tail 10 % zeros",
        "tail 50 % zeros",
        "sent as text",
    ),
    "TIFF": (
        "512 B of zeros",
        "4 KiB of zeros",
        "tail 10 % zeros",
        "tail 50 % zeros",
        "sent as text",
    ),
    "PNG": ("512 B of zeros", "40 % of the middle lost", "sent as text"),
}


def _as_form(data: bytes, form: str) -> bytes:
    if form == "JPEG":
        return data
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("L").save(file, form)
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of JPEG scans")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)  # noqa: S311 -- damage, no secret
    paths = draw.sample(sorted(options.data.rglob("*.jpg")), options.n)
    classifier = Classifier.load(num_threads=1)
    for form, kinds in _KINDS.items():
        scans = [_as_form(path.read_bytes(), form) for path in paths]
        labels = [classifier.predict(scan).label for scan in scans]
        for kind in kinds:
            answered = changed = lost = 0
            for scan, label in zip(scans, labels, strict=True):
                try:
                    found = classifier.predict(damaged(scan, kind, draw)).label
                except BrainError:
                    continue
                answered += 1
                changed += found != label
                lost += found == "no_tumor" != label
            sys.stdout.write(
                f"{form:5} {kind:27} n {options.n}, refused {options.n - answered:3}, answered {answered:3}, "
                f"other label {changed:3}, tumour -> no_tumor {lost:3}\n"
            )


if __name__ == "__main__":
    main()
