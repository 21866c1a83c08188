"""Heads are compared within a series: a slice of too little head is an end slice, noise is no head at all."""

from pathlib import Path

import numpy as np
import pytest
from dicom_files import drawn_volume
from PIL import Image

from edge_infer.series.head_area import LEAST_SHARE, head_area, head_shares


def disc(radius: float, *, size: int = 256, level: int = 160, noise: float = 0.0) -> Image.Image:
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    grey = np.where(rows**2 + columns**2 < radius**2, level, 0).astype(float)
    grey += np.abs(np.random.default_rng(1).normal(0, noise, grey.shape))
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("size", [32, 97, 256, 512])
def test_the_area_of_a_disc_is_its_area(size: int) -> None:
    assert head_area(disc(0.8, size=size)) == pytest.approx(np.pi * 0.64 / 4, abs=0.06)


def test_brightness_does_not_change_it() -> None:
    areas = [head_area(disc(0.7, level=level)) for level in (60, 120, 250)]
    assert max(areas) - min(areas) < 0.01


def test_noise_does_not_add_to_it() -> None:
    assert head_area(disc(0.7, noise=12)) == pytest.approx(head_area(disc(0.7)), abs=0.03)


def test_a_slice_of_noise_has_no_head() -> None:
    noise = np.random.default_rng(2).rayleigh(60, (256, 256)).clip(0, 255).astype(np.uint8)
    assert head_area(Image.fromarray(noise)) == 0.0
    assert head_area(Image.new("L", (64, 64), 90)) == 0.0


def test_shares_are_of_the_largest_head() -> None:
    assert head_shares([0.1, None, 0.4]) == [0.25, None, 1.0]
    assert head_shares([0.0, 0.0]) == [1.0, 1.0]
    assert head_shares([None]) == [None]
    assert head_shares([]) == []


def test_of_a_drawn_head_only_the_ends_are_ends() -> None:
    volume = (drawn_volume(slices=21, lesion=False) // 6).astype(np.uint8)
    shares = head_shares([head_area(Image.fromarray(plane)) for plane in volume])
    kept = [share is not None and share >= LEAST_SHARE for share in shares]
    assert all(kept[4:17])
    assert not kept[0]
    assert not kept[-1]


@pytest.mark.real_scans
def test_no_slice_with_a_tumour_is_an_end_slice(real_scans: Path) -> None:
    """Of 22 volumes of patients, 139 slices show a tumour; the smallest head among them has 54 %."""
    folder = real_scans / "external" / "tcia_btp"
    if not folder.is_dir():
        pytest.skip("no volumes")
    shares: dict[str, dict[str, float]] = {}
    for path in sorted(folder.glob("*/*.jpg")):
        with Image.open(path) as image:
            volume = path.name.rpartition("_z")[0]
            shares.setdefault(volume, {})[str(path)] = head_area(image.convert("L"))
    smallest = [
        area / max(areas.values())
        for areas in shares.values()
        for name, area in areas.items()
        if "/glioma/" in name
    ]
    assert len(smallest) > 100
    assert min(smallest) > LEAST_SHARE + 0.05
