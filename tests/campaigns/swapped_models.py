"""Swap a bundle's model for another one and back while it is loaded: what runs must be what was verified.

    python tests/campaigns/swapped_models.py --n 300 --seed 0

The self-test is off, so that only the digests protect. Exit status 1 if a load ran the other model.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from tiny_bundle import bundle_files, manifest_body, scan, tiny_model, tiny_weight  # noqa: E402

from edge_infer import BrainError, Classifier, write_bundle  # noqa: E402


class Swapper(threading.Thread):
    """Puts one of two contents at a path, by renaming or in place, until told to stop."""

    def __init__(self, path: Path, contents: list[bytes], rng: random.Random) -> None:
        super().__init__(daemon=True)
        self._path, self._contents, self._rng = path, contents, rng
        self.stopped = threading.Event()
        self.count = 0

    def run(self) -> None:
        """Swap."""
        aside = self._path.parent.with_name("aside.onnx")
        while not self.stopped.is_set():
            for content, rests in zip(
                reversed(self._contents), ((0, 0.002), (0, 0.03)), strict=True
            ):
                if self._rng.random() < 0.5:
                    aside.write_bytes(content)
                    aside.replace(self._path)
                else:
                    with self._path.open("r+b") as file:
                        file.write(content)
                self.count += 1
                time.sleep(self._rng.uniform(*rests))  # the good one stays longer


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bundle"
        write_bundle(path, bundle_files(), manifest_body())
        good = (path / "model.onnx").read_bytes()
        evil = tiny_model(weight=-tiny_weight()).SerializeToString()
        if len(evil) != len(good):
            sys.exit("the two models differ in size")
        expected = list(Classifier.load(path).predict(scan()).logits.values())
        swapper = Swapper(path / "model.onnx", [good, evil], random.Random(options.seed))  # noqa: S311
        swapper.start()
        right = refused = wrong = 0
        for _ in range(options.n):
            try:
                answer = Classifier.load(path, self_test="off").predict(scan())
            except BrainError:
                refused += 1
                continue
            if np.allclose(list(answer.logits.values()), expected, atol=1e-5):
                right += 1
            else:
                wrong += 1
        swapper.stopped.set()
        swapper.join()
    sys.stdout.write(
        f"{options.n} loads, {swapper.count} swaps, seed {options.seed}: "
        f"{right} ran the verified model, {refused} refused, {wrong} ran the other one\n"
    )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
