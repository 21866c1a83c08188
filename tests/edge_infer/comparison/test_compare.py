"""brain-compare finds what was planted, holds what did not change, and does not pass what it cannot judge."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from compared_bundles import MISSES, known_images, planted
from dicom_files import enhanced_mr, mr_series, write_files
from own_bundle import PETS, write_own
from report_page import Page
from scan_slices import GLIOMA, HEALTHY
from tiny_bundle import tiny_series

from edge_infer.classes import BRAIN
from edge_infer.compare_cli import main
from edge_infer.comparison import cost
from edge_infer.comparison.answers import Answer, Case, SeriesPair
from edge_infer.comparison.cost_figures import cost_figures
from edge_infer.comparison.pairs import Pairs
from edge_infer.comparison.series_figures import series_figures
from edge_infer.comparison.truth import truth_figures
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.figures import intervals
from edge_infer.figures.intervals import wilson_interval
from edge_infer.figures.paired import paired_difference

#: So wide that few images are enough.
WIDE = [
    word
    for name in (
        *("flips", "accepted_flips", "positive_to_negative", "negative_to_positive"),
        *("accepted_lost", "accepted_gained", "newly_failed", "accuracy_drop"),
    )
    for word in ("--limit", f"{name}=0+0.9")
] + ["--limit", "ece_rise=off"]


@pytest.fixture(autouse=True)
def _quick_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_RESAMPLES", 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compared")


@pytest.fixture(scope="module")
def old(folder: Path) -> Path:
    return planted(folder / "old")


@pytest.fixture(scope="module")
def data(folder: Path) -> Path:
    known_images(folder / "data")
    return folder / "data"


def run(old: object, new: object, data: Path, *arguments: object, rounds: int = 0) -> Result:
    words = [old, new, "--data", data, "--threads", 1, "--rounds", rounds, *arguments]
    return CliRunner().invoke(main, [str(word) for word in words])


def result_of(done: Result) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def verdicts(result: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in result["limits"]}


def test_equal_bundles_change_nothing_and_all_limits_hold(old: Path, data: Path) -> None:
    done = run(old, old, data, "--json", *WIDE)
    assert (done.exit_code, done.stderr) == (0, "")
    result = result_of(done)
    assert result["verdict"] == "held"
    assert result["flips"]["all"]["count"] == 0
    assert result["data"]["answered_by_both"] == result["data"]["labelled"] == 24
    assert result["shift"]["largest"] == 0
    assert result["changed"] == []
    assert result["truth"]["accuracy"]["all"]["old"]["value"] == 1
    open_ones = {name for name, verdict in verdicts(result).items() if verdict == "not judged"}
    assert open_ones == {"series_evidence_lost", "series_changed", "latency_ratio", "memory_ratio"}


def test_too_few_images_are_said_and_do_not_pass(old: Path, data: Path) -> None:
    done = run(old, old, data)
    assert done.exit_code == 101
    assert done.stdout.startswith("Not exceeded, but too few images to say: positive_to_negative,")
    assert "without a single case 189 independent images are enough" in done.stdout
    assert done.stderr.startswith("too few images to say: positive_to_negative,")


def test_tumours_that_become_no_tumor_are_found_class_by_class(
    old: Path, data: Path, folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "change.html"
    done = run(old, planted(folder / "misses", MISSES), data, "--json", "--report", page, *WIDE)
    assert done.exit_code == 86
    assert "exceeds" in done.stderr
    assert "positive_to_negative" in done.stderr
    result = result_of(done)
    gliomas, healthy = (len(list((data / label).iterdir())) for label in ("glioma", "no_tumor"))
    negative = result["flips"]["negative"]
    assert negative["to_negative_accepted"]["count"] == gliomas
    assert negative["from_negative_accepted"]["count"] == healthy
    assert negative["to_negative_truth"] == {"glioma": gliomas}
    matrix = result["flips"]["matrix"]
    assert matrix[LABELS.index("glioma")][LABELS.index("no_tumor")] == gliomas
    assert result["flips"]["all"]["count"] == gliomas + healthy
    assert verdicts(result)["positive_to_negative"] == "exceeded"
    accuracy = result["truth"]["accuracy"]
    assert (accuracy["glioma"]["drop"]["value"], accuracy["pituitary"]["drop"]["value"]) == (1, 0)
    assert {one["new"]["label"] for one in result["changed"][:gliomas]} == {"no_tumor"}
    text = page.read_text()
    assert "A limit is exceeded" in Page(text).words
    assert "<img" not in text, "images only where they are asked for"
    assert RESEARCH_USE_ONLY in Page(text).words


def test_a_correction_is_no_loss_where_the_class_is_known(
    old: Path, data: Path, folder: Path
) -> None:
    misses = planted(folder / "missed-before", MISSES)
    negative = result_of(run(misses, old, data, "--json", *WIDE))["flips"]["negative"]
    healthy = len(list((data / "no_tumor").iterdir()))
    assert negative["to_negative_accepted"]["count"] == healthy
    assert negative["to_negative_judged"]["count"] == 0


def test_another_order_of_the_same_classes_changes_nothing(
    old: Path, data: Path, folder: Path
) -> None:
    order = (3, 0, 1, 2)
    turned = planted(folder / "turned", order, labels=tuple(LABELS[number] for number in order))
    result = result_of(run(old, turned, data, "--json", *WIDE))
    assert result["flips"]["all"]["count"] == 0
    assert result["shift"]["largest"] < 1e-6


def test_answers_that_are_no_longer_accepted_are_counted_by_reason(
    old: Path, data: Path, folder: Path
) -> None:
    strict = planted(folder / "strict", least_score=1.0)
    done = run(old, strict, data, "--json", *WIDE)
    assert done.exit_code == 86
    result = result_of(done)
    assert verdicts(result)["accepted_lost"] == "exceeded"
    assert result["decisions"]["lost"]["value"] == 1
    assert result["decisions"]["lost_reasons"] == {"ambiguous": 24}
    back = result_of(run(strict, old, data, "--json", *WIDE))
    assert verdicts(back)["accepted_gained"] == "exceeded"


def test_a_table_gives_labels_and_groups_and_bad_files_are_counted(
    old: Path, data: Path, tmp_path: Path
) -> None:
    names = sorted(path.relative_to(data) for path in data.rglob("*.png"))
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in names:
        (flat / path.name).write_bytes((data / path).read_bytes())
    (flat / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    table = tmp_path / "labels.csv"
    rows = [f"{path.name},{path.parent.name},{path.name[1]}" for path in names]
    table.write_text("\n".join(["path,label,group", *rows]))
    result = result_of(run(old, old, flat, "--labels", table, "--json", *WIDE))
    assert (result["data"]["labelled"], result["data"]["labels_from"]) == (24, "table")
    assert result["data"]["groups"] == 3
    few = wilson_interval(0, 3)
    assert result["flips"]["all"]["high"] == few.high, (
        "24 images of three patients are no 24 patients"
    )
    assert result["truth"]["accuracy"]["all"]["drop"]["high"] == paired_difference(0, 0, 3).high
    assert result["failures"]["newly_failed"]["high"] == few.high
    assert result["failures"]["old"] == result["failures"]["new"] == {"corrupt": 1}
    unknown = result_of(run(old, old, flat, "--json", *WIDE))
    assert unknown["truth"] is None
    assert verdicts(unknown)["accuracy_drop"] == "too few", "it was stated, so it must be judged"
    table.write_text("path,label\nelsewhere.png,glioma\n")
    assert run(old, old, flat, "--labels", table).exit_code == 26
    table.write_text("path,label\n000.png,tumour\n")
    refused = run(old, old, flat, "--labels", table)
    assert refused.exit_code == 26
    assert "line 2 has a label that is none of glioma" in refused.stderr


def test_other_classes_are_refused(old: Path, data: Path, folder: Path) -> None:
    write_own(folder / "pets", PETS)
    done = run(old, folder / "pets", data)
    assert done.exit_code == 32
    assert "tell different classes apart" in done.stderr


def test_series_are_answered_by_the_rule_of_each(old: Path, folder: Path, tmp_path: Path) -> None:
    ruled = planted(folder / "ruled", series=tiny_series())
    stored = {"WindowCenter": "128", "WindowWidth": "256"}
    greys = np.stack([HEALTHY, HEALTHY, GLIOMA, GLIOMA, GLIOMA]).astype(np.uint16)
    write_files(tmp_path / "glioma", mr_series(greys, **stored))
    result = result_of(run(ruled, old, tmp_path, "--json", *WIDE))
    assert result["data"]["asked"] == 5
    assert result["data"]["labelled"] == 0, (
        "slices of a volume do not all show what it is named for"
    )
    assert result["data"]["groups"] == 1
    assert [(one["old"], one["new"]) for one in result["series"]["each"]] == [
        ("tumour_evidence", "abstain")
    ]
    assert result["series"]["each"][0]["new_reasons"] == ["no_series_rule"]
    failed = result["failures"]["newly_failed"]
    assert (failed["n"], failed["groups"], failed["high"]) == (5, 1, wilson_interval(0, 1).high)


def test_volumes_of_one_patient_are_one_group_and_get_no_class_from_a_table(
    old: Path, tmp_path: Path
) -> None:
    greys = np.stack([HEALTHY, HEALTHY, GLIOMA, GLIOMA, GLIOMA]).astype(np.uint16)
    volumes = [
        enhanced_mr(greys, windows=[(128, 256)], is_shared=True, study=study)
        for study in ("before", "after")
    ]
    names = [path.name for path in write_files(tmp_path / "scans", volumes)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["path,label,group", *(f"{name},glioma,ill" for name in names)]))
    result = result_of(run(old, old, tmp_path / "scans", "--labels", table, "--json", *WIDE))
    assert (result["data"]["asked"], result["data"]["labelled"]) == (10, 0)
    assert result["data"]["groups"] == 1
    assert (result["series"]["n"], result["series"]["changed"]["groups"]) == (2, 1)
    assert result["series"]["changed"]["high"] == wilson_interval(0, 1).high


def test_series_of_one_patient_say_no_more_than_one() -> None:
    series = [
        SeriesPair(name=f"{number}", slices=20, old="tumour_evidence", new="tumour_evidence")
        for number in range(40)
    ]
    alone = series_figures(series)
    of_one = series_figures([replace(one, group="ill") for one in series])
    assert alone is not None
    assert of_one is not None
    for name in ("evidence_lost", "changed"):
        assert alone[name]["high"] == wilson_interval(0, 40).high
        assert (of_one[name]["high"], of_one[name]["groups"]) == (wilson_interval(0, 1).high, 1)


def test_rounds_of_one_moment_stay_side_by_side_where_one_has_no_answer() -> None:
    old = cost.Cost(inference_ms=[[1.0], [], [100.0]])
    new = cost.Cost(inference_ms=[[1.0], [10.0], [100.0]])
    ratio = cost_figures({"old": old, "new": new})["inference_ms"]["p50"]["ratio"]
    assert (ratio["value"], ratio["low"], ratio["high"], ratio["n"]) == (1, 1, 1, 2)


def test_time_and_memory_come_from_processes_of_their_own(
    old: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "_STARTS", 1)
    monkeypatch.setattr(cost, "_PAUSE_S", 0)
    done = run(old, old, data, *WIDE, "--limit", "latency_ratio=900", rounds=6)
    assert done.exit_code == 0, done.stderr
    assert "graph, p50" in done.stdout
    assert "peak memory" in done.stdout
    assert "n 24" in done.stdout


def test_a_bundle_that_does_not_load_and_an_option_without_its_page_are_said(
    old: Path, data: Path, tmp_path: Path
) -> None:
    assert run(old, tmp_path / "none", data).exit_code == 30
    assert run(old, old, data, "--thumbnails").exit_code == 2
    assert run(old, old, data, "--limit", "flips=much").exit_code == 2


def test_an_answer_lost_in_one_of_ten_groups_is_not_rounded_to_none() -> None:
    def said(label: int) -> Answer:
        probabilities = np.eye(4)[label]
        return Answer(
            label=label, probabilities=probabilities, is_accepted=True, reasons=(), is_scoped=False
        )

    cases = [
        Case(name=f"{row}", group=f"{row // 3}", truth=0, old=said(0), new=said(int(row == 0)))
        for row in range(30)
    ]
    truth = truth_figures(Pairs.of(cases, BRAIN))
    assert truth is not None
    drop = truth["accuracy"]["all"]["drop"]
    assert drop["high"] == pytest.approx(paired_difference(1 / 3, 0, 10).high)
    assert truth["calibration"]["ece"]["rise"]["groups"] == 10
