from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from masked_phantoms import write_masked_phantoms
from PIL import Image

from edge_infer.errors import DataRefused
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from train.data.layouts import load_samples
from train.data.manifest_csv import read_manifest, write_manifest
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample
from train.data.tumour_masks import MaskCache, mask_file, resize_mask

CONFIG = PreprocessorConfig(height=32, width=48)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return write_masked_phantoms(tmp_path / "set")


def count_read(samples: list[Sample], folder: Path) -> int:
    calls: list[int] = []
    MaskCache.build(samples, CONFIG, folder, lambda done, _total: calls.append(done))
    return len(calls)


def test_a_mask_lies_where_its_tumour_lies_in_the_cached_image(
    samples: list[Sample], tmp_path: Path
) -> None:
    cache = MaskCache.build(samples, CONFIG, tmp_path / "cache")
    pixels = PixelCache.build(samples, CONFIG, tmp_path / "cache").pixels
    assert cache.masks.shape == (32, 32, 48)
    assert cache.masks.dtype == np.uint8
    assert set(np.unique(cache.masks)) == {0, 255}
    for row in np.flatnonzero(cache.known):
        np.testing.assert_array_equal(cache.masks[row] > 0, pixels[row] > 190)
    with pytest.raises(ValueError, match="read-only"):
        cache.masks[0, 0, 0] = 1


def test_of_an_image_without_a_mask_file_nothing_is_known(
    samples: list[Sample], tmp_path: Path
) -> None:
    cache = MaskCache.build(samples, CONFIG, tmp_path / "cache")
    assert cache.known.tolist() == [sample.class_name != "no_tumor" for sample in samples]
    assert not cache.masks[~cache.known].any()


def test_images_outside_of_the_layout_have_no_masks(
    phantom_samples: list[Sample], tmp_path: Path
) -> None:
    assert [mask_file(sample) for sample in phantom_samples] == [None] * 40
    inside = replace(phantom_samples[0], source=Path(str(phantom_samples[0].source)).read_bytes())
    assert mask_file(inside) is None
    assert not MaskCache.build(phantom_samples, CONFIG, tmp_path).known.any()


def test_a_tumour_smaller_than_a_pixel_does_not_vanish() -> None:
    tiny = np.zeros((256, 256), dtype=np.uint8)
    tiny[100, 200] = 255
    small = resize_mask(Image.fromarray(tiny), PreprocessorConfig(height=32, width=32))
    assert np.argwhere(small).tolist() == [[100 // 8, 200 // 8]]
    assert not resize_mask(
        Image.new("L", (256, 256)), PreprocessorConfig(height=32, width=32)
    ).any()


def test_a_mask_follows_its_image_at_every_size() -> None:
    shape = np.zeros((200, 256), dtype=np.uint8)
    shape[37:99, 101:180] = 255
    for size in (64, 160, 224, 320):
        config = PreprocessorConfig(height=size, width=size)
        mask = resize_mask(Image.fromarray(shape), config) > 0
        image = resize_grey(Image.fromarray(shape), config) >= 128
        union = (mask | image).sum()
        assert (mask & image).sum() / union > 0.97, "the filters differ by less than a pixel"


def test_masks_that_cannot_be_used_are_all_named_and_nothing_is_left(
    samples: list[Sample], tmp_path: Path
) -> None:
    large, grey, damaged, blank = (mask_file(samples[row]) for row in (0, 1, 2, 3))
    assert large
    assert grey
    assert damaged
    assert blank
    square = np.zeros((64, 65), dtype=bool)
    square[3:9, 3:9] = True
    Image.fromarray(square).save(large)
    Image.linear_gradient("L").resize((64, 64)).save(grey)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    Image.new("1", (64, 64)).save(blank)
    with pytest.raises(DataRefused) as caught:
        MaskCache.build(samples, CONFIG, tmp_path / "cache")
    for row in range(4):
        assert samples[row].name in caught.value.message
    assert "65 x 64, but its image 64 x 64" in caught.value.message
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(DataRefused, match="no images"):
        MaskCache.build([], CONFIG, tmp_path / "cache")


def test_a_finished_cache_is_used_again_and_a_changed_mask_gets_another(
    samples: list[Sample], tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    assert count_read(samples, folder) == 32
    assert count_read(samples, folder) == 0
    path = mask_file(samples[5])
    assert path
    moved = np.zeros((64, 64), dtype=bool)
    moved[:9, :30] = True
    Image.fromarray(moved).save(path)
    assert count_read(samples, folder) == 32
    path.unlink()
    assert count_read(samples, folder) == 32
    assert not MaskCache.build(samples, CONFIG, folder).known[5]


def test_a_damaged_cache_is_rebuilt(samples: list[Sample], tmp_path: Path) -> None:
    cache = MaskCache.build(samples, CONFIG, tmp_path / "cache")
    good = np.array(cache.masks)
    data = bytearray((cache.folder / "pixels.npy").read_bytes())
    data[-1] ^= 255
    (cache.folder / "pixels.npy").write_bytes(data)
    assert count_read(samples, tmp_path / "cache") == 32
    np.testing.assert_array_equal(MaskCache.build(samples, CONFIG, tmp_path / "cache").masks, good)


def test_a_stated_mask_comes_before_the_one_at_its_place(
    samples: list[Sample], tmp_path: Path
) -> None:
    moved = np.zeros((64, 64), dtype=bool)
    moved[:9, :30] = True
    Image.fromarray(moved).save(tmp_path / "moved.png")
    before = MaskCache.build(samples, CONFIG, tmp_path / "cache")
    assert before.known[0]
    stated = [replace(samples[0], mask=tmp_path / "moved.png"), *samples[1:]]
    assert mask_file(stated[0]) == tmp_path / "moved.png"
    after = MaskCache.build(stated, CONFIG, tmp_path / "cache")
    assert after.folder != before.folder
    assert after.masks[0, 0, 0] == 255
    assert not np.array_equal(after.masks[0], before.masks[0])
    np.testing.assert_array_equal(after.masks[1:], before.masks[1:])


def test_a_stated_mask_that_is_missing_is_refused_by_name(
    samples: list[Sample], tmp_path: Path
) -> None:
    lost = tmp_path / "lost.png"
    stated = [replace(samples[0], mask=lost), replace(samples[1], mask=tmp_path / ("x" * 300))]
    with pytest.raises(DataRefused, match=r"its mask lost\.png is missing or no file") as refused:
        MaskCache.build(stated, CONFIG, tmp_path / "cache")
    assert samples[1].name in refused.value.message
    manifest = tmp_path / "m.csv"
    write_manifest(manifest, [*stated[:1], *samples[2:]])
    with pytest.raises(DataRefused, match=r"its mask lost\.png is missing or no file"):
        load_samples(tmp_path / "set", manifest=manifest, verify=False)
    Image.new("1", (64, 64)).save(lost)
    assert load_samples(tmp_path / "set", manifest=manifest, verify=False)[0].mask is not None


@pytest.mark.real_scans
def test_every_tumour_of_brisc_has_its_mask_and_no_healthy_image_has(real_scans: Path) -> None:
    samples = [x for x in read_manifest(real_scans / "manifest.csv") if x.dataset == "brisc2025"]
    assert len(samples) == 6000
    tumours = [sample.class_name != "no_tumor" for sample in samples]
    assert [mask_file(sample) is not None for sample in samples] == tumours
