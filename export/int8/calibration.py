"""Images for calibration, which shows the quantizer the range of each activation, and images for the gate.

Calibration uses training images only, the gate validation images only. Without a data set both come from the kit: a few
hundred scans of BRISC 2025 in ``export/kit`` (see its README). Drawn phantoms are for tests: a model that was not
trained on them is unsure of them, so a gate on them passes or fails by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader
from PIL import Image

from edge_infer.classes import BRAIN, Classes
from edge_infer.contract import INPUT_NAME, LABELS
from edge_infer.errors import DataRefused, UnreadableInput
from edge_infer.preprocessing import PreprocessorConfig, resize_grey
from export.model_inputs import ModelInputs
from export.trust.images import (
    MOST_STATISTICS,
    MOST_STATISTICS_QUICK,
    TrustImages,
    some_of_each_class,
)
from train.data.layouts import load_samples
from train.data.pixel_cache import PixelCache
from train.data.samples import Progress, Sample, classes_of
from train.phantoms import phantom
from train.splits.sample_rows import part_rows

__all__ = ["KIT", "ExportImages", "PixelReader", "from_data_set", "from_kit", "from_phantoms"]

#: In a clone and in the sdist; not in the wheel, which only classifies.
KIT = Path(__file__).parents[1] / "kit"

_BATCH = 16
_CALIBRATION_IMAGES = 192
# The gate allows each class to lose half a point of recall: with 200 phantoms of a class that is one image.
_GATE_PHANTOMS = 800
_CORRUPTED = 10_000
# For --quick: a share of 99 % is then known to within one point.
_CORRUPTED_QUICK = 1_000
# Phantoms can show that a quantization is broken, and no more; a few hundred variants are enough for that.
_CORRUPTED_PHANTOMS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportImages:
    """The images that quantization and gate use.

    Attributes:
        calibration: N images of the train part.
        gate: M images of the validation part.
        gate_labels: int64, (M,), class ids.
        source: Where the images come from, for the manifest and the model card.
        synthetic: Whether they are phantoms.
        corrupted: Number of corrupted variants of the gate's images that are judged too.
        trust: What scope check and prediction sets are fitted on; None for phantoms.
        classes: Of the images.
    """

    calibration: ModelInputs = field(repr=False)
    gate: ModelInputs = field(repr=False)
    gate_labels: NDArray[np.int64] = field(repr=False)
    source: str
    synthetic: bool
    corrupted: int
    trust: TrustImages | None = None
    classes: Classes = BRAIN


class PixelReader(CalibrationDataReader):  # type: ignore[misc, unused-ignore] # untyped for mypy
    """Feeds images to onnxruntime's calibrator in batches.

    Args:
        inputs: The images.
    """

    def __init__(self, inputs: ModelInputs) -> None:
        self._batches = inputs.batches(_BATCH)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next batch as the graph's input, or None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT_NAME: batch}


def from_data_set(
    samples: Sequence[Sample],
    config: PreprocessorConfig,
    cache_folder: Path,
    *,
    source: str,
    seed: int,
    quick: bool = False,
    progress: Progress | None = None,
    learnt: Sequence[Sample] | None = None,
    learnt_source: str = "",
) -> ExportImages:
    """Choose calibration images from the train part, as many of each class, and all validation images for the gate.

    The statistics of the scope check get up to 4,000 images of the train part, 1,000 if ``quick``; of ``learnt``, where
    the model was trained on more than ``samples``.

    Raises:
        DataRefused: The train or val part lacks a class, or the train part of ``learnt`` holds images or groups of the
            val part, or is of other classes.
    """
    classes = classes_of(samples)
    train = part_rows(samples, "train", one_of_each_copy=True)
    val = part_rows(samples, "val")
    if learnt is not None:
        if classes_of(learnt) != classes:
            raise DataRefused(
                f"the scope manifest has the classes {', '.join(classes_of(learnt).names)}, expected those of the "
                f"data set: {', '.join(classes.names)}",
                hint="give manifests that name the same classes in the same order",
            )
        _refuse_known(learnt, [samples[row] for row in val])
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in range(len(classes)):
        of_class = [row for row in train if samples[row].label == label]
        count = min(len(of_class), _CALIBRATION_IMAGES // len(classes))
        chosen += generator.choice(of_class, count, replace=False).tolist()
    pixels = PixelCache.build(samples, config, cache_folder, progress).pixels
    return ExportImages(
        calibration=ModelInputs(np.asarray(pixels[sorted(chosen)]), config),
        gate=ModelInputs(np.asarray(pixels[val]), config),
        gate_labels=np.array([samples[row].label for row in val]),
        source=source,
        synthetic=False,
        corrupted=_CORRUPTED_QUICK if quick else _CORRUPTED,
        trust=_trust_images(
            samples if learnt is None else learnt,
            samples,
            val,
            config,
            cache_folder,
            source=f"train part of {learnt_source or source}",
            most=MOST_STATISTICS_QUICK if quick else MOST_STATISTICS,
            seed=seed,
        ),
        classes=classes,
    )


def _refuse_known(learnt: Sequence[Sample], val: Sequence[Sample]) -> None:
    """Refuse if the threshold of the scope check would be fitted on images that its statistics know."""
    train = [sample for sample in learnt if sample.split == "train"]
    known_files = {_file(sample) for sample in train}
    known_groups = {sample.group for sample in train} - {""}
    files = sum(_file(sample) in known_files for sample in val)
    groups = len({sample.group for sample in val} & known_groups)
    if not files and not groups:
        return
    raise DataRefused(
        f"the train part of the scope manifest holds {files} images and {groups} groups of the validation part of the "
        "data set, expected none: the scope check's threshold would be fitted on images that it knows",
        hint="take them out of that train part, or give a --manifest and a --scope-manifest that divide and name "
        "patients alike, such as one written by brain-data join from the other",
    )


def _file(sample: Sample) -> Path | bytes:
    return sample.source.resolve() if isinstance(sample.source, Path) else sample.source


def _trust_images(
    learnt: Sequence[Sample],
    samples: Sequence[Sample],
    val: Sequence[int],
    config: PreprocessorConfig,
    cache_folder: Path,
    *,
    source: str,
    most: int,
    seed: int,
) -> TrustImages:
    """Choose the images of ``learnt`` for the scope check's statistics, and the rows of the gate that count."""
    train = part_rows(learnt, "train", one_of_each_copy=True)
    # Draws of its own, so that the calibration images stay those of older exports.
    generator = np.random.default_rng([seed, 1])
    rows = some_of_each_class(train, [learnt[row].label for row in train], most, generator)
    pixels = PixelCache.build(learnt, config, cache_folder).pixels
    return TrustImages(
        train=ModelInputs(np.asarray(pixels[rows]), config),
        train_source=source,
        train_labels=np.array([learnt[row].label for row in rows]),
        gate_rows=np.array([place for place, row in enumerate(val) if not samples[row].is_copy]),
        gate_groups=tuple(samples[row].group for row in val if not samples[row].is_copy),
        gate_sources=tuple(samples[row].source for row in val if not samples[row].is_copy),
    )


def from_kit(
    config: PreprocessorConfig,
    cache_folder: Path,
    *,
    seed: int,
    quick: bool = False,
    progress: Progress | None = None,
) -> ExportImages:
    """Choose from the scans that come with the project, as ``from_data_set`` does.

    Raises:
        UnreadableInput: The kit is not here: this is an installed wheel.
    """
    manifest = KIT / "manifest.csv"
    if not manifest.is_file():
        raise UnreadableInput(
            "the kit of scans for calibration and gate is not here: it is in the clone and the sdist, not in the wheel",
            hint="give a data set with --data, or in a clone: pip install -e '.[cpu,export]'",
        )
    samples = load_samples(KIT, manifest=manifest, verify=False)
    return from_data_set(
        samples,
        config,
        cache_folder,
        source="the kit of BRISC 2025",
        seed=seed,
        quick=quick,
        progress=progress,
    )


def from_phantoms(config: PreprocessorConfig, *, seed: int) -> ExportImages:
    """Draw phantoms: different ones for calibration and gate."""
    generator = np.random.default_rng(seed)
    count = _CALIBRATION_IMAGES + _GATE_PHANTOMS
    labels = np.arange(count) % len(LABELS)  # each class equally often, in both parts
    grey = np.stack(
        [
            resize_grey(Image.fromarray(phantom(LABELS[label], generator, 256)), config)
            for label in labels
        ]
    )
    images = ModelInputs(grey, config)
    return ExportImages(
        calibration=images[:_CALIBRATION_IMAGES],
        gate=images[_CALIBRATION_IMAGES:],
        gate_labels=labels[_CALIBRATION_IMAGES:],
        source=f"synthetic phantoms, seed {seed}",
        synthetic=True,
        corrupted=_CORRUPTED_PHANTOMS,
    )
