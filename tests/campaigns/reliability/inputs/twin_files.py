"""The same slice in every format and kind that is read: each maker returns a file whose pixels are those given."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import nibabel
import numpy as np
from dicom_files import TRANSFER_SYNTAXES, compressed, enhanced_mr, file_bytes, mr_slice
from numpy.typing import NDArray
from PIL import Image
from tiff_writer import tiff

__all__ = ["TWINS", "Twin"]

Grey = NDArray[np.uint8]
_EXIF_ORIENTATION = 0x0112
#: How pixels are stored so that the orientation turns them back, EXIF 2.32.
_STORED = {
    1: lambda grey: grey,
    2: lambda grey: grey[:, ::-1],
    3: lambda grey: grey[::-1, ::-1],
    4: lambda grey: grey[::-1],
    5: lambda grey: grey.T,
    6: lambda grey: np.rot90(grey, 1),
    7: lambda grey: grey[::-1, ::-1].T,
    8: lambda grey: np.rot90(grey, -1),
}
_IDENTITY = {"WindowCenter": "128", "WindowWidth": "256"}


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A way to store a slice.

    Attributes:
        make: Returns the file of a slice, uint8 (H, W), whose largest value is 255.
        family: ``image``, ``dicom`` or ``nifti``.
        is_exact: Whether every pixel comes back as it was.
        is_stretched: Whether the reader stretches the slice by its percentiles, for want of a window.
    """

    make: Callable[[Grey], bytes]
    family: str = "image"
    is_exact: bool = True
    is_stretched: bool = False


def _image(form: str, change: Callable[[Grey], Any], **options: Any) -> Callable[[Grey], bytes]:
    def make(grey: Grey) -> bytes:
        made = change(grey)
        image = made if isinstance(made, Image.Image) else Image.fromarray(made)
        file = io.BytesIO()
        image.save(file, form, **options)
        return file.getvalue()

    return make


def _as(mode: str) -> Callable[[Grey], Image.Image]:
    return lambda grey: Image.fromarray(grey).convert(mode)


def _deep(factor: int) -> Callable[[Grey], NDArray[np.uint16]]:
    return lambda grey: grey.astype(np.uint16) * factor


def _palette(grey: Grey) -> Image.Image:
    """Return a palette in another order than grey."""
    image = Image.fromarray((grey + 77).astype(np.uint8), "L").convert("P")
    image.putpalette([(value - 77) % 256 for value in range(256) for _ in range(3)])
    return image


def _turned(orientation: int, form: str) -> Callable[[Grey], bytes]:
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = orientation
    options = {"quality": 100} if form == "JPEG" else {}
    stored = _STORED[orientation]
    return _image(form, lambda grey: np.ascontiguousarray(stored(grey)), exif=exif, **options)


def _dicom(
    change: Callable[[Grey], NDArray[Any]], syntax: str = "explicit", **attributes: Any
) -> Callable[[Grey], bytes]:
    def make(grey: Grey) -> bytes:
        pixels = change(grey)
        dataset = mr_slice(pixels, bits_stored=8 * pixels.dtype.itemsize, **attributes)
        return file_bytes(dataset if syntax == "explicit" else compressed(dataset, syntax))

    return make


def _enhanced(grey: Grey) -> bytes:
    frames = np.stack([grey, grey]).astype(np.uint16)
    return file_bytes(enhanced_mr(frames, windows=[(128, 256)] * 2))


def _wide(grey: Grey) -> NDArray[np.uint16]:
    return grey.astype(np.uint16)


def _nifti(order: tuple[int, ...], signs: tuple[int, ...]) -> Callable[[Grey], bytes]:
    """Return a maker of volumes of three equal slices, with axes swapped and mirrored."""

    def make(grey: Grey) -> bytes:
        volume = np.stack([grey] * 3)  # z to the head, y to the back, x to the left
        data = volume.transpose(2, 1, 0)[::-1, ::-1].astype(np.int16).transpose(order)
        affine = np.diag([1.0, 1.0, 4.0, 1.0])[:, [*order, 3]]
        for axis, sign in enumerate(signs):
            if sign < 0:
                data = np.flip(data, axis)
                affine[:, 3] += affine[:, axis] * (data.shape[axis] - 1)
                affine[:, axis] *= -1
        made: bytes = nibabel.Nifti1Image(np.ascontiguousarray(data), affine).to_bytes()
        return made

    return make


_LOSSY = ("jpeg-baseline",)

TWINS: dict[str, Twin] = {
    "png": Twin(make=_image("PNG", _as("L"))),
    "png rgb": Twin(make=_image("PNG", _as("RGB"))),
    "png rgba": Twin(make=_image("PNG", _as("RGBA"))),
    "png la": Twin(make=_image("PNG", _as("LA"))),
    "png p": Twin(make=_image("PNG", _palette)),
    "png 16-bit": Twin(make=_image("PNG", _deep(257))),
    "png 12 bits in 16": Twin(make=_image("PNG", _deep(16))),
    "bmp": Twin(make=_image("BMP", _as("L"))),
    "bmp rgb": Twin(make=_image("BMP", _as("RGB"))),
    "tiff": Twin(make=_image("TIFF", _as("L"))),
    "tiff lzw": Twin(make=_image("TIFF", _as("RGB"), compression="tiff_lzw")),
    "tiff 16-bit": Twin(make=_image("TIFF", _deep(257), compression="tiff_adobe_deflate")),
    "tiff big-endian": Twin(make=lambda grey: tiff(_deep(16)(grey), order=">")),
    "tiff float": Twin(make=_image("TIFF", lambda grey: grey.astype(np.float32) / 255)),
    "tiff cmyk": Twin(
        make=_image("TIFF", lambda grey: Image.fromarray(grey).convert("RGB").convert("CMYK"))
    ),
    "jpeg": Twin(make=_image("JPEG", _as("L"), quality=100), is_exact=False),
    "jpeg cmyk": Twin(
        make=_image("JPEG", lambda grey: Image.fromarray(grey).convert("CMYK"), quality=100),
        is_exact=False,
    ),
    **{f"png exif {turn}": Twin(make=_turned(turn, "PNG")) for turn in range(1, 9)},
    **{
        f"jpeg exif {turn}": Twin(make=_turned(turn, "JPEG"), is_exact=False)
        for turn in range(1, 9)
    },
    **{
        f"dicom {syntax}": Twin(
            make=_dicom((lambda grey: grey) if syntax in _LOSSY else _wide, syntax, **_IDENTITY),
            family="dicom",
            is_exact=syntax not in _LOSSY,
        )
        for syntax in TRANSFER_SYNTAXES
    },
    "dicom monochrome1": Twin(
        make=_dicom(lambda grey: 255 - grey, PhotometricInterpretation="MONOCHROME1", **_IDENTITY),
        family="dicom",
    ),
    "dicom rescaled": Twin(
        make=_dicom(
            lambda grey: _wide(grey) * 16 + 5,
            RescaleSlope="0.0625",
            RescaleIntercept="-0.3125",
            **_IDENTITY,
        ),
        family="dicom",
    ),
    "dicom signed": Twin(
        make=_dicom(lambda grey: grey.astype(np.int16) - 128, WindowCenter="0", WindowWidth="256"),
        family="dicom",
    ),
    "dicom enhanced": Twin(make=_enhanced, family="dicom"),
    "dicom without window": Twin(make=_dicom(_wide), family="dicom", is_stretched=True),
    **{
        f"nifti {order} {signs}": Twin(make=_nifti(order, signs), family="nifti", is_stretched=True)
        for order in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    },
}
