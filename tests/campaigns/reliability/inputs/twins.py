"""R6: one slice in many formats."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.inputs.twin_files import TWINS, Twin

from edge_infer import Classifier
from edge_infer.dicom.read import open_dicom
from edge_infer.image_file import SourceImage, open_source
from edge_infer.nifti.read import open_nifti
from edge_infer.scan_slice import ScanFile
from edge_infer.stretch import stretch

__all__ = ["CAMPAIGN"]

_TOP = Path(__file__).parents[4]
_KIT = _TOP / "export" / "kit"
_TEST = Path(os.environ.get("BRAIN_EDGE_DATA", _TOP.parent / "shared" / "data")) / (
    "brisc2025/classification_task/test"
)
#: How far probabilities may lie apart where pixels are stored with loss.
_LOSSY = 0.05

_Grey = NDArray[np.uint8]
_Answer = Callable[[_Grey], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """How a subject reads, and how it answers."""

    reads: Callable[[Twin, bytes], _Grey]
    answers: _Answer
    is_strict: bool


@cache
def _scans() -> list[Path]:
    """Return the scans of the kit, and behind them those of BRISC's test part where they are at hand."""
    kit, test = ((sorted(folder.rglob("*.jpg"))) for folder in (_KIT, _TEST))
    return [*kit, *test]


def _slice(number: int) -> _Grey:
    grey = np.asarray(Image.open(_scans()[number]).convert("L"))
    return np.rint(grey * (255 / grey.max())).astype(np.uint8)


def _read(twin: Twin, data: bytes) -> _Grey:
    if twin.family == "image":
        return np.asarray(open_source(data).image)
    file = ScanFile(name="twin.nii", read=lambda: data)
    slices = open_dicom(file) if twin.family == "dicom" else open_nifti(file)
    return np.asarray(slices[len(slices) // 2].read().source.image)


def _naive(twin: Twin, data: bytes) -> _Grey:
    """Read as is often done: ``convert("L")``; stored values from the least to the largest, as they lie."""
    if twin.family == "image":
        return np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    if twin.family == "dicom":
        values = pydicom.dcmread(io.BytesIO(data)).pixel_array
        values = values[0] if values.ndim == 3 else values
    else:
        found = nibabel.Nifti1Image.from_bytes(data).get_fdata()
        values = found[:, :, found.shape[2] // 2]
    values = values.astype(float)
    return np.rint((values - values.min()) / max(np.ptp(values), 1) * 255).astype(np.uint8)


def _trial(asked: _Asked, number: int, folder: Path) -> Seen:
    del folder
    names = list(TWINS)
    name = names[37 * number % len(names)]  # every few of them hold all families
    twin = TWINS[name]
    grey = _slice((number // len(names)) % len(_scans()))
    expected = grey
    if twin.is_stretched:
        stretched = stretch(grey.astype(np.float64))
        expected = grey if stretched is None else np.rint(stretched).astype(np.uint8)
    read = asked.reads(twin, twin.make(grey))
    first, second = asked.answers(expected), asked.answers(read)
    apart = float(np.abs(first - second).max())
    if first.argmax() != second.argmax():
        raise Broken(f"{name}: another label, probabilities {apart:.2f} apart")
    if apart > (0 if twin.is_exact and asked.is_strict else _LOSSY):
        raise Broken(f"{name}: probabilities {apart:.3f} apart")
    kind = "the same answer" if apart == 0 else "the same label"
    return Seen(kind=kind, figures={"probabilities apart": apart})


def _classifier() -> _Answer:
    classifier = Classifier.load()

    def answers(grey: _Grey) -> NDArray[np.float64]:
        image = SourceImage(name="twin", sha256="", image=Image.fromarray(grey))
        return np.array(list(classifier.predict(image).probabilities.values()))

    return answers


def _onnxruntime() -> _Answer:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(_TOP / "edge_infer" / "shipped" / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    height, width = session.get_inputs()[0].shape[2:]

    def answers(grey: _Grey) -> NDArray[np.float64]:
        small = Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR)
        values = np.asarray(small, dtype=np.float32)[None, None].repeat(3, axis=1) / 255
        logits: Any = session.run(["logits"], {"pixel_values": values})[0][0].astype(np.float64)
        powers = np.exp(logits - logits.max())
        return powers / powers.sum()

    return answers


_ALL = len(_scans()) * len(TWINS)

CAMPAIGN = Campaign(
    id="R6",
    title="Twins of formats",
    promise=(
        "A slice gets the same answer in whatever format it is stored: bit for bit where the format keeps its pixels, "
        f"else the same label, and probabilities within {_LOSSY}."
    ),
    attack=(
        f"stores a scan of BRISC 2025 in one of {len(TWINS)} ways: pixel types, EXIF orientations, transfer syntaxes, "
        "48 NIfTI orientations"
    ),
    unit="twins",
    subjects={
        "ours": Subject(
            trial=_trial,
            prepare=lambda _: _Asked(reads=_read, answers=_classifier(), is_strict=True),
            what="our readers, and the shipped bundle",
        ),
        "control": Subject(
            trial=_trial,
            prepare=lambda _: _Asked(reads=_naive, answers=_classifier(), is_strict=False),
            what="the shipped bundle, with naive readers in place of ours",
        ),
        "raw": Subject(
            trial=_trial,
            prepare=lambda _: _Asked(reads=_naive, answers=_onnxruntime(), is_strict=False),
            what="Pillow, pydicom and nibabel as they come, and onnxruntime with the shipped model",
        ),
    },
    ci={"ours": 24, "control": 8, "raw": 8},
    full={"ours": _ALL, "control": 5_000, "raw": 20_000},
    limit_s=20,
    chunk=100,
    missing=lambda: None if _scans() else "the scans of export/kit",
    control_share=0.1,
)
