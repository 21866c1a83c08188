"""Change the wire encoding of graphs at random and compare what graph_facts accepts with what the onnx package reads.

    python tests/campaigns/hostile_wire.py --n 100000 --seed 0

Exit status 1 if a graph was accepted that onnx reads differently or that holds forbidden content; prints its bytes.
"""

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from graph_verdicts import rich_model, verdict  # noqa: E402 -- after the path
from wire_mutations import mutated  # noqa: E402


def shipped_graph() -> bytes:
    """The shipped graph with a few bytes of weights: readers could only differ in the rest."""
    model = onnx.load(ROOT / "edge_infer" / "shipped" / "model.onnx")
    for tensor in model.graph.initializer:
        tensor.raw_data = tensor.raw_data[:8]
    del model.graph.node[40:]
    return model.SerializeToString()


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311 -- places, no secrets
    bases = [rich_model().SerializeToString(), shipped_graph()]
    seen: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    for number in range(options.n):
        name, data = mutated(bases[number % 4 == 3], rng)
        for _ in range(rng.choice([0, 0, 1, 2])):
            try:
                name, data = mutated(data, rng)
            except (ValueError, KeyError, IndexError):  # no longer canonical: cannot be split
                break
        started = time.perf_counter()
        try:
            result = verdict(data)
        except DecodeError:
            result = "onnx refuses"
        except AssertionError as error:
            sys.stdout.write(f"DIFFERENT: {name}, {error}\n{data.hex()}\n")
            return 1
        slowest = max(slowest, time.perf_counter() - started)
        seen[name, result] += 1
    for (name, result), count in sorted(seen.items()):
        sys.stdout.write(f"{name:18} {result:12} {count:8,}\n")
    total = Counter(result for _, result in seen.elements())
    sys.stdout.write(
        f"n {options.n:,}, seed {options.seed}: {dict(total)}, slowest {slowest:.3f} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
