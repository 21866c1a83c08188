"""A hospital's drawn images, and the bundle that is refitted to them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_infer.bundle import Bundle
from edge_infer.contract import LABELS
from edge_infer.reasons import Doubt, Reason

Textures = Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64]]]


@pytest.fixture
def only_colour_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn textures are no scans: the other image checks refuse them as noisy, and rightly."""

    def doubts_about(_: Image.Image, *, coloured: float) -> tuple[Doubt, ...]:
        return (Doubt(Reason.COLOUR_OVERLAY, ""),) if coloured else ()

    monkeypatch.setattr("export.refit.answers.doubts_about", doubts_about)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, textures: Textures) -> Path:
    """A hospital's 80 images, a folder for each class: the same patterns, with a weaker contrast than elsewhere."""
    folder = tmp_path_factory.mktemp("hospital") / "scans"
    grey, labels = textures(80, 50)
    for number, (image, label) in enumerate(zip(grey, labels, strict=True)):
        path = folder / LABELS[label] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((60 + 0.6 * image).astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def old(bundles: dict[str, Bundle]) -> Bundle:
    return bundles["int8"]
