import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image, ImageOps

from train.data.layouts import load_samples
from train.data.samples import Sample
from train.phantoms import write_phantoms

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def phantom_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic data set: 4 classes x 10 images of 64 pixels, 7 train, 1 val, 2 test."""
    folder = tmp_path_factory.mktemp("phantoms") / "set"
    write_phantoms(folder, per_class=10, seed=3, size=64)
    return folder


@pytest.fixture(scope="session")
def load_experiment() -> Callable[[str], ModuleType]:
    """Import a script of docs/experiments/ by its name; they belong to no package."""

    def load(name: str) -> ModuleType:
        path = PROJECT / "docs" / "experiments" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def phantom_samples(phantom_folder: Path) -> list[Sample]:
    return load_samples(phantom_folder, manifest=phantom_folder / "manifest.csv")


@pytest.fixture(scope="session")
def make_leaky(phantom_folder: Path) -> Callable[[Path], list[Sample]]:
    """Copy the clean set and plant one copy of each kind across parts, and a label conflict."""

    def make(folder: Path) -> list[Sample]:
        shutil.copytree(phantom_folder, folder)
        train = sorted((folder / "train" / "glioma").glob("*.png"))
        test, val = folder / "test" / "glioma", folder / "val" / "glioma"
        shutil.copy(train[0], test / "bytes.png")
        Image.open(train[1]).save(test / "pixels.bmp")
        Image.open(train[2]).save(test / "near.jpg", quality=80)
        ImageOps.mirror(Image.open(train[3])).save(test / "mirrored.png")
        Image.open(train[4]).rotate(90).save(val / "turned.png")
        shutil.copy(train[5], folder / "train" / "pituitary" / "conflict.png")
        return load_samples(folder)

    return make
