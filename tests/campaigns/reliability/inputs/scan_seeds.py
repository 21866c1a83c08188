"""Drawn DICOM and NIfTI files of every kind, and numbered damage to them."""

import functools
import gzip
import random
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from dicom_files import (
    compressed,
    drawn_volume,
    enhanced_mr,
    file_bytes,
    lut,
    mr_slice,
    secondary_capture,
)
from reliability.inputs.watching import CANARY

__all__ = ["base_files", "damaged_scan", "dicom_files", "mutated", "nifti_files"]

#: pydicom's own test files are in its wheel; larger ones take most of the time and show no more.
_LARGEST = 200_000


@functools.cache
def base_files() -> dict[str, bytes]:
    """Return whole files, by kind; NIfTI kinds begin with ``nifti``."""
    volume = drawn_volume(slices=4, rows=48, columns=40)
    window = {"WindowCenter": "700", "WindowWidth": "1400"}
    classic = mr_slice(volume[2], **window)
    enhanced = enhanced_mr(
        volume, windows=[(700 + n, 1400) for n in range(4)], rescales=[(2, 1)] * 4
    )
    table = lut([value * 2 for value in range(1500)], first=0)
    files = {"classic": classic, "enhanced": enhanced, "capture": secondary_capture()}
    files["table"] = mr_slice(volume[2], ModalityLUTSequence=table, VOILUTSequence=table)
    for syntax in ("implicit", "deflated", "big-endian", "rle", "jpeg-lossless", "jpeg-ls"):
        files[syntax] = compressed(classic, syntax)
    files["jpeg-2000"] = compressed(classic, "jpeg-2000")
    files["enhanced-jpeg-ls"] = compressed(enhanced, "jpeg-ls")
    found = {kind: file_bytes(dataset) for kind, dataset in files.items()}
    image = nibabel.Nifti1Image(volume.transpose(2, 1, 0).astype(np.int16), np.diag([1, 1, 4, 1]))
    found["nifti"] = image.to_bytes()
    found["nifti-gz"] = gzip.compress(found["nifti"], mtime=0)
    return found


@functools.cache
def dicom_files() -> dict[str, bytes]:
    """Return drawn files and pydicom's own test files, by kind."""
    drawn = {kind: data for kind, data in base_files().items() if not kind.startswith("nifti")}
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    found = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.dcm"))}
    return drawn | {kind: data for kind, data in found.items() if 0 < len(data) <= _LARGEST}


@functools.cache
def nifti_files() -> dict[str, bytes]:
    """Return NIfTI files of every kind, with the canary in each field that holds text."""
    values = drawn_volume(slices=4, rows=24, columns=20).transpose(2, 1, 0).astype(np.int16)
    affine = np.diag([1.0, 1.0, 4.0, 1.0])
    first, second = nibabel.Nifti1Image, nibabel.Nifti2Image
    scaled = first(values.astype(np.float32) / 7 - 30, affine)
    scaled.header.set_data_dtype(np.int16)
    extended = first(values, affine)
    extended.header.extensions.append(
        nibabel.nifti1.Nifti1Extension("comment", f"{CANARY}^NAME".encode())
    )
    sheared = affine.copy()
    sheared[0, 1] = 0.3
    images = {
        "nifti": first(values, affine),
        "nifti-2": second(values, affine),
        "big-endian": first(values, affine, nibabel.Nifti1Header(endianness=">")),
        "float": first(values.astype(np.float32) / 3, affine),
        "double": first(values.astype(np.float64) / 3, affine),
        "bytes": first((values // 6).astype(np.uint8), affine),
        "one-volume": first(values[..., None], affine),
        "volumes": first(np.stack([values] * 3, axis=-1), affine),
        "no-affine": first(values, None),
        "sheared": first(values, sheared),
        "scaled": scaled,
        "extended": extended,
    }
    for image in images.values():
        for field in ("descrip", "aux_file", "intent_name"):
            image.header[field] = f"{CANARY}^NAME"
    made = {kind: image.to_bytes() for kind, image in images.items()}
    packed = {
        f"{kind}-gz": gzip.compress(made[kind], mtime=0) for kind in ("nifti", "nifti-2", "scaled")
    }
    return made | packed


def damaged_scan(files: dict[str, bytes], number: int) -> tuple[str, bytes]:
    """Return the kind and the bytes of damaged file ``number``, which are the same everywhere."""
    kind = list(files)[number % len(files)]
    return kind, mutated(files[kind], number)


def mutated(data: bytes, seed: int) -> bytes:
    """Return a file with a few damages; most of them in its first 3,000 bytes, where the header is."""
    rng = random.Random(seed)  # noqa: S311  # no secrets, but the same damages everywhere
    file = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        end = min(len(file), rng.choice((200, 1000, 3000, len(file))))
        at = rng.randrange(max(end, 1))
        kind = rng.randrange(8)
        if kind == 0:
            file[at] = rng.randrange(256)
        elif kind == 1:
            file[at] ^= 1 << rng.randrange(8)
        elif kind == 2:  # a length, or part of a number
            value = rng.choice((0, 1, 0x7FFF, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, rng.randrange(2**32)))
            file[at : at + 4] = value.to_bytes(4, "little")
        elif kind == 3:
            del file[at : at + rng.choice((1, 2, 8, 200))]
        elif kind == 4:
            file[at:at] = rng.randbytes(rng.choice((1, 2, 8, 64)))
        elif kind == 5:
            del file[max(at, 1) :]
        elif kind == 6:  # a value representation
            file[at : at + 2] = rng.choice((b"SQ", b"UN", b"DS", b"US", b"OB", b"IS", b"UI", b"PN"))
        else:
            source = rng.randrange(len(file))
            file[at : at + 32] = file[source : source + 32]
        if not file:
            return b""
    return bytes(file)
