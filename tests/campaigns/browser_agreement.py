"""The page without a server beside the runtime, on the same files: ``python tests/campaigns/browser_agreement.py PAGE
BUNDLE FILE...``.

PAGE is a folder of ``brain-export --web``, BUNDLE what it was written from. Each file goes to Chromium and to Python;
printed are how many answers agree and how far they lie apart, the time to open and the time of each image in both. With
``--made-doubtful N`` the first N scans are also asked about in every way of ``doubtful.py``, and with ``--damaged N``
each is damaged N times.
"""

import argparse
import io
import json
import platform
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
sys.path.insert(0, str(Path(__file__).parent))

from chromium import browser
from doubtful import made_doubtful
from served_page import ask, served

from edge_infer import Classifier
from edge_infer.answer_lines import AnswerLines

_BATCH = 20
_COMPARED = (
    "status",
    "decision",
    "reasons",
    "prediction_set",
    "label",
    "warnings",
    "source_sha256",
)


def main() -> None:
    """Run both and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--made-doubtful", type=int, default=0)
    parser.add_argument("--damaged", type=int, default=0)
    given = parser.parse_args()
    cases = dict(_cases(given.files, given.made_doubtful, given.damaged))
    python = AnswerLines(Classifier.load(given.bundle, num_threads=1))
    found = _Found()
    with (
        tempfile.TemporaryDirectory() as profile,
        served(given.page) as url,
        browser(Path(profile)) as tab,
    ):
        tab.open(url, width=1200)
        started = time.perf_counter()
        ask(tab, {})
        opened = time.perf_counter() - started
        names = list(cases)
        for at in range(0, len(names), _BATCH):
            part = {name: cases[name] for name in names[at : at + _BATCH]}
            for name, line in zip(part, ask(tab, part), strict=True):
                [expected] = python.of_content(part[name], name=name)
                found.add(name, expected, line)
        waited = tab.value("window.waited")
        version = tab.send("Browser.getVersion")["product"]
    report = {
        "browser": version,
        "processor": _processor(),
        "open_s": round(opened, 2),
        "browser_ms": _spread(waited),
        "browser_inference_ms": _spread(found.browser_ms),
        "python_inference_ms": _spread(found.python_ms),
        **found.report(),
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


class _Found:
    def __init__(self) -> None:
        self.asked = 0
        self.unequal: dict[str, list[str]] = {name: [] for name in _COMPARED}
        self.codes: Counter[str] = Counter()
        self.largest = {"probability": 0.0, "scope": 0.0}
        self.browser_ms: list[float] = []
        self.python_ms: list[float] = []

    def add(self, name: str, expected: dict[str, Any], line: dict[str, Any]) -> None:
        self.asked += 1
        for field in _COMPARED:
            if expected.get(field) != line.get(field):
                self.unequal[field].append(
                    f"{name}: {expected.get(field)} / {line.get(field)} {line.get('error', '')}"
                )
        codes = [one.get("error", {}).get("code", "answered") for one in (expected, line)]
        self.codes[" / ".join(codes)] += 1
        if codes != ["answered", "answered"]:
            return
        for label, probability in expected["probabilities"].items():
            apart = abs(probability - line["probabilities"][label])
            self.largest["probability"] = max(self.largest["probability"], apart)
        if expected["scope"]:
            apart = abs(expected["scope"]["score"] - line["scope"]["score"])
            self.largest["scope"] = max(self.largest["scope"], apart)
        self.browser_ms.append(line["timings_ms"]["inference"])
        self.python_ms.append(expected["timings_ms"]["inference"])

    def report(self) -> dict[str, Any]:
        return {
            "files": self.asked,
            "python / browser": dict(self.codes),
            "unequal": {name: len(values) for name, values in self.unequal.items()},
            "largest_difference": self.largest,
            "examples": {name: values[:8] for name, values in self.unequal.items() if values},
        }


def _cases(files: list[Path], doubtful: int, damaged: int) -> Iterator[tuple[str, bytes]]:
    scans = [Image.open(path).convert("L") for path in files[: max(doubtful, 4)]]
    rng, chance = np.random.default_rng(0), random.Random(0)  # noqa: S311 -- no secret
    for number, path in enumerate(files):
        content = path.read_bytes()
        yield f"{number} {path.name}", content
        for turn in range(damaged):
            yield f"{number} {path.stem} damaged {turn}{path.suffix}", _damaged(content, chance)
    for number in range(doubtful):
        others = [scans[(number + step) % len(scans)] for step in (1, 2, 3)]
        for kind, image in made_doubtful(scans[number], others, rng):
            for ending, options in (
                ("PNG", {}),
                ("JPEG", {"quality": 95, "subsampling": number % 3}),
            ):
                packed = io.BytesIO()
                image.save(packed, ending, **options)
                yield f"{number} {kind}.{ending.lower()}", packed.getvalue()


def _damaged(content: bytes, chance: random.Random) -> bytes:
    data = bytearray(content)
    at = chance.randrange(2, len(data))
    kind = chance.choice(("cut", "bits", "lost", "filled"))
    if kind == "cut":
        del data[at:]
    elif kind == "bits":
        for _ in range(chance.choice((1, 1, 2, 8))):
            data[chance.randrange(2, len(data))] ^= 1 << chance.randrange(8)
    elif kind == "lost":
        del data[at : at + chance.choice((1, 2, 16, 512))]
    else:
        size = min(chance.choice((1, 16, 512)), len(data) - at)
        data[at : at + size] = bytes([chance.choice((0, 255))]) * size
    return bytes(data)


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {
        "n": len(values),
        "median": round(statistics.median(values), 1),
        "p90": round(ordered[int(0.9 * (len(ordered) - 1))], 1),
        "least": round(ordered[0], 1),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
