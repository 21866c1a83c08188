"""A refitted bundle says what its answers to the site's images look like, and no longer what the old one said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from edge_infer.bundle import Bundle, load_bundle
from export.bundling import export_bundle
from export.drift_baseline import drift_of, with_drift
from export.int8.calibration import ExportImages
from export.refit_cli import main
from train.checkpoint import Checkpoint

pytestmark = pytest.mark.usefixtures("only_colour_is_checked")

Textures = Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64]]]


@pytest.fixture(scope="module")
def old(
    checkpoint: Checkpoint, images: ExportImages, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    """In FP32, which takes a second to export."""
    return export_bundle(
        checkpoint,
        tmp_path_factory.mktemp("old") / "bundle",
        precision="fp32",
        images=images,
        metrics={},
        command="brain-export",
    ).bundle


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, textures: Textures) -> Path:
    folder = tmp_path_factory.mktemp("hospital") / "scans"
    folder.mkdir()
    for number, image in enumerate(textures(110, 51)[0]):
        Image.fromarray((60 + 0.6 * image).astype(np.uint8)).save(folder / f"{number:03}.png")
    return folder


def refitted(*arguments: object) -> tuple[Bundle, Any]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.stderr
    return load_bundle(str(arguments[-1])), result


def test_the_baseline_is_of_the_site_and_holds_no_single_image(
    old: Bundle, many: Path, tmp_path: Path
) -> None:
    new, _ = refitted("--bundle", old.path, "--on", many, "--output", tmp_path / "ours")
    assert new.baseline is not None
    assert (new.baseline.n, new.baseline.source) == (110, "images of the site, scans")
    assert new.baseline.points is None
    scores = new.baseline.parts[0].quantiles["scope_score"]
    expected = drift_of(new, sorted(many.iterdir()), groups=[""] * 110, source="x")
    assert expected is not None
    again = with_drift(new, tmp_path / "again", expected).baseline
    assert again is not None
    assert scores.tolist() == again.parts[0].quantiles["scope_score"].tolist()


def test_points_are_kept_where_they_are_asked_for(old: Bundle, many: Path, tmp_path: Path) -> None:
    new, _ = refitted(
        "--bundle", old.path, "--drift-points", "--on", many, "--output", tmp_path / "ours"
    )
    assert new.baseline is not None
    assert new.baseline.points is not None
    assert new.baseline.points.values.shape == (110, 25)


def test_of_few_images_there_is_none_and_the_old_one_does_not_stay(
    old: Bundle, site: Path, many: Path, tmp_path: Path
) -> None:
    drift = drift_of(old, sorted(many.iterdir()), groups=[""] * 110, source="elsewhere")
    with_one = with_drift(old, tmp_path / "with", drift)
    assert with_one.baseline is not None
    new, result = refitted("--bundle", with_one.path, "--on", site, "--output", tmp_path / "ours")
    assert new.baseline is None
    assert "fewer than 100 images: the bundle has no baseline for brain-drift" in result.stderr
