"""docs/trust.md: figures from docs/trust/, chapters by hand; and the script that makes far images."""

import csv
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from edge_infer.contract import RESEARCH_USE_ONLY
from train.trust.examples import may_be_shown
from train.trust.text import summary_rows

ROOT = Path(__file__).parents[3]


@pytest.fixture
def make_trust() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_trust", ROOT / "docs/make_trust.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_says_what_it_is_for_and_holds_every_result(make_trust: ModuleType) -> None:
    page = make_trust.PAGE.read_text(encoding="utf-8")
    assert RESEARCH_USE_ONLY in page
    found = make_trust.results()
    assert found
    for result in found.values():
        section = page.partition(f"### {result['title']}\n")[2]
        assert result["provenance"]["command"] in section
        for its in result["sets"]["each"]:
            assert f"| {its['name']} | {its['kind']} | {its['n']} (" in section
    assert [row[0] for row in summary_rows(list(found.values()))][1] == "accepted"


def test_chapters_stay_and_figures_are_written_anew(
    make_trust: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, end = make_trust.BEGIN, make_trust.END
    (tmp_path / "page.md").write_text(f"# By hand\n{begin}\nold figures\n{end}\n## Also by hand\n")
    monkeypatch.setattr(make_trust, "PAGE", tmp_path / "page.md")
    page = make_trust.render()
    assert page.startswith(f"# By hand\n{begin}\n")
    assert page.endswith(f"{end}\n## Also by hand\n")
    assert "old figures" not in page
    (result, *_) = make_trust.results().values()
    accepted = result["part"]["decisions"]["accepted"]
    assert f"{100 * accepted['value']:.2f} % ({100 * accepted['low']:.1f}.." in page

    changed = {**result, "title": "another bundle"}
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "a.json").write_text(json.dumps(changed))
    monkeypatch.setattr(make_trust, "FOLDER", tmp_path / "trust")
    assert "### another bundle\n" in make_trust.render()
    (tmp_path / "trust" / "a.json").unlink()
    assert "No result has been published yet" in make_trust.render()

    (tmp_path / "page.md").write_text(f"# By hand\n{begin}\n")
    with pytest.raises(ValueError, match="once"):
        make_trust.render()


@pytest.fixture
def far_images(load_experiment: Callable[[str], ModuleType]) -> ModuleType:
    return load_experiment("far_images")


def test_far_images_are_drawn_alike_each_time_and_may_be_shown(
    far_images: ModuleType, tmp_path: Path
) -> None:
    for run in ("a", "b"):
        generator = np.random.default_rng(0)
        drawn = [
            *far_images.noise(generator),
            *far_images.flat(),
            *far_images.shapes(generator),
            *far_images.text_pages(generator),
            *far_images.charts(generator),
        ]
        far_images.write(drawn, tmp_path / run)
    with (tmp_path / "a" / "licences.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["path"]).parent.name for row in rows} == {
        *("noise", "flat", "shapes", "text", "charts"),
    }
    assert len(rows) == 30 + 20 + 20 + 20 + 12
    for row in rows:
        assert may_be_shown(row["licence"])
        first, second = (Image.open(tmp_path / run / row["path"]) for run in ("a", "b"))
        assert np.array_equal(np.asarray(first), np.asarray(second))
        if not row["path"].startswith("flat/plain"):
            assert np.asarray(first).std() > 3, "something is drawn"


def test_parts_are_cut_out_of_an_image(far_images: ModuleType) -> None:
    whole = Image.linear_gradient("L").resize((300, 100))
    found = dict(far_images.crops("cat", whole, 3, np.random.default_rng(1)))
    assert list(found) == ["cat", "cat_0", "cat_1", "cat_2"]
    assert found["cat"].size == (300, 100)
    for part in ("cat_0", "cat_1", "cat_2"):
        width, height = found[part].size
        assert 40 <= width == height <= 90


def test_dicom_frames_become_grey_or_colour(far_images: ModuleType) -> None:
    deep = np.arange(64 * 64, dtype=np.int16).reshape(64, 64)
    grey = far_images._as_grey_or_colour(deep)
    assert (grey.dtype, grey.min(), grey.max()) == (np.uint8, 0, 255)
    frames = np.stack([deep * 0, deep, deep * 0])
    assert np.array_equal(far_images._as_grey_or_colour(frames), grey)
    colour = np.zeros((64, 64, 3), dtype=np.uint8)
    assert far_images._as_grey_or_colour(colour).shape == (64, 64, 3)
    assert far_images._as_grey_or_colour(np.stack([colour, colour])).shape == (64, 64, 3)
    assert far_images._as_grey_or_colour(colour.astype(np.uint16)) is None
    assert far_images._as_grey_or_colour(deep[:20]) is None
