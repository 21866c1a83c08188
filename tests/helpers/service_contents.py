"""What is sent to a service: an image, slices, archives."""

import io
import zipfile

import numpy as np
from dicom_files import file_bytes, mr_series
from PIL import Image
from scan_slices import GLIOMA, HEALTHY, SPECK
from tiny_bundle import GOLDEN

__all__ = ["STUDY", "archive", "png", "slices"]


def png(pixels: np.ndarray = GOLDEN[0]) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    return packed.getvalue()


def slices() -> list[bytes]:
    stack = np.stack([SPECK, HEALTHY, GLIOMA, GLIOMA, HEALTHY]).astype(np.uint16)
    return [file_bytes(one) for one in mr_series(stack, WindowCenter="128", WindowWidth="256")]


def archive(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    return packed.getvalue()


STUDY = archive({f"{number}.dcm": one for number, one in enumerate(slices())})
