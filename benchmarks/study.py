"""What all engines of a run share: the model, its size, the images, and a folder for files made from them."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_infer.contract import LABELS
from edge_infer.errors import DataRefused, NoInputs
from edge_infer.names import shown_names
from export.int8.calibration import from_data_set
from train.checkpoint import load_checkpoint, save_checkpoint
from train.data.pixel_cache import PixelCache
from train.data.samples import Progress, Sample
from train.phantoms import phantom
from train.splits.sample_rows import part_rows

__all__ = ["Study", "TestPart", "open_study", "open_test_part"]

_SCANS = 16
_SCAN_SIDE = 512
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPart:
    """The images that accuracy is measured on.

    Attributes:
        grey: A .npy, uint8 (N, H, W).
        labels: (N,), true class ids.
        groups: Patient or copy group of each image.
        files: The image files, for engines with their own preprocessing.
        digest: Of ``grey``.
        files_digest: Of ``files``, independent of the image size.
    """

    __test__ = False  # pytest would take the class for a test

    grey: Path
    labels: NDArray[np.int64] = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)
    files: tuple[str, ...] = field(repr=False)
    digest: str
    files_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One model at one size.

    Attributes:
        model: Its name.
        checkpoint: The checkpoint's folder.
        digest: Of the weights and the size.
        height: Rows of pixel_values.
        width: Columns of pixel_values.
        data: The data set's name; empty for phantoms.
        folder: Cache for files made from the checkpoint.
        calibration: A .npy of train images for INT8 calibration, uint8 (N, H, W).
        test: None without a data set.
        scans: Image files for end to end, JPEGs of 512 x 512 if there are enough.
    """

    model: str
    checkpoint: Path
    digest: str
    height: int
    width: int
    data: str
    folder: Path
    calibration: Path
    test: TestPart | None
    scans: tuple[str, ...] = field(repr=False)

    @property
    def preprocessor_file(self) -> Path:
        """The checkpoint's preprocessor_config.json."""
        return self.checkpoint / "preprocessor_config.json"


def open_study(
    checkpoint: Path,
    samples: Sequence[Sample] | None,
    *,
    data: str,
    folder: Path,
    pixel_caches: Path,
    image_size: int | None = None,
    progress: Progress | None = None,
) -> Study:
    """Collect what a run needs.

    Args:
        checkpoint: The trained model.
        samples: The data set; None for phantoms, which say nothing about accuracy.
        data: Its name.
        folder: For files made here; kept between runs.
        pixel_caches: Where decoded images are kept.
        image_size: A side other than in training, if the weights allow it.
        progress: Called with (done, total) while images are decoded.

    Raises:
        BundleError: The checkpoint is damaged, or its weights do not fit the size.
        DataRefused: A part of the data set lacks a class, or the model has other classes than the four: its rivals
            answer in those.
    """
    weights = hashlib.sha256((checkpoint / "model.safetensors").read_bytes()).hexdigest()
    loaded = load_checkpoint(checkpoint)
    if not loaded.classes.is_brain:
        raise DataRefused(
            f"the model has the classes {shown_names(loaded.classes.names)}, expected {', '.join(LABELS)}",
            hint="other classes are not measured beside other engines; brain-doctor shows the latency of a bundle",
        )
    config = loaded.preprocessor
    if image_size is not None and image_size != config.height:
        config = dataclasses.replace(config, height=image_size, width=image_size)
    name = f"{loaded.name}-{config.height}-{weights[:12]}"
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    if config != loaded.preprocessor:
        checkpoint = home / "checkpoint"
        if not checkpoint.is_dir():
            save_checkpoint(
                checkpoint,
                name=loaded.name,
                model=loaded.model,
                preprocessor=config,
                training=loaded.training,
                sizes=loaded.config.get("brain_edge_sizes"),
            )
        load_checkpoint(checkpoint)  # refuses a size that the weights do not allow
    if samples is None:
        calibration = _phantoms(config.height, config.width, 32)
        test, scans = None, _phantom_scans(home / "scans")
    else:
        images = from_data_set(
            samples, config, pixel_caches, source=data, seed=_SEED, progress=progress
        )
        calibration = images.calibration.grey
        pixels = PixelCache.build(samples, config, pixel_caches).pixels
        test, scans = open_test_part(samples, pixels, home), _jpeg_scans(samples)
    return Study(
        model=loaded.name,
        checkpoint=checkpoint,
        digest=f"{weights} {config.height}x{config.width}",
        height=config.height,
        width=config.width,
        data=data if samples is not None else "",
        folder=home,
        calibration=_saved(home / "calibration.npy", calibration),
        test=test,
        scans=scans,
    )


def open_test_part(samples: Sequence[Sample], pixels: NDArray[np.uint8], folder: Path) -> TestPart:
    """Collect the test part, with one image of each copy group.

    Args:
        samples: The data set.
        pixels: uint8, (len(samples), H, W).
        folder: Where the images are written as test.npy.

    Raises:
        NoInputs: The data set has no test part.
    """
    rows = part_rows(samples, "test", one_of_each_copy=True, all_classes=False)
    if not rows:
        raise NoInputs("the data set has no test part", hint="brain-data split makes one")
    grey = np.asarray(pixels[rows])
    files = [source.resolve() for row in rows if isinstance(source := samples[row].source, Path)]
    together = hashlib.sha256()
    for path in files:
        together.update(path.read_bytes())
    return TestPart(
        grey=_saved(folder / "test.npy", grey),
        labels=np.array([samples[row].label for row in rows]),
        groups=tuple(samples[row].group for row in rows),
        files=tuple(map(str, files)),
        digest=hashlib.sha256(grey.tobytes()).hexdigest(),
        files_digest=together.hexdigest(),
    )


def _jpeg_scans(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Choose test images of all classes in turn, only those of 512 x 512 if there are enough."""
    files = [
        sample
        for row in part_rows(samples, "test", one_of_each_copy=True, all_classes=False)
        if isinstance((sample := samples[row]).source, Path)
    ]
    square = [
        sample
        for sample in files
        if sample.original_size == (_SCAN_SIDE, _SCAN_SIDE)
        and isinstance(sample.source, Path)
        and sample.source.suffix.lower() in (".jpg", ".jpeg")
    ]
    chosen = square if len(square) >= _SCANS else files
    by_class = [[item for item in chosen if item.label == label] for label in range(len(LABELS))]
    taken = [group[turn] for turn in range(_SCANS) for group in by_class if turn < len(group)]
    return tuple(str(Path(item.source).resolve()) for item in taken[:_SCANS])  # type: ignore[arg-type]


def _phantom_scans(folder: Path) -> tuple[str, ...]:
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(_SEED)
    for number, label in enumerate(LABELS):
        image = Image.fromarray(phantom(label, generator, _SCAN_SIDE)).convert("RGB")
        image.save(folder / f"phantom-{number}.jpg", quality=90)
    return tuple(str(path.resolve()) for path in sorted(folder.glob("phantom-*.jpg")))


def _phantoms(height: int, width: int, count: int) -> NDArray[np.uint8]:
    generator = np.random.default_rng(_SEED)
    drawn = [
        Image.fromarray(phantom(LABELS[number % len(LABELS)], generator, 256)).resize(
            (width, height)
        )
        for number in range(count)
    ]
    return np.stack([np.asarray(image) for image in drawn])


def _saved(path: Path, grey: NDArray[np.uint8]) -> Path:
    np.save(path, grey)
    return path
