"""A bundle with scope check and series rule, and things to classify whose names, headers and texts are planted."""

import io
from pathlib import Path

import numpy as np
import pytest
from dicom_files import mr_series, write_files
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scan_slices import GLIOMA, HEALTHY, SPECK
from tiny_bundle import GOLDEN, files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle


@pytest.fixture(scope="package")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "ruled-fp32"
    write_bundle(path, files_with_scope(), manifest_body(trust=tiny_trust(), series=tiny_series()))
    return path


def _png() -> bytes:
    planted = PngInfo()
    planted.add_text("Comment", "CANARY^NAME")
    exif = Image.Exif()
    exif[0x010E] = "CANARY description"
    packed = io.BytesIO()
    Image.fromarray(GOLDEN[0]).save(packed, "PNG", pnginfo=planted, exif=exif)
    return packed.getvalue()


@pytest.fixture(scope="package")
def image() -> bytes:
    return _png()


@pytest.fixture(scope="package")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: an image, a damaged one, a refused scan, and a DICOM series of five slices, one of them spoiled."""
    folder = tmp_path_factory.mktemp("planted") / "CANARY^FOLDER"
    folder.mkdir()
    (folder / "CANARY1.png").write_bytes(_png())
    (folder / "CANARY2.png").write_bytes(_png()[:200])
    stack = np.stack([SPECK, HEALTHY, GLIOMA, GLIOMA, HEALTHY]).astype(np.uint16)
    slices = mr_series(stack, WindowCenter="128", WindowWidth="256")
    write_files(folder, slices)
    other = mr_series(stack[:1], Modality="CT", series="other")
    write_files(folder / "other", other)
    return folder
