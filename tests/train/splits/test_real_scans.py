"""The audit against what the data set's own manifest says. Needs the real scans."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from train.data.layouts import load_samples
from train.data.manifest_csv import read_manifest
from train.data.samples import Sample
from train.splits.audit import AuditReport, audit
from train.splits.leaks import find_leaks

pytestmark = [pytest.mark.real_scans, pytest.mark.slow]


def copy_groups(scans: Path) -> dict[str, str]:
    import csv

    with (scans / "manifest.csv").open(newline="") as file:
        return {row["path"]: row["copy_group"] for row in csv.DictReader(file)}


def official(scans: Path, dataset: str) -> list[Sample]:
    """Images in their official split; the manifest adds the fingerprint before shrinking."""
    before = {row.name: row.original_sha256 for row in read_manifest(scans / "manifest.csv")}
    samples = load_samples(scans / dataset, verify=False)
    return [replace(s, original_sha256=before[f"{dataset}/{s.name}"]) for s in samples]


@pytest.fixture(scope="module")
def brisc(real_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> AuditReport:
    return audit(official(real_scans, "brisc2025"), cache=tmp_path_factory.mktemp("brisc"))


@pytest.fixture(scope="module")
def sartaj(real_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> AuditReport:
    return audit(official(real_scans, "sartaj"), cache=tmp_path_factory.mktemp("sartaj"))


def false_pairs(report: AuditReport, scans: Path, dataset: str) -> list[tuple[str, str]]:
    group = copy_groups(scans)
    names = [(report.samples[c.first].name, report.samples[c.second].name) for c in report.copies]
    return [(a, b) for a, b in names if group[f"{dataset}/{a}"] != group[f"{dataset}/{b}"]]


def test_brisc_leaks_as_its_manifest_says(brisc: AuditReport, real_scans: Path) -> None:
    assert Counter(sample.split for sample in brisc.samples) == {"train": 5000, "test": 1000}
    leaked = brisc.leaked("test", "train")
    assert 560 <= leaked.total() <= 584  # 568 directly, 584 through copies in the other set
    assert leaked["bytes"] == 7
    assert leaked["mirrored"] >= 450
    assert false_pairs(brisc, real_scans, "brisc2025") == []


def test_sartaj_leaks_as_its_manifest_says(sartaj: AuditReport, real_scans: Path) -> None:
    leaked = sartaj.leaked("test", "train")
    assert leaked["bytes"] == 88
    assert leaked["bytes"] + leaked["pixels"] == 251
    assert leaked.total() == 259
    assert false_pairs(sartaj, real_scans, "sartaj") == []


def test_the_proposed_split_does_not_leak(real_scans: Path, tmp_path: Path) -> None:
    samples = load_samples(real_scans, manifest=real_scans / "manifest.csv", verify=False)
    assert len(samples) == 9264
    assert not find_leaks(samples, cache=tmp_path)


def test_the_manifest_gives_the_parts_that_reports_are_made_on(real_scans: Path) -> None:
    samples = load_samples(
        real_scans, manifest=real_scans / "manifest.csv", dataset="brisc2025", verify=False
    )
    assert len(samples) == 6000
    distinct = Counter(s.split for s in samples if not s.is_copy and not s.label_conflict)
    assert distinct["test"] == 813
