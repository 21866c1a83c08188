import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_infer.contract import RESEARCH_USE_ONLY
from train.data.samples import Sample
from train.splits.audit import AuditReport, audit
from train.splits.audit_text import audit_text
from train.splits.sample_copies import copies_among


@pytest.fixture(scope="module")
def report(
    make_leaky: Callable[[Path], list[Sample]], tmp_path_factory: pytest.TempPathFactory
) -> AuditReport:
    return audit(make_leaky(tmp_path_factory.mktemp("audit") / "leaky"))


def test_a_clean_set_has_no_copies(phantom_samples: list[Sample]) -> None:
    report = audit(phantom_samples)
    assert report.copies == ()
    assert report.distinct == 40
    assert "0 of 8 test images have a copy in train (0.0%)" in audit_text(report)


def test_each_planted_copy_is_found_once_and_in_its_kind(report: AuditReport) -> None:
    found = {Path(report.samples[row].name).name: c.kind for c in report.across for row in both(c)}
    planted = ("bytes.png", "pixels.bmp", "near.jpg", "mirrored.png", "turned.png")
    assert [found[name] for name in planted] == ["bytes", "pixels", "near", "mirrored", "turned"]
    assert len(report.across) == 5
    assert len(report.copies) == 6
    assert report.distinct == 40
    assert report.leaked("test", "train") == {"bytes": 1, "pixels": 1, "near": 1, "mirrored": 1}
    assert report.leaked("val", "train") == {"turned": 1}
    assert report.leaked("test", "val").total() == 0
    (conflict,) = report.conflicts
    assert {report.samples[row].class_name for row in both(conflict)} == {"glioma", "pituitary"}


def both(copy: object) -> tuple[int, int]:
    return copy.first, copy.second  # type: ignore[attr-defined]


def test_json_and_csv_hold_what_was_found(report: AuditReport, tmp_path: Path) -> None:
    report.write_json(tmp_path / "audit.json")
    report.write_csv(tmp_path / "pairs.csv")
    counts = json.loads((tmp_path / "audit.json").read_text())
    assert counts["pictures"] == 46
    assert counts["leaked_pictures"]["test with a copy in train"]["any"] == 4
    assert counts["pairs"]["train-val"] == {"turned": 1}
    assert counts["label_conflict_pictures"] == 2
    assert counts["research_use"] == RESEARCH_USE_ONLY
    with (tmp_path / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["a", "b", "kind", "score", "split_a", "split_b", "label_a", "label_b"]
    assert len(rows) == 6
    assert [row["split_a"] == row["split_b"] for row in rows] == [False] * 5 + [True]
    assert {row["kind"] for row in rows[:5]} == {"bytes", "pixels", "near", "mirrored", "turned"}


def test_the_text_says_how_many_leak_and_what_it_is_for(report: AuditReport) -> None:
    text = audit_text(report)
    assert "4 of 12 test images have a copy in train (33.3%)" in text
    assert "1 of 5 val images have a copy in train (20.0%)" in text
    assert "1 pairs of copies have two labels" in text
    assert text.endswith(RESEARCH_USE_ONLY + "\n")


def test_a_second_run_reads_the_answer_from_the_cache(
    make_leaky: Callable[[Path], list[Sample]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = make_leaky(tmp_path / "leaky")
    first = copies_among(samples, cache=tmp_path / "cache")
    answer = next((tmp_path / "cache").glob("copies-*.json"))

    def never(*_: object, **__: object) -> None:
        raise AssertionError("compared again")

    with monkeypatch.context() as patch:
        patch.setattr("train.splits.sample_copies.find_copies", never)
        assert copies_among(samples, cache=tmp_path / "cache") == first
    answer.write_text("[{")  # damaged: computed again
    assert copies_among(samples, cache=tmp_path / "cache") == first
