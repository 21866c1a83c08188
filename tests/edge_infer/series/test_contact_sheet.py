"""A contact sheet shows every slice, in order, whatever the number; the file holds nothing but the image."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scan_slices import GLIOMA, HEALTHY, SPECK, series_of, slice_at, unreadable_at

from edge_infer.classifier import Classifier
from edge_infer.errors import CannotWrite
from edge_infer.scan_slice import Plane
from edge_infer.series import contact_sheet
from edge_infer.series.classify import classify_series
from edge_infer.series.contact_sheet import ContactSheet
from edge_infer.series.sheet_files import SheetFiles
from edge_infer.series.study import Series
from edge_infer.series.text import series_words

T1 = {"scanning_sequence": ("GR",), "sequence_variant": ("MP",), "echo_time_ms": 3.0}


def a_series(count: int, grey: np.ndarray = HEALTHY, *, number: int = 1) -> Series:
    return series_of([slice_at(4.0 * step, grey, **T1) for step in range(count)], number=number)


def drawn(classifier: Classifier, series: Series) -> Image.Image:
    sheet = ContactSheet(len(series.slices))
    result = classify_series(classifier, series, shown=sheet.add)
    return sheet.draw(result)


@pytest.mark.parametrize("count", [2, 3, 14, 60, 200])
def test_a_sheet_is_no_larger_than_a_screen_can_show(classifier: Classifier, count: int) -> None:
    sheet = drawn(classifier, a_series(count))
    assert sheet.mode == "RGB"
    assert 600 <= sheet.width <= 3000
    assert sheet.height <= 3000
    assert sheet.width > 0.6 * sheet.height


def test_a_tumour_is_drawn_in_red_and_a_healthy_slice_is_not(classifier: Classifier) -> None:
    def red(sheet: Image.Image) -> int:
        pixels = np.asarray(sheet).astype(int)
        return int(np.count_nonzero(pixels[..., 0] - pixels[..., 2] > 60))

    ill = drawn(classifier, a_series(6, GLIOMA))
    well = drawn(classifier, a_series(6))
    assert red(ill) > 20 * max(1, red(well))


def test_end_slices_are_dim_and_failed_ones_are_crossed_out(classifier: Classifier) -> None:
    slices = [slice_at(0.0, SPECK), unreadable_at(4.0)]
    slices += [slice_at(4.0 * step, HEALTHY) for step in range(2, 6)]
    result = classify_series(classifier, series_of(slices))
    end, failed, healthy, *_ = result.slices
    plan = contact_sheet._Plan.of(176, 6)
    small = Image.new("L", (176, 176), 200)
    for answer, level in ((end, 70), (healthy, 200)):
        cell = np.asarray(contact_sheet._cell(answer, small, plan, result))
        assert (cell[:170, :, 1] == level).mean() > 0.9
    crossed = np.asarray(contact_sheet._cell(failed, None, plan, result))
    assert len(np.unique(crossed[:170, :, 1])) > 1


def test_of_very_many_slices_some_are_shown_and_that_is_said(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sheet, "_MOST", 10)
    sheet = ContactSheet(25)
    series = a_series(25)
    result = classify_series(classifier, series, shown=sheet.add)
    assert len(sheet._small) == 9
    assert sheet.draw(result).width > 0


def sheet_of(classifier: Classifier, series: Series, folder: Path) -> str:
    sheet = ContactSheet(len(series.slices))
    result = classify_series(classifier, series, shown=sheet.add)
    return SheetFiles(folder, [], series=2, is_alone=True).write(result, sheet.draw(result)).name


def test_sheets_of_a_folder_are_numbered_and_hold_nothing_else(
    classifier: Classifier, tmp_path: Path
) -> None:
    names = [sheet_of(classifier, a_series(4, number=number), tmp_path) for number in (1, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for number, name in enumerate(names, start=1):
        assert re.fullmatch(
            f"series-00{number}-[0-9a-f]{{8}}[.]contact-sheet[.]heatmap[.]png", name
        )
    with Image.open(tmp_path / names[0]) as image:
        assert image.info == {}


def test_a_sheet_is_named_by_its_series_so_that_no_other_study_overwrites_it(
    classifier: Classifier, tmp_path: Path
) -> None:
    def one(**options: Any) -> str:
        digest = options.pop("sha256", "a")
        slices = [slice_at(4.0 * step, name=f"{step}.dcm", **options) for step in range(3)]
        named = [replace(one, sha256=f"{digest}{step}") for step, one in enumerate(slices)]
        return sheet_of(classifier, series_of(named), tmp_path)

    first = one()
    assert one() == first
    others = {
        one(series="1.2.4"),
        one(sha256="b"),  # two patients under one identifier
        one(series=""),
    }
    assert first not in others
    assert len(others) == 3
    assert len(list(tmp_path.iterdir())) == 4


def test_a_sheet_says_which_series_it_is(classifier: Classifier) -> None:
    def words(name: str, series: str) -> str:
        slices = [
            slice_at(4.0 * step, name=name, uid=f"1.{step}", series=series) for step in range(3)
        ]
        return series_words(classify_series(classifier, series_of(slices)))

    assert words("study/a.dcm", "1.2.840.113619.123456789012345") == "Series …456789012345"
    assert words("study/a.dcm", "1.2.3") == "Series 1.2.3"
    assert words("study/deep/t1.nii.gz", "") == "t1.nii.gz"
    assert words("study.zip!deep/t1.nii.gz", "") == "t1.nii.gz"
    # The words are drawn: another series of the same slices gives another sheet.
    for count in (1, 4):
        one, other = (
            series_of([slice_at(4.0 * step, series=series) for step in range(count)])
            for series in ("1.2.3", "1.2.4")
        )
        assert drawn(classifier, one).tobytes() == drawn(classifier, one).tobytes()
        assert drawn(classifier, one).tobytes() != drawn(classifier, other).tobytes()


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_each_slice_of_a_sheet_says_which_side_is_left(
    classifier: Classifier, plane: Plane
) -> None:
    def cell(*, is_placed: bool) -> np.ndarray:
        slices = [slice_at(4.0 * step, plane=plane) for step in range(4)]
        result = classify_series(classifier, series_of(slices))
        answer = result.slices[1]
        if not is_placed:
            answer = replace(answer, slice=replace(answer.slice, geometry=None))
        plan = contact_sheet._Plan.of(176, 4)
        return np.asarray(contact_sheet._cell(answer, Image.new("L", (176, 176), 90), plan, result))

    marked, plain = cell(is_placed=True), cell(is_placed=False)
    rows, columns, _ = np.nonzero(marked[:176] != plain[:176])
    assert len(rows) > 20
    assert columns.max() < 30
    assert 70 < rows.mean() < 106
    assert contact_sheet._LEFT_SIDES[plane] == {"sagittal": "A"}.get(plane, "R")


def test_a_slice_alone_says_which_side_is_left(classifier: Classifier) -> None:
    placed, unplaced = a_series(1), series_of([slice_at(None)])
    left = np.asarray(drawn(classifier, placed))[:512, :60].astype(int)
    without = np.asarray(drawn(classifier, unplaced))[:512, :60].astype(int)
    assert np.count_nonzero(left != without) > 100


def test_the_sheet_of_a_slice_alone_is_its_heatmap(classifier: Classifier, tmp_path: Path) -> None:
    target = tmp_path / "map.png"
    files = SheetFiles(target, [], series=1, is_alone=True)
    series = a_series(1, GLIOMA)
    assert files.write(classify_series(classifier, series), drawn(classifier, series)) == target
    with Image.open(target) as image:
        assert image.width == 512


def test_no_scan_is_overwritten_and_one_file_holds_one_sheet(tmp_path: Path) -> None:
    scan = tmp_path / "scan.png"
    scan.write_bytes(b"a scan with an odd name")
    with pytest.raises(CannotWrite, match="would overwrite"):
        SheetFiles(scan, [scan], series=1, is_alone=True)
    with pytest.raises(CannotWrite, match="2 series need a contact sheet each"):
        SheetFiles(tmp_path / "new.png", [], series=2, is_alone=True)
    with pytest.raises(CannotWrite, match="cannot be created"):
        SheetFiles(scan / "deeper", [], series=2, is_alone=True)
    assert scan.read_bytes() == b"a scan with an odd name"
