"""Small models of any number of classes: textures as images, and a CvT whose head is fitted to tell them apart."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from edge_infer.classes import BRAIN, Classes
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values
from train.checkpoint import save_checkpoint
from train.models import create_model

SIZE = 64
CONFIG = PreprocessorConfig(height=SIZE, width=SIZE)

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]

PETS = Classes(("cat", "dog", "empty bowl"), "empty bowl")
#: No class says that nothing is there; names that are hard to show.
TWO = Classes(("Łódź, =1+1", "日本"))
HUNDRED = Classes(tuple(f"kind {number:02}" for number in range(100)), "kind 07")


def draw_textures(count: int, seed: int, classes: int = len(BRAIN)) -> Images:
    """Coarse patterns, one a class, each time a little shifted, dimmed and noisy: uint8, (count, SIZE, SIZE)."""
    patterns = np.random.default_rng(123).uniform(30, 220, (classes, 8, 8))
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % classes
    drawn = []
    for label in labels:
        grey = np.kron(patterns[label], np.ones((SIZE // 8, SIZE // 8)))
        grey = np.roll(grey, generator.integers(-2, 3, 2), axis=(0, 1)) * generator.uniform(0.7, 1)
        grey = grey + generator.normal(0, 8, (SIZE, SIZE))
        drawn.append(np.clip(grey, 0, 255).astype(np.uint8))
    return np.stack(drawn), labels


def save_texture_checkpoint(folder: Path, classes: Classes = BRAIN, *, learnt: int = 160) -> Path:
    """Write seeded weights, with a classifier fitted to the embeddings of textures."""
    torch.manual_seed(0)
    model = create_model("cvt_test", len(classes)).eval()
    grey, labels = draw_textures(learnt, seed=1, classes=len(classes))
    with torch.inference_mode():
        embeddings = model(torch.from_numpy(to_pixel_values(grey, CONFIG))).embeddings.numpy()
    inputs = np.c_[embeddings, np.ones(len(embeddings))].astype(np.float64)
    wanted = 10 * np.eye(len(classes))[labels]
    ridge = inputs.T @ inputs + 1e-1 * np.eye(inputs.shape[1])
    weights = np.linalg.solve(ridge, inputs.T @ wanted)
    with torch.no_grad():
        classifier = model.get_submodule("classifier")
        classifier.weight.copy_(torch.from_numpy(weights[:-1].T))  # type: ignore[union-attr, operator]
        classifier.bias.copy_(torch.from_numpy(weights[-1]))  # type: ignore[union-attr, operator]
    save_checkpoint(
        folder,
        name="cvt_test",
        model=model,
        preprocessor=CONFIG,
        training={
            "recipe": {"name": "tiny", "seed": 11},
            "data": "textures",
            "data_sha256": "ab" * 32,
            "n_train": 80,
            "best_val_accuracy": 1.0,
        },
        classes=classes,
    )
    return folder


def save_textures(folder: Path, classes: Classes, *, each: int, splits: tuple[str, ...]) -> Path:
    """Write textures as a tree of splits and classes: ``each`` images of each class in each split."""
    for seed, split in enumerate(splits):
        grey, labels = draw_textures(each * len(classes), 30 + seed, len(classes))
        for number, (image, label) in enumerate(zip(grey, labels, strict=True)):
            path = folder / split / classes.names[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return folder
