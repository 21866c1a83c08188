import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_infer.errors import DataRefused
from edge_infer.image_file import read_image
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from train.data.layouts import load_samples
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample

CONFIG = PreprocessorConfig(height=24, width=32)


def count_decoded(samples: list[Sample], config: PreprocessorConfig, folder: Path) -> int:
    calls: list[int] = []
    PixelCache.build(samples, config, folder, lambda done, _total: calls.append(done))
    return len(calls)


def test_rows_are_what_preprocessing_gives(phantom_samples: list[Sample], tmp_path: Path) -> None:
    cache = PixelCache.build(phantom_samples, CONFIG, tmp_path)
    assert cache.pixels.shape == (40, 24, 32)
    assert cache.pixels.dtype == np.uint8
    for row in (0, 17, 39):
        image = read_image(phantom_samples[row].source)
        np.testing.assert_array_equal(cache.pixels[row], resize_grey(image, CONFIG))
        data = Path(str(phantom_samples[row].source)).read_bytes()
        assert cache.file_digests[row] == hashlib.sha256(data).hexdigest()
    with pytest.raises(ValueError, match="read-only"):
        cache.pixels[0, 0, 0] = 1


def test_bytes_give_the_same_rows_as_files(phantom_samples: list[Sample], tmp_path: Path) -> None:
    inside = [
        Sample(source=Path(str(s.source)).read_bytes(), name=s.name, label=s.label)
        for s in phantom_samples[:5]
    ]
    from_bytes = PixelCache.build(inside, CONFIG, tmp_path)
    from_files = PixelCache.build(phantom_samples[:5], CONFIG, tmp_path)
    np.testing.assert_array_equal(from_bytes.pixels, from_files.pixels)
    assert from_bytes.key != from_files.key


def test_a_finished_cache_is_used_again_and_a_changed_data_set_gets_another(
    phantom_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(phantom_folder, tmp_path / "set")
    samples = load_samples(tmp_path / "set")
    folder = tmp_path / "cache"
    assert count_decoded(samples, CONFIG, folder) == 40
    assert count_decoded(samples, CONFIG, folder) == 0
    assert count_decoded(samples[::-1], CONFIG, folder) == 40
    assert count_decoded(samples, PreprocessorConfig(height=24, width=24), folder) == 40
    changed = Path(str(samples[0].source))
    Image.linear_gradient("L").save(changed)
    assert count_decoded(samples, CONFIG, folder) == 40


@pytest.mark.parametrize("harm", ["flip", "cut", "index", "missing"])
def test_a_damaged_cache_is_rebuilt(
    phantom_samples: list[Sample], tmp_path: Path, harm: str
) -> None:
    cache = PixelCache.build(phantom_samples, CONFIG, tmp_path)
    good = np.array(cache.pixels)
    pixels, index = cache.folder / "pixels.npy", cache.folder / "index.json"
    del cache
    data = bytearray(pixels.read_bytes())
    if harm == "flip":
        data[-1] ^= 1
        pixels.write_bytes(data)
    elif harm == "cut":
        pixels.write_bytes(data[:-100])
    elif harm == "index":
        index.write_text("{}")
    else:
        pixels.unlink()
    assert count_decoded(phantom_samples, CONFIG, tmp_path) == 40
    again = PixelCache.build(phantom_samples, CONFIG, tmp_path)
    np.testing.assert_array_equal(again.pixels, good)
    assert [path.name for path in tmp_path.iterdir()] == [again.key]


def test_unreadable_images_are_all_named_and_nothing_is_left(
    phantom_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(phantom_folder, tmp_path / "set")
    samples = load_samples(tmp_path / "set")
    for number in (3, 30):
        Path(str(samples[number].source)).write_bytes(b"no image")
    with pytest.raises(DataRefused) as caught:
        PixelCache.build(samples, CONFIG, tmp_path / "cache")
    assert samples[3].name in caught.value.message
    assert samples[30].name in caught.value.message
    assert list((tmp_path / "cache").iterdir()) == []
    Path(str(samples[3].source)).unlink()
    with pytest.raises(DataRefused, match=samples[3].name):
        PixelCache.build(samples, CONFIG, tmp_path / "cache")
    with pytest.raises(DataRefused, match="no images"):
        PixelCache.build([], CONFIG, tmp_path / "cache")
