"""Does a device answer as the CPU does, and how fast: each bundle on real scans, the two in turn.

    python tests/campaigns/devices.py --device openvino bundles/efficientnet-lite-fp32 edge_infer/shipped

Opening and memory are measured in a process of their own for each device. Where the device is not there, the bundle's
line says why; exit status 1 if a label differs. Figures: docs/devices.md.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # an environment with a plugin need not have the project

from edge_infer import Classifier  # noqa: E402 -- after the path
from edge_infer.contract import RESEARCH_USE_ONLY  # noqa: E402
from edge_infer.errors import BrainError  # noqa: E402
from edge_infer.machine import machine_facts  # noqa: E402

SCANS = ROOT / "export" / "kit" / "pictures" / "val"
_ALONE = "alone"


def main() -> None:
    """Compare and print a line of JSON for each bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--device", default="openvino")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=0, help="of the kit; default: all")
    parser.add_argument("--self-test", default="full", help="off shows what the self-test refuses")
    given = parser.parse_args()
    scans = sorted(SCANS.rglob("*.jpg"))
    if given.images:
        scans = scans[:: max(1, len(scans) // given.images)][: given.images]
    print(json.dumps({"machine": machine_facts(), "research_use_only": RESEARCH_USE_ONLY}))
    differ = 0
    for bundle in given.bundles:
        found: dict[str, Any] = {"bundle": bundle.name, "device": given.device}
        try:
            found |= _compared(bundle, given.device, given.threads, scans, given.self_test)
            differ += found["labels_differ"]
            for device in ("cpu", given.device):
                found[f"{device}_{_ALONE}"] = _alone_in_a_process(bundle, device, given.threads)
        except BrainError as error:
            found["failure"] = str(error)
        print(json.dumps(found), flush=True)
    raise SystemExit(1 if differ else 0)


def _compared(
    bundle: Path, device: str, threads: int, scans: list[Path], self_test: Any
) -> dict[str, Any]:
    cpu, other = (
        Classifier.load(bundle, device=name, num_threads=threads, self_test=self_test)
        for name in ("cpu", device)
    )
    labels = decisions = 0
    largest = {"probability": 0.0, "logit": 0.0, "evidence": 0.0}
    times: dict[str, list[float]] = {"cpu": [], device: []}
    for number, scan in enumerate(scans):
        pair = [(cpu, "cpu"), (other, device)]
        answers = {}
        for classifier, name in pair if number % 2 else reversed(pair):
            answers[name] = classifier.predict(scan)
            times[name].append(answers[name].timings_ms["inference"])
        here, there = answers["cpu"], answers[device]
        labels += here.label != there.label
        decisions += (here.decision, here.reasons) != (there.decision, there.reasons)
        for key, (a, b) in {
            "probability": (list(here.probabilities.values()), list(there.probabilities.values())),
            "logit": (list(here.logits.values()), list(there.logits.values())),
            "evidence": (here.evidence, there.evidence),
        }.items():
            largest[key] = max(largest[key], float(np.abs(np.subtract(a, b)).max()))
    return {
        "provider": other.session.provider,
        "n": len(scans),
        "labels_differ": labels,
        "decisions_differ": decisions,
        **{f"largest_{key}_difference": value for key, value in largest.items()},
        **{
            f"{name}_ms": [round(float(np.percentile(ms, q)), 2) for q in (10, 50, 90)]
            for name, ms in times.items()
        },
    }


def _alone_in_a_process(bundle: Path, device: str, threads: int) -> Any:
    code = f"""
import json, sys, time
sys.path.insert(0, {str(ROOT)!r})
from edge_infer import Classifier
from edge_infer.machine import peak_rss_mb
began = time.perf_counter()
classifier = Classifier.load({str(bundle)!r}, device={device!r}, num_threads={threads}, self_test="off")
opened = time.perf_counter()
classifier.predict({str(next(SCANS.rglob("*.jpg")))!r})
ended = time.perf_counter()
print(json.dumps([round(opened - began, 2), round(ended - began, 2), round(peak_rss_mb())]))
"""
    runs = [
        json.loads(
            subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
        )
        for _ in range(3)
    ]
    open_s, answer_s, mb = np.median(runs, axis=0).tolist()
    return {"open_s": open_s, "first_answer_s": answer_s, "peak_rss_mb": mb}


if __name__ == "__main__":
    main()
