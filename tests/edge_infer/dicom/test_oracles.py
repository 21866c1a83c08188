"""Grey levels beside those of dcmtk and highdicom, which map a window to its own range as well."""

import functools
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import compressed, drawn_volume, file_bytes, lut, mr_slice
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset
from shown_scans import pixels, shown

HEAD = drawn_volume()[4]
WINDOW = {"WindowCenter": "700", "WindowWidth": "1400"}
ROOTS = [min(65535, int((value / 1500) ** 0.5 * 65535)) for value in range(1501)]
SIGNED = HEAD.astype(np.int16) - 700


@functools.cache
def _cases() -> dict[str, FileDataset]:
    rescaled = {"RescaleSlope": "2.36", "RescaleIntercept": "-30", "RescaleType": "US"}
    wide = {"WindowCenter": "1700", "WindowWidth": "3000"}
    table = lut([2 * value for value in range(1501)], first=0)
    shapes = [(kind, shape) for kind in (1, 2) for shape in (None, "IDENTITY", "INVERSE")]
    return {
        "linear": mr_slice(HEAD, **WINDOW),
        "exact": mr_slice(HEAD, VOILUTFunction="LINEAR_EXACT", **WINDOW),
        "sigmoid": mr_slice(HEAD, VOILUTFunction="SIGMOID", **WINDOW),
        "rescaled": mr_slice(HEAD, **rescaled, **wide),
        "signed": mr_slice(SIGNED, bits_stored=16, WindowCenter="0", WindowWidth="1400"),
        "8-bit": mr_slice(
            (HEAD // 6).astype(np.uint8), bits_stored=8, WindowCenter="128", WindowWidth="200"
        ),
        "voi-table": mr_slice(HEAD, VOILUTSequence=lut(ROOTS, first=0)),
        "modality-table": mr_slice(HEAD, ModalityLUTSequence=table, **wide),
        "rle": compressed(mr_slice(HEAD, **WINDOW), "rle"),
        "deflated": compressed(mr_slice(HEAD, **WINDOW), "deflated"),
        **{
            f"monochrome{kind}-{shape}": mr_slice(
                HEAD,
                PhotometricInterpretation=f"MONOCHROME{kind}",
                PresentationLUTShape=shape,
                **WINDOW,
            )
            for kind, shape in shapes
        },
    }


@pytest.mark.parametrize("case", sorted(_cases()))
def test_grey_levels_are_those_of_highdicom(case: str, tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm"
    path.write_bytes(file_bytes(_cases()[case]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import highdicom

        image: Any = highdicom.imread(path)
        options = {"apply_voi_transform": True, "apply_real_world_transform": False}
        theirs = np.asarray(image.get_frame(1, **options), dtype=np.float64) * 255
    # Ours are rounded; highdicom calculates with single precision.
    np.testing.assert_allclose(pixels(shown(path.read_bytes())), theirs, atol=0.6)


def _by_dcmtk(path: Path, voi: str) -> NDArray[np.int64]:
    if shutil.which("dcm2pnm") is None:
        pytest.skip("no dcm2pnm: dcmtk is not installed")
    target = path.with_suffix(".png")
    subprocess.run(["dcm2pnm", voi, "1", "--write-png", str(path), str(target)], check=True)
    return np.asarray(Image.open(target)).astype(np.int64)


@pytest.mark.hospital
@pytest.mark.parametrize("case", sorted(_cases()))
def test_grey_levels_are_those_of_dcmtk(case: str, tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm"
    path.write_bytes(file_bytes(_cases()[case]))
    theirs = _by_dcmtk(path, "+Wl" if "voi" in case else "+Wi")
    # dcmtk rounds down.
    np.testing.assert_allclose(pixels(shown(path.read_bytes())), theirs, atol=1)


@pytest.mark.hospital
@pytest.mark.real_scans
def test_the_philips_series_looks_as_dcmtk_shows_it(real_scans: Path, tmp_path: Path) -> None:
    paths = sorted((real_scans / "dicom" / "philips_classic").glob("*.dcm"))
    assert len(paths) == 14
    for path in paths:
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        theirs = _by_dcmtk(copy, "+Wi")
        np.testing.assert_allclose(pixels(shown(copy.read_bytes())), theirs, atol=1)
