"""The baseline of the shipped bundle is what the shipped model answers, as docs/drift.md says it was made."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from edge_infer.baseline.reading import read_baseline
from edge_infer.bundle import load_bundle, shipped_bundle_path
from edge_infer.drift.image_facts import FACTS
from export.drift_baseline import drift_of
from train.data.layouts import load_samples
from train.splits.sample_rows import part_rows

ROOT = Path(__file__).parents[2]


def test_the_shipped_baseline_is_of_validation_images_and_small() -> None:
    bundle = load_bundle(shipped_bundle_path())
    baseline = bundle.baseline
    assert baseline is not None
    assert (baseline.n, baseline.groups) == (410, 136)
    assert baseline.source == "validation part of brisc2025, one of each copy"
    assert set(FACTS) < set(baseline.parts[0].quantiles)
    assert baseline.points is not None
    assert len(baseline.points.values) == 256
    assert len(json.dumps(bundle.manifest["drift"])) < 40_000


@pytest.mark.slow
@pytest.mark.real_scans
def test_the_validation_part_gives_the_shipped_baseline_again() -> None:
    data = Path(os.environ.get("BRAIN_EDGE_DATA", ROOT / ".." / "shared" / "data"))
    if not (data / "manifest.csv").is_file():
        pytest.skip("no real scans")
    samples = load_samples(data, manifest=data / "manifest.csv", dataset="brisc2025", verify=False)
    rows = part_rows(samples, "val", one_of_each_copy=True)
    bundle = load_bundle(shipped_bundle_path())
    fields = drift_of(
        bundle,
        [samples[row].source for row in rows],
        groups=[samples[row].group for row in rows],
        source="again",
    )
    assert fields is not None
    again, shipped = read_baseline(fields, bundle.labels), bundle.baseline
    assert shipped is not None
    for name, quantiles in shipped.parts[0].quantiles.items():
        found = again.parts[0].quantiles[name]
        if name in FACTS:  # no graph has a part in them
            assert found.tolist() == quantiles.tolist(), name
        # Another processor rounds otherwise, by far less than images differ.
        assert np.abs(found - quantiles).max() <= 0.05 * np.ptp(quantiles), name
    before, now = (one.parts[0].shares["label"].counts for one in (shipped, again))
    assert all(abs(before[label] - now[label]) <= 4 for label in before)
