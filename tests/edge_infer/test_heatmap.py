from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tiny_bundle import scan

from edge_infer.classifier import Classifier
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import CannotWrite, UnreadableInput
from edge_infer.heatmap import draw_heatmap, words_for_negative
from edge_infer.heatmap_files import HeatmapFiles
from edge_infer.prediction import Prediction
from edge_infer.reasons import Reason
from edge_infer.standard_input import StandardInput


@pytest.fixture
def prediction(bundle_path: Path, scan_path: Path) -> Prediction:
    return Classifier.load(bundle_path).predict(scan_path)


def test_red_lies_where_the_evidence_for_the_class_is_and_blue_where_it_is_against(
    prediction: Prediction,
) -> None:
    prediction = replace(prediction, label="meningioma")
    row = list(prediction.probabilities).index(prediction.label)
    evidence = np.zeros((4, 4, 4), dtype=np.float32)
    evidence[row, 0, 0], evidence[row, 3, 3] = 5.0, -5.0  # top left for, bottom right against
    grey = Image.new("L", (64, 64), 100)
    drawn = np.asarray(draw_heatmap(grey, replace(prediction, evidence=evidence)), dtype=int)
    top_left, bottom_right, middle = drawn[20, 20], drawn[490, 490], drawn[256, 256]
    assert top_left[0] > top_left[2] + 50
    assert bottom_right[2] > bottom_right[0] + 50
    assert np.ptp(middle) < 10  # no evidence: the scan's own grey
    assert drawn.shape[1] == 512
    assert drawn.shape[0] > 512  # the legend below


def test_no_tumour_has_no_place_and_only_what_looks_like_one_is_marked(
    prediction: Prediction,
) -> None:
    healthy = replace(prediction, label="no_tumor")
    evidence = np.zeros((4, 4, 4), dtype=np.float32)
    evidence[0, 0, 0] = 5.0  # top left like a glioma
    evidence[:2, 3, 3], evidence[3, 3, 3] = -5.0, -9.0  # bottom right like no tumour at all
    grey = Image.new("L", (64, 64), 100)
    drawn = np.asarray(draw_heatmap(grey, replace(healthy, evidence=evidence)), dtype=int)
    assert drawn[20, 20, 2] > drawn[20, 20, 0] + 50
    assert np.ptp(drawn[490, 490]) == 0
    assert (drawn[:512, :, 0] <= drawn[:512, :, 2]).all()
    nothing = replace(healthy, evidence=np.minimum(evidence, 0))
    assert np.ptp(np.asarray(draw_heatmap(grey, nothing), dtype=int)[:512], axis=2).max() == 0


def words_drawn(monkeypatch: pytest.MonkeyPatch, prediction: Prediction) -> list[str]:
    """The texts of the legend, from top to bottom; each lies inside the image."""
    drawn: list[tuple[float, str]] = []
    original = ImageDraw.ImageDraw.text

    def remember(self: ImageDraw.ImageDraw, place: Any, text: str, **options: Any) -> None:
        box = self.textbbox(place, text, font=options["font"], anchor=options.get("anchor"))
        assert box[0] >= 0
        assert box[2] <= self.im.size[0]
        assert box[3] <= self.im.size[1]
        drawn.append((place[1], text))
        original(self, place, text, **options)

    with monkeypatch.context() as patched:
        patched.setattr(ImageDraw.ImageDraw, "text", remember)
        draw_heatmap(Image.new("L", (64, 64), 100), prediction)
    return [text for _, text in sorted(drawn, key=lambda pair: pair[0])]


def test_the_decision_is_drawn_above_the_class(
    prediction: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_drawn(monkeypatch, prediction)
    assert words[0] == "accepted"
    assert prediction.label in words[1:3]
    abstained = replace(
        prediction, label="glioma", decision="abstain", reasons=(Reason.OUT_OF_SCOPE,)
    )
    words = words_drawn(monkeypatch, abstained)
    assert words[0] == "abstains (out_of_scope)"
    assert "not accepted: glioma" in words[1:3]
    many = replace(abstained, reasons=tuple(Reason))
    words = words_drawn(monkeypatch, many)
    assert all(any(reason.value in line for line in words) for reason in Reason)
    assert RESEARCH_USE_ONLY in words


def test_a_trace_of_a_tumour_is_drawn_as_a_trace(prediction: Prediction) -> None:
    """Where everything else speaks strongly for no tumour, a place hardly against it is not painted in full."""
    healthy = replace(prediction, label="no_tumor")
    evidence = np.full((4, 4, 4), -9.0, dtype=np.float32)
    evidence[2] = 0
    evidence[0, 0, 0] = 0.05
    drawn = np.asarray(
        draw_heatmap(Image.new("L", (64, 64), 100), replace(healthy, evidence=evidence)), dtype=int
    )
    assert np.ptp(drawn[:512], axis=2).max() <= 2


def test_a_map_without_marks_says_that_it_proves_nothing(prediction: Prediction) -> None:
    evidence = np.full((4, 4, 4), -9.0, dtype=np.float32)
    evidence[2] = 0
    healthy = replace(prediction, label="no_tumor", evidence=evidence)
    assert "there may be one" in words_for_negative(healthy)
    evidence[0, 0, 0] = 9.0
    assert words_for_negative(healthy).startswith("blue: looks like a tumour")


def test_a_flat_map_leaves_the_scan_grey(prediction: Prediction) -> None:
    flat = replace(prediction, evidence=np.ones((4, 4, 4), dtype=np.float32))
    drawn = np.asarray(draw_heatmap(scan(size=(600, 300)), flat), dtype=int)[:300]
    assert drawn.shape[1] == 600
    assert np.ptp(drawn, axis=2).max() == 0


def test_a_heatmap_is_written_whole_and_never_over_a_scan(
    prediction: Prediction, scan_path: Path
) -> None:
    before = scan_path.read_bytes()
    link = scan_path.with_name("link.png")
    link.symlink_to(scan_path)
    for target in (scan_path, link, scan_path.with_name("x.jpg"), scan_path.parent):
        with pytest.raises(CannotWrite):
            HeatmapFiles(target, [scan_path], is_batch=False)
    target = scan_path.with_name("out.png")
    assert HeatmapFiles(target, [scan_path], is_batch=False).draw(scan_path, prediction) == target
    assert target.read_bytes().startswith(b"\x89PNG")
    assert scan_path.read_bytes() == before
    assert sorted(path.name for path in scan_path.parent.iterdir()) == [
        "link.png",
        "out.png",
        "scan.png",
    ]


def test_images_of_one_name_get_heatmaps_of_their_own(tmp_path: Path) -> None:
    images = [tmp_path / "a" / "x.png", tmp_path / "b" / "X.jpg", tmp_path / "x-2.png"]
    files = HeatmapFiles(tmp_path / "maps", images, is_batch=True)
    names = [files._targets[image].name.lower() for image in images]
    assert len(set(names)) == 3


def test_standard_input_gets_a_name_of_its_own_too(tmp_path: Path) -> None:
    images = [tmp_path / "stdin.png", StandardInput(None), tmp_path / "b.png"]
    files = HeatmapFiles(tmp_path / "maps", images, is_batch=True)
    assert [files._targets[image].name for image in images] == [
        "stdin.heatmap.png",
        "stdin-2.heatmap.png",
        "b.heatmap.png",
    ]


def test_a_scan_that_changed_meanwhile_is_not_drawn(
    prediction: Prediction, scan_path: Path
) -> None:
    files = HeatmapFiles(scan_path.with_name("out.png"), [scan_path], is_batch=False)
    scan(99).save(scan_path)
    with pytest.raises(UnreadableInput, match="changed"):
        files.draw(scan_path, prediction)
