"""Compare Node with Python on real scans: ``python examples/node/compare.py BUNDLE MODEL.onnx [--per-class N]``.

Each scan goes to Node twice: as the PNG that Python decoded (the same pixels, so the answers must agree), and, where it
is a JPEG, as the file itself (another decoder, so a few pixels differ). Reads the folder named in BRAIN_EDGE_DATA.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from edge_infer import Classifier
from edge_infer.contract import RESEARCH_USE_ONLY
from train.data.layouts import load_samples
from train.data.samples import Sample

HERE = Path(__file__).parent
SCANS = Path(os.environ.get("BRAIN_EDGE_DATA", HERE.parents[1] / ".." / "shared" / "data"))


def main() -> None:
    """Run both and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=RESEARCH_USE_ONLY)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--per-class", type=int, default=40)
    given = parser.parse_args()
    chosen = pick(given.per_class)
    classifier = Classifier.load(given.bundle)
    expected = [classifier.predict(sample.source) for sample in chosen]
    with tempfile.TemporaryDirectory() as folder:
        decoded = []
        for number, sample in enumerate(chosen):
            decoded.append(Path(folder) / f"{number}.png")
            with Image.open(sample.source) as image:
                upright = ImageOps.exif_transpose(image)
                upright.convert("L" if upright.mode == "L" else "RGB").save(decoded[-1])
        of_pngs = in_node(given.model, decoded)
    of_files = in_node(given.model, [sample.source for sample in chosen])
    report = {
        "bundle": given.bundle.name,
        "scans": len(chosen),
        "sizes": len({sample.original_size for sample in chosen}),
        "taller_than_wide": sum(
            sample.original_size[1] > sample.original_size[0] for sample in chosen
        ),
        "decoded_by_pillow": agreement(expected, of_pngs),
        "decoded_in_node": agreement(expected, of_files),
        "research_use_only": RESEARCH_USE_ONLY,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


def pick(per_class: int) -> list[Sample]:
    """Take scans of each class and data set, those of rare sizes first: sizes are what this is about."""
    samples = load_samples(SCANS, manifest=SCANS / "manifest.csv", dataset="", verify=False)
    groups = defaultdict(list)
    for sample in samples:
        groups[sample.dataset, sample.label].append(sample)
    chosen = []
    for group in groups.values():
        sizes: dict[tuple[int, int], list[Sample]] = defaultdict(list)
        for sample in group:
            sizes[sample.original_size].append(sample)
        turns = sorted(
            group, key=lambda sample: (sizes[sample.original_size].index(sample), sample.name)
        )
        chosen += turns[: per_class // 2]
    return chosen


def in_node(model: Path, files: list[Path]) -> list[dict[str, Any]]:
    """Classify files with classify.mjs: one answer or error each, in order."""
    node = shutil.which("node")
    if node is None:
        raise SystemExit("no node on the PATH")
    done = subprocess.run(  # noqa: S603 -- our own script, no shell
        [node, str(HERE / "classify.mjs"), str(model), *map(str, files)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def agreement(expected: list[Any], given: list[dict[str, Any]]) -> dict[str, Any]:
    """Count equal labels and take the largest difference of any probability."""
    pairs = [(want, got) for want, got in zip(expected, given, strict=True) if "error" not in got]
    differences = [
        max(abs(value - got["probabilities"][name]) for name, value in want.probabilities.items())
        for want, got in pairs
    ]
    return {
        "answered": len(pairs),
        "equal_labels": sum(want.label == got["label"] for want, got in pairs),
        "largest_probability_difference": max(differences),
        "refused": sorted({got["error"] for got in given if "error" in got}),
    }


if __name__ == "__main__":
    main()
