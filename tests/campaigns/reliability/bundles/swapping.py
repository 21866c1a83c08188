"""A model that is swapped for another one and back while its bundle is loaded: what runs must be what was verified."""

import random
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from reliability.bundles.good_bundles import good_bundles
from reliability.campaign import Broken
from tiny_bundle import scan, tiny_model, tiny_weight

from edge_infer import BrainError, Classifier

__all__ = ["load_while_swapped"]

_LOADS = 5


@dataclass(frozen=True, kw_only=True)
class _Swap:
    path: Path
    contents: tuple[bytes, bytes]
    rng: random.Random
    stopped: threading.Event

    def run(self) -> None:
        """Put one of two contents at the path, by renaming or in place, until told to stop."""
        aside = self.path.parent.with_name("aside.onnx")
        while not self.stopped.is_set():
            for content, rests in zip(
                reversed(self.contents), ((0, 0.002), (0, 0.03)), strict=True
            ):
                if self.rng.random() < 0.5:
                    aside.write_bytes(content)
                    aside.replace(self.path)
                else:
                    with self.path.open("r+b") as file:
                        file.write(content)
                time.sleep(self.rng.uniform(*rests))  # the good one stays longer


def load_while_swapped(target: Path, rng: random.Random) -> str:
    """Load a bundle a few times; without the self-test only the digests protect.

    Args:
        target: Folder that does not exist yet.
        rng: Decides when the other model is there.

    Raises:
        Broken: The other model ran.
    """
    files = good_bundles()[1]
    target.mkdir()
    for name, data in files.items():
        (target / name).write_bytes(data)
    other = tiny_model(weight=-tiny_weight()).SerializeToString()
    if len(other) != len(files["model.onnx"]):
        raise ValueError("the two models differ in size")
    expected = list(Classifier.load(target, num_threads=1).predict(scan()).logits.values())
    swap = _Swap(
        path=target / "model.onnx",
        contents=(files["model.onnx"], other),
        rng=rng,
        stopped=threading.Event(),
    )
    thread = threading.Thread(target=swap.run, daemon=True)
    thread.start()
    try:
        seen = [_answer(target, expected) for _ in range(_LOADS)]
    finally:
        swap.stopped.set()
        thread.join()
    return (
        "swapped: refused each time"
        if set(seen) == {"refused"}
        else "swapped: refused, or the verified model ran"
    )


def _answer(target: Path, expected: list[float]) -> str:
    try:
        answer = Classifier.load(target, num_threads=1, self_test="off").predict(scan())
    except BrainError:
        return "refused"
    if not np.allclose(list(answer.logits.values()), expected, atol=1e-5):
        raise Broken("a model ran that is not the one that was verified")
    return "ran"
