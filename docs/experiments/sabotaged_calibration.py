"""What the gate says when the calibration images are wrong: the real export, with a sabotaged calibration set.

    OMP_NUM_THREADS=1 python docs/experiments/sabotaged_calibration.py --data DATA --manifest DATA/manifest.csv \
        --dataset brisc2025 --checkpoint runs/vit-vit-cpu/checkpoint

For each sabotage an older bundle lies at the export's output; afterwards it is compared byte for byte. Only
quantizations whose ranges all come from the calibration images are tried: one that measures each image's own range
does not look at them, so no set can spoil it, and the export would write it, correctly. The tables go to stdout, the
figures to sabotaged_calibration.json beside this file; what is there is not run again. The product does not import
this.
"""

import argparse
import dataclasses
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import QualityGateFailed
from export import bundling
from export.bundling import export_bundle
from export.int8.calibration import ExportImages, from_data_set
from export.int8.gate import GateReport, judge
from export.int8.ranges import METHODS
from export.int8.variants import Variant, quantized_variants
from export.model_inputs import ModelInputs
from train.checkpoint import Checkpoint, load_checkpoint
from train.data.layouts import load_samples

__all__ = ["RESULT", "SABOTAGES", "calibrated_only", "main", "sabotaged", "spoilt", "table"]

RESULT = Path(__file__).with_suffix(".json")

#: What is done to the calibration images, uint8 (N, H, W).
SABOTAGES: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "black": np.zeros_like,
    "noise": lambda grey: np.random.default_rng(0).integers(0, 256, grey.shape, dtype=np.uint8),
    "dimmed to an eighth": lambda grey: grey // 8,
}

#: Corrupted variants, asked only of what passes on clean images.
_CORRUPTED = 355


def main() -> None:
    """Run every sabotage and print the gate's tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--dataset", default="")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=RESULT)
    given = parser.parse_args()

    checkpoint = load_checkpoint(given.checkpoint)
    samples = load_samples(given.data, manifest=given.manifest, dataset=given.dataset, verify=False)
    source = given.dataset or given.data.name
    images = from_data_set(samples, checkpoint.preprocessor, given.cache, source=source, seed=0)
    result: dict[str, Any] = {
        "research_use_only": RESEARCH_USE_ONLY,
        "model": checkpoint.name,
        "size": [checkpoint.preprocessor.height, checkpoint.preprocessor.width],
        "pictures": {"source": source, "n_calibration": len(images.calibration)},
        "n_gate": len(images.gate),
        "onnxruntime": onnxruntime.__version__,
        "sabotages": {},
    }
    if given.output.is_file():
        result["sabotages"] = json.loads(given.output.read_text(encoding="utf-8"))["sabotages"]
    for name in SABOTAGES:
        if name in result["sabotages"]:
            continue
        print(f"## calibration: {name}\n", flush=True)
        given_images = dataclasses.replace(spoilt(images, name), corrupted=_CORRUPTED)
        result["sabotages"][name] = sabotaged(checkpoint, given_images)
        content = json.dumps(result, indent=1, allow_nan=False) + "\n"
        write_bytes_atomically(given.output, content.encode())
    print(table(result))


def spoilt(images: ExportImages, sabotage: str) -> ExportImages:
    """Return images whose calibration part is sabotaged."""
    grey = SABOTAGES[sabotage](images.calibration.grey)
    calibration = ModelInputs(grey, images.calibration.preprocessor)
    return dataclasses.replace(images, calibration=calibration)


def sabotaged(checkpoint: Checkpoint, images: ExportImages) -> dict[str, Any]:
    """Export over an older bundle; return how it ended and what the gate found of each quantization."""
    reports: list[GateReport] = []

    def noted(*logits: Any) -> GateReport:
        reports.append(judge(*logits))
        return reports[-1]

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(bundling, "quantized_variants", calibrated_only),
        patch("export.int8.choice.judge", noted),
    ):
        target = Path(folder) / "bundle"
        common: dict[str, Any] = {"metrics": {}, "command": "sabotaged calibration"}
        export_bundle(checkpoint, target, precision="fp32", images=None, **common)
        older = _contents(target)
        message, exit_code = "", 0
        try:
            export_bundle(checkpoint, target, precision="int8", images=images, step=_show, **common)
        except QualityGateFailed as error:
            message, exit_code = error.message, error.exit_code
        unharmed = _contents(target) == older
    print(f"exit code {exit_code}; older bundle unharmed: {unharmed}\n{message}\n", flush=True)
    return {
        "exit_code": exit_code,
        "older_bundle_unharmed": unharmed,
        "message": message,
        "tried": [
            {"variant": f"static-{method}", "failures": report.failures, **report.table}
            for method, report in zip(METHODS, reports, strict=True)
        ],
    }


def table(result: dict[str, Any]) -> str:
    """Render as Markdown: one row for each sabotage and quantization."""
    classes = list(LABELS)
    lines = [
        f"| Calibration images | Ranges | Agreement | {' | '.join(classes)} | Newly no_tumor | Gate | Exit code |",
        f"|---|---|---|{'---|' * len(classes)}---|---|---|",
    ]
    for name, sabotage in result["sabotages"].items():
        for tried in sabotage["tried"]:
            agreement = tried["agreement"]
            interval = f"{100 * agreement['low']:.1f}..{100 * agreement['high']:.1f}"
            lost = [
                f"{0 - 100 * tried['per_class'][label]['recall_loss']:+.1f}" for label in classes
            ]
            verdict = "failed" if tried["failures"] else "passed"
            lines.append(
                f"| {name} | {tried['variant']} | {100 * agreement['value']:.2f} % ({interval}) | "
                f"{' | '.join(lost)} | {tried['tumor_to_no_tumor_flips']} | {verdict} | {sabotage['exit_code']} |"
            )
    return "\n".join(lines)


def calibrated_only(*arguments: Any, **options: Any) -> Iterator[Variant]:
    """Make the quantizations that come first: those whose ranges all come from the calibration images."""
    return itertools.islice(quantized_variants(*arguments, **options), len(METHODS))


def _show(text: str) -> None:
    print(text, flush=True)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


if __name__ == "__main__":
    main()
