"""The shipped bundle gives its known answers with the kernels of older processors too.

A masked CPUID makes onnxruntime choose its kernels as it would there (processors.py). Skipped where that is impossible.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

ASK = """
import json, os, sys
from pathlib import Path
from edge_infer import Classifier
from edge_infer.saturation import products_saturate
from edge_infer.self_test import replay

classifier = Classifier.load(self_test="off")
report = replay(classifier.bundle, classifier.session)
print(json.dumps({
    "saturates": products_saturate(),
    "failures": report.failures,
    "drift": report.largest_drift,
    "tolerance": report.tolerance,
    "answers": [[each.label, each.logits] for each in map(classifier.predict, sys.argv[1:])],
}))
"""


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


processors = _loaded(Path(__file__).with_name("processors.py"))
SCANS = sorted(map(str, (ROOT / "examples").glob("brisc_*.jpg")))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("masked")


def asked(processor: str, library: Path) -> Any:
    try:
        environment = processors.environment_of(processor, library)
    except processors.Unavailable as error:
        pytest.skip(f"needs a processor that can be masked: {error}")
    done = subprocess.run(
        [sys.executable, "-c", ASK, *SCANS], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def native(library: Path) -> Any:
    return asked("as it is", library)


@pytest.mark.parametrize("processor", processors.PROCESSORS)
def test_the_shipped_bundle_answers_alike(processor: str, library: Path, native: Any) -> None:
    found = asked(processor, library)
    assert found["failures"] == []
    assert found["drift"] <= found["tolerance"]
    assert len(found["answers"]) == 4
    for (label, logits), (expected, expected_logits) in zip(
        found["answers"], native["answers"], strict=True
    ):
        assert label == expected
        for name, logit in logits.items():
            assert logit == pytest.approx(expected_logits[name], abs=found["tolerance"])


def test_the_mask_is_seen(library: Path) -> None:
    """Control: with AVX2 alone, 8-bit products of onnxruntime saturate; a mask without effect would pass above."""
    assert asked("x64 AVX2 (Haswell, Zen 3)", library)["saturates"] is True


def test_the_page_shows_what_the_gates_gave_by_processor() -> None:
    experiment = _loaded(ROOT / "docs" / "experiments" / "gates_by_processor.py")
    result = json.loads(experiment.RESULT.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    assert experiment.table(result) in page
    outcomes: dict[str, set[bool]] = {}
    for row in result["rows"]:
        if "chosen" in row:
            outcomes.setdefault(row["model"], set()).add(row["chosen"] is not None)
    assert set(outcomes) == {"cvt-slim", "cvt13", "vit"}
    assert all(len(found) == 1 for found in outcomes.values()), "pass or fail alike"
