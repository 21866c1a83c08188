"""Damaged files, read by the page without a server (in Node) and by the runtime: ``python
tests/campaigns/browser_reading.py [--times N] [--seed N]``.

Each kind of PNG and JPEG is damaged N times. Counted is what the runtime and the page said of each file, in this order;
printed are those of which they did not say the same. ``inference_failed`` is a JPEG that the page would give to the
browser's decoder, and that Pillow cannot decode; Node has no decoder.
"""

import argparse
import json
import random
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from page_reading import compared, damaged, kinds, mended


def main() -> None:
    """Run both and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow's about damaged EXIF
    chance = random.Random(given.seed)  # noqa: S311 -- no secret
    files = {}
    for name, content in kinds():
        for turn in range(given.times if len(content) > 10 else 0):
            changed = damaged(content, chance)
            # Most with their checksums made right again, so that what is behind them is looked at.
            is_png = content.startswith(b"\x89PNG")
            files[f"{name}, {turn}"] = (
                mended(changed) if is_png and chance.random() < 0.8 else changed
            )
    said: Counter[str] = Counter()
    unequal = []
    with tempfile.TemporaryDirectory() as folder:
        for name, expected, found in compared(files, Path(folder)):
            both = [one.get("error", "read") for one in (expected, found)]
            said[" / ".join(both)] += 1
            if expected != found and both[1] != "inference_failed":
                unequal.append([name, expected, found])
    report = {"files": len(files), "runtime / page": dict(said), "unequal": unequal}
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
