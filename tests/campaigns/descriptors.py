"""Classify folders, missing files, pipes and images thousands of times: descriptors and threads must not grow.

    python tests/campaigns/descriptors.py --n 5000

Exit status 1 if there are more at the end than after the first hundred.
"""

import argparse
import os
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from tiny_bundle import bundle_files, manifest_body, scan  # noqa: E402

from edge_infer import BrainError, Classifier, write_bundle  # noqa: E402


def held() -> tuple[int, int]:
    """How many descriptors and threads this process has."""
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=5000)
    count = parser.parse_args().n
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bundle(folder / "bundle", bundle_files(), manifest_body())
        classifier = Classifier.load(folder / "bundle", timeout_s=60)
        scan().save(folder / "scan.png")
        (folder / "damaged.png").write_bytes((folder / "scan.png").read_bytes()[:-30])
        os.mkfifo(folder / "pipe")
        sources = [folder, folder / "missing.png", folder / "pipe", folder / "damaged.png"]
        after_hundred = (0, 0)
        for number in range(count):
            for source in (folder, sources[number % 4]):
                try:
                    outcomes[classifier.predict(source).label] += 1
                except BrainError as error:
                    outcomes[error.code] += 1
            if number == 100:
                after_hundred = held()
        for bundle in (folder, folder / "bundle", folder / "none"):
            for _ in range(count // 100):
                try:
                    Classifier.load(bundle)
                except BrainError as error:
                    outcomes[error.code] += 1
        outcomes[f"good: {classifier.predict(folder / 'scan.png').label}"] += 1
        at_end = held()
    sys.stdout.write(
        f"n {count}: (descriptors, threads) {after_hundred} after 100, {at_end} at the end; "
        f"{dict(outcomes)}\n"
    )
    return int(at_end[0] > after_hundred[0] or at_end[1] > after_hundred[1])


if __name__ == "__main__":
    sys.exit(main())
