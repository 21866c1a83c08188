"""``brain-data counterfactuals``, on phantoms with masks."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from masked_phantoms import write_masked_phantoms
from PIL import Image

from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.counterfactuals import counterfactuals
from train.plots.counterfactuals import Panel, plot_panels


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(counterfactuals, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_masked_phantoms(tmp_path / "set")
    return tmp_path / "set"


def test_the_page_is_written_and_named(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.png"
    code, out, err = run(folder, "--output", page, "--count", 2, "--seed", 4)
    assert (code, err) == (0, "")
    assert out == f"{page}\n{RESEARCH_USE_ONLY}\n"
    first = page.read_bytes()
    with Image.open(page) as image:
        assert image.format == "PNG"
        assert image.width > 1200
    run(folder, "--output", page, "--count", 2, "--seed", 4)
    assert page.read_bytes() == first
    run(folder, "--output", page, "--count", 2, "--seed", 5)
    assert page.read_bytes() != first


def test_a_data_set_without_masks_is_refused_and_nothing_is_written(
    phantom_folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.png"
    code, out, err = run(phantom_folder, "--output", page)
    assert code == 26
    assert out == ""
    assert "no scan with a tumour mask" in err
    assert not page.exists()


@pytest.mark.parametrize("options", [("--count", 0), ("--count", 25), ("--seed", -1), ()])
def test_wrong_options_are_errors_of_usage(
    folder: Path, tmp_path: Path, options: tuple[object, ...]
) -> None:
    output = ("--output", tmp_path / "page.png") if options else ()
    assert run(folder, *output, *options)[0] == 2


def coloured(path: Path, colour: tuple[int, int, int]) -> int:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return int((np.abs(pixels - colour).max(axis=2) < 40).sum())


def test_outlines_frames_and_missing_images_are_drawn(tmp_path: Path) -> None:
    grey = np.full((64, 64), 60, np.uint8)
    inside = np.zeros((64, 64), dtype=bool)
    inside[20:30, 24:40] = True
    rows = [
        [
            Panel(image=grey, outline=inside, note="a $name$\nof two lines"),
            Panel(image=grey, changed=inside),
            Panel(image=None, note="none"),
        ]
    ]
    path = tmp_path / "page.png"
    plot_panels(("one", "two", "three"), rows, "title", path)
    assert coloured(path, (0, 229, 168)) > 100
    assert coloured(path, (230, 159, 0)) > 50
    plain = [[Panel(image=grey, outline=~inside & inside), Panel(image=grey), Panel(image=grey)]]
    plot_panels(("one", "two", "three"), plain, "title", path)
    assert coloured(path, (0, 229, 168)) == coloured(path, (230, 159, 0)) == 0
