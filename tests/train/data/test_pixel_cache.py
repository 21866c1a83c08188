import hashlib
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import numpy as np
import pytest
from own_process import preloaded
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


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return preloaded("train.data.pixel_cache")


def _build(samples: list[Sample], folder: Path, dies: bool) -> None:
    """Decode, and stop after five images until the others are waiting."""
    logging.basicConfig(filename=folder / f"said by {os.getpid()}", format="%(message)s")

    def held(done: int, _total: int) -> None:
        with (folder / "decoded").open("a") as file:
            file.write(f"{os.getpid()}\n")
        if done == 5 and not (folder / "go").exists():
            _until((folder / "go").exists)
            if dies:
                os._exit(9)

    PixelCache.build(samples, CONFIG, folder / "cache", held)


def _until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("dies", [False, True], ids=["it ends well", "it dies"])
def test_processes_wait_for_the_one_that_builds_and_take_over_if_it_dies(
    phantom_samples: list[Sample], tmp_path: Path, context: ForkServerContext, dies: bool
) -> None:
    def start() -> ForkServerProcess:
        process = context.Process(target=_build, args=(phantom_samples, tmp_path, dies))
        process.start()
        return process

    builder = start()
    _until((tmp_path / "decoded").exists)
    waiting = [start(), start()]
    said = [tmp_path / f"said by {process.pid}" for process in waiting]
    _until(
        lambda: all(path.exists() and "waiting for its cache" in path.read_text() for path in said)
    )
    (tmp_path / "go").touch()
    for process in (builder, *waiting):
        process.join(120)
    assert [process.exitcode for process in waiting] == [0, 0]
    assert builder.exitcode == (9 if dies else 0)
    counts = Counter((tmp_path / "decoded").read_text().split())
    assert counts.pop(str(builder.pid)) == (5 if dies else 40)
    assert list(counts.values()) == ([40] if dies else []), "one takes over"
    cache = PixelCache.build(phantom_samples, CONFIG, tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [cache.key]
