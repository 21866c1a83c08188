"""The figures of docs/data.md that follow from the manifest of the real scans."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from train.metrics.figures import wilson_interval

pytestmark = pytest.mark.real_scans

PAGE = " ".join((Path(__file__).parents[3] / "docs" / "data.md").read_text().split())
Row = dict[str, str]


@pytest.fixture(scope="module")
def rows(real_scans: Path) -> list[Row]:
    with (real_scans / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def of(rows: list[Row], dataset: str) -> list[Row]:
    return [row for row in rows if row["dataset"] == dataset]


def shared(rows: list[Row], column: str) -> int:
    """How many official test images share the column's value with a training image."""
    known = {row[column] for row in rows if row["official_split"] == "train"}
    return sum(row["official_split"] == "test" and row[column] in known for row in rows)


def test_the_official_splits_leak_as_the_page_says(rows: list[Row]) -> None:
    brisc, sartaj = of(rows, "brisc2025"), of(rows, "sartaj")
    bytes_ = shared(brisc, "original_sha256"), shared(sartaj, "original_sha256")
    assert f"| byte-identical to a training image | {bytes_[0]} | {bytes_[1]} |" in PAGE
    assert f"included | 568 | {shared(sartaj, 'copy_group')} |" in PAGE
    assert f"sharing a copy or a known patient with training | {shared(brisc, 'group')} |" in PAGE


def test_patients_and_overlaps_are_as_many_as_the_page_says(rows: list[Row]) -> None:
    brisc = of(rows, "brisc2025")
    tumours = [row for row in brisc if row["label"] != "no_tumor"]
    known = [row["patient_id"] for row in brisc if row["patient_id"]]
    assert (
        f"{len(known):,} of BRISC's {len(tumours):,} tumour images ({len(set(known))} patients)"
        in PAGE
    )
    groups = {row["copy_group"] for row in brisc}
    others = [row for row in of(rows, "sartaj") if row["label"] != "no_tumor"]
    inside = sum(row["copy_group"] in groups for row in others)
    assert f"{inside:,} of sartaj's {len(others):,} tumour images have a copy in BRISC" in PAGE


def ratio(row: Row) -> float:
    return round(int(row["original_width"]) / int(row["original_height"]), 2)


def by_ratio(train: list[Row], test: list[Row]) -> tuple[int, int]:
    """Right answers on tumour or not, by the majority of equal ratios; and by always "tumour"."""
    votes: dict[float, Counter[bool]] = defaultdict(Counter)
    for row in train:
        votes[ratio(row)][row["label"] != "no_tumor"] += 1
    answers = [votes[ratio(row)][True] >= votes[ratio(row)][False] for row in test]
    truth = [row["label"] != "no_tumor" for row in test]
    return sum(a == t for a, t in zip(answers, truth, strict=True)), sum(truth)


@pytest.mark.parametrize("column", ["proposed_split", "official_split"])
def test_the_shape_of_an_image_tells_as_much_as_the_page_says(rows: list[Row], column: str) -> None:
    brisc = of(rows, "brisc2025")
    train = [row for row in brisc if row[column] == "train"]
    test = [row for row in brisc if row[column] == "test"]
    if column == "proposed_split":
        test = [r for r in test if r["first_of_copies"] == "1" and r["label_conflict"] == "0"]
    right, tumours = by_ratio(train, test)
    figure = wilson_interval(right, len(test))
    assert f"{100 * right / len(test):.1f} %" in PAGE
    assert f"{100 * (figure.low or 0):.1f}..{100 * (figure.high or 0):.1f}" in PAGE
    assert f"{100 * tumours / len(test):.1f} %" in PAGE


def test_gliomas_are_square_and_others_less_so(rows: list[Row]) -> None:
    square: dict[str, list[bool]] = defaultdict(list)
    for row in of(rows, "brisc2025"):
        square[row["label"]].append(row["original_width"] == row["original_height"])
    assert all(square["glioma"])
    assert (
        f"{100 * sum(square['no_tumor']) / len(square['no_tumor']):.0f} % of the no_tumor" in PAGE
    )
