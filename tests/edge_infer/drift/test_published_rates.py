"""The figures of docs/drift.md are those of the campaign."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def make_drift() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_d", ROOT / "docs/make_drift.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_d"] = module
    spec.loader.exec_module(module)
    return module


def test_the_published_page_is_what_the_published_rates_give(make_drift: ModuleType) -> None:
    page = ROOT / "docs/drift.md"
    assert page.read_text(encoding="utf-8") == make_drift.render(), "run make docs"


def test_without_rates_the_page_says_so(
    make_drift: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_drift, "RATES", tmp_path / "rates.json")
    assert "No result has been published yet" in make_drift.render()


def test_independent_images_alarm_in_no_more_than_5_percent_of_windows() -> None:
    """The promise of docs/drift.md, on the answers of the shipped model."""
    rates = json.loads((ROOT / "docs/drift/rates.json").read_text(encoding="utf-8"))
    rows = [
        row
        for row in rates["false_alarms"]
        if row["name"] in ("one image a patient", "images at random")
    ]
    assert len(rows) == 3
    for row in rows:
        assert row["splits"] >= 500
        assert row["signs"]["low"] <= rates["limits"]["alpha"], row["name"]
    for row in rates["power"]:
        assert row["n"] in (200, 400)
