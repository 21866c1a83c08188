"""The same slice as DICOM, NIfTI and PNG gets the same label and nearly the same probabilities."""

import io
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from dicom_files import drawn_volume, mr_slice, scan_file
from numpy.typing import NDArray
from PIL import Image
from shown_scans import only_slice, pixels, shown

from edge_infer import Classifier
from edge_infer.dicom.read import open_dicom
from edge_infer.nifti.read import open_nifti
from edge_infer.prediction import Prediction
from edge_infer.scan_files import MAX_SCAN_BYTES
from edge_infer.scan_slice import ScanFile, ShownSlice

AXES = np.eye(3)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load()


def _png(values: NDArray[Any], *, low: float = 0.0, high: float = 100.0) -> bytes:
    """Save a slice as any tool would: its percentiles to 0..255, pixels as stored."""
    black, white = np.percentile(values, (low, high))
    grey = np.clip((values - black) / (white - black), 0, 1) * 255
    buffer = io.BytesIO()
    Image.fromarray(np.rint(grey).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _apart(one: Prediction, other: Prediction) -> float:
    assert one.label == other.label
    pairs = zip(one.probabilities.values(), other.probabilities.values(), strict=True)
    return max(abs(first - second) for first, second in pairs)


def _dicom(path: Path) -> ShownSlice:
    (one,) = open_dicom(ScanFile.at(path, limit=MAX_SCAN_BYTES))
    return one.read()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_every_way_to_store_a_drawn_head_as_dicom_shows_the_same(order: tuple[int, ...]) -> None:
    """Of 48 ways: which axis is the normal, that of rising row, that of rising column, and their signs."""
    cube = drawn_volume(slices=48, rows=48, columns=48)
    seen = []
    for signs in product((1, -1), repeat=3):
        stored = cube.transpose([2 - axis for axis in order])
        for place, sign in enumerate(signs):
            stored = stored if sign > 0 else np.flip(stored, place)
        normal, down, across = (sign * AXES[axis] for axis, sign in zip(order, signs, strict=True))
        at = 30 if signs[0] > 0 else 17
        dataset = mr_slice(
            np.ascontiguousarray(stored[at]), orientation=[*across, *down], position=normal
        )
        seen.append(pixels(shown(dataset)))
    plain = {2: cube[30], 1: cube[::-1, 30], 0: cube[::-1, :, 30]}[order[0]]
    upright = {2: (1, 0, 0, 0, 1, 0), 1: (1, 0, 0, 0, 0, -1), 0: (0, 1, 0, 0, 0, -1)}[order[0]]
    expected = mr_slice(np.ascontiguousarray(plain), orientation=upright)
    geometry = only_slice(expected).geometry
    assert geometry is not None
    assert geometry.shown == "as stored"
    for one in seen:
        np.testing.assert_array_equal(one, pixels(shown(expected)))


def test_drawn_twins_agree(classifier: Classifier) -> None:
    volume = drawn_volume()
    ras = np.ascontiguousarray(volume.transpose(2, 1, 0)[::-1, ::-1]).astype(np.int16)
    image = nibabel.Nifti1Image(ras, np.diag([1.0, 1.0, 4.0, 1.0]))
    as_nifti = open_nifti(scan_file(image.to_bytes(), "drawn.nii"))
    for number in (2, 4, 6):
        dicom = classifier.predict(shown(mr_slice(volume[number])).source)
        assert _apart(dicom, classifier.predict(as_nifti[number].read().source)) == 0
        assert _apart(dicom, classifier.predict(_png(volume[number], high=99.8))) < 0.02


@pytest.mark.real_scans
def test_real_twins_agree(classifier: Classifier, real_scans: Path) -> None:
    """7T, without a window, with pixels that are not square: NIfTI exactly, PNG as stored nearly."""
    paths = sorted((real_scans / "dicom" / "t1_7t_series").glob("*.dcm"))
    datasets = [pydicom.dcmread(path) for path in paths]
    image = nibabel.Nifti1Image(_stack(datasets), _affine(datasets))
    as_nifti = open_nifti(scan_file(image.to_bytes(), "7t.nii"))
    assert len(as_nifti) == len(paths) == 10
    for path, dataset, volume_slice in zip(paths, datasets, as_nifti, strict=True):
        dicom = _dicom(path)
        nifti = volume_slice.read()
        assert np.abs(pixels(dicom) - pixels(nifti)).max() == 0
        answer = classifier.predict(dicom.source)
        assert _apart(answer, classifier.predict(nifti.source)) == 0
        png = _png(dataset.pixel_array.astype(float), high=99.8)
        assert _apart(answer, classifier.predict(png)) < 0.06


def _stack(datasets: list[pydicom.Dataset]) -> NDArray[np.int16]:
    """Return (column, row, slice), as NIfTI tools store a DICOM series."""
    return np.stack([one.pixel_array.T for one in datasets], axis=-1).astype(np.int16)


def _affine(datasets: list[pydicom.Dataset]) -> NDArray[np.float64]:
    """Return the affine of a DICOM series in NIfTI's coordinates (nibabel, "DICOM orientation")."""
    first, last = datasets[0], datasets[-1]
    directions = np.array(first.ImageOrientationPatient, dtype=float)
    start, end = (np.array(one.ImagePositionPatient, dtype=float) for one in (first, last))
    affine = np.eye(4)
    affine[:3, 0] = directions[:3] * float(first.PixelSpacing[1])
    affine[:3, 1] = directions[3:] * float(first.PixelSpacing[0])
    affine[:3, 2] = (end - start) / (len(datasets) - 1)
    affine[:3, 3] = start
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


@pytest.mark.real_scans
def test_the_windows_of_a_scanner_and_percentiles_agree(
    classifier: Classifier, real_scans: Path
) -> None:
    """14 sagittal slices, each with its own window. The outermost shows a cheek, where the model is at a loss."""
    paths = sorted((real_scans / "dicom" / "philips_classic").glob("*.dcm"))
    apart = []
    for path in paths[1:-1]:
        windowed = _dicom(path)
        assert "window of the header" in windowed.grey
        png = _png(pydicom.dcmread(path).pixel_array.astype(float), low=0.1, high=99.8)
        apart.append(_apart(classifier.predict(windowed.source), classifier.predict(png)))
    assert len(apart) == 12
    assert max(apart) < 0.03
