"""Tiny bundles whose answers differ as planned, and images of known class, for the tests of brain-compare."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tiny_bundle import (
    GOLDEN,
    SIZE,
    bundle_files,
    manifest_body,
    tiny_model,
    tiny_trust,
    tiny_weight,
)

from edge_infer.bundle import write_bundle
from edge_infer.contract import LABELS, METADATA_KEY

#: Class ids of the four labels: what a bundle calls the others' images.
SAME = (0, 1, 2, 3)
#: Gliomas are called no_tumor, and the other way round.
MISSES = (2, 1, 0, 3)


def logits_of(images: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The tiny model's logits, computed without onnxruntime: (N, classes)."""
    cells = images.reshape(-1, SIZE // 8, 8, SIZE // 8, 8) / 255  # image, row, y, column, x
    return np.einsum("nrysx,kcyx->nk", cells, weight) / (SIZE // 8) ** 2


def planted(
    path: Path,
    order: tuple[int, ...] = SAME,
    *,
    labels: tuple[str, ...] = LABELS,
    least_score: float | None = None,
    **changes: Any,
) -> Path:
    """A bundle whose class ``k`` has the kernel of class ``order[k]``; with ``least_score`` it may abstain."""
    weight = tiny_weight()[list(order)]
    metadata = {METADATA_KEY: json.dumps({"labels": list(labels)})}
    model = tiny_model(labels=labels, weight=weight, metadata=metadata)
    golden = [
        {"label": labels[int(row.argmax())], "logits": row.tolist(), "fp32_logits": row.tolist()}
        for row in logits_of(GOLDEN, weight)
    ]
    trust = None
    if least_score is not None:
        trust = tiny_trust(
            scope=None, least_score=least_score, set_thresholds=dict.fromkeys(labels, 0.99)
        )
        trust["fitted_on"] = {**trust["fitted_on"], "groups": dict.fromkeys(labels, 4)}
    files = bundle_files(labels=labels, model=model.SerializeToString())
    write_bundle(path, files, manifest_body(golden=golden, trust=trust, **changes))
    return path


def known_images(folder: Path, count: int = 24) -> list[str]:
    """Write images below folders named as what the unchanged tiny model calls them; return these labels in order."""
    generator = np.random.default_rng(1)
    images = np.resize(GOLDEN, (count, SIZE, SIZE)).astype(int) + generator.integers(
        -9, 10, (count, SIZE, SIZE)
    )
    images = images.clip(0, 255).astype(np.uint8)
    called = [LABELS[row] for row in logits_of(images, tiny_weight()).argmax(axis=1)]
    for number, (image, label) in enumerate(zip(images, called, strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / label / f"{number:03}.png")
    return called
