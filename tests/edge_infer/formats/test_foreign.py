"""Intact files of formats that are not read are named."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import scan

from edge_infer.errors import CorruptImage, UnsupportedImage
from edge_infer.formats.foreign import name_of_foreign_format
from edge_infer.image_file import read_image

ZEROS = b"\0" * 400
NIFTI = b"\x5c\x01\0\0" + b"\0" * 340 + b"n+1\0" + ZEROS
ANALYZE = b"\x5c\x01\0\0" + b"\0" * 344
FTYP = b"\0\0\0\x18ftyp"


def tga(kind: int, *, id_length: int = 0) -> bytes:
    header = struct.pack("<BBBHHBHHHHBB", id_length, 0, kind, 0, 0, 0, 0, 0, 64, 48, 8, 0)
    return header + b"\0" * id_length + np.asarray(scan()).tobytes()


def jpeg(marker: int, bits: int = 8) -> bytes:
    frame = struct.pack(">BHHBBBB", bits, 48, 64, 1, 1, 0x11, 0)
    return (
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xff"
        + bytes([marker, 0, len(frame) + 2])
        + frame
        + ZEROS
    )


NAMED = {
    b"GIF89a" + ZEROS: "GIF",
    b"RIFF\0\0\0\0WEBP" + ZEROS: "WebP",
    FTYP + b"avif" + ZEROS: "AVIF",
    FTYP + b"avis" + ZEROS: "AVIF",
    b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif" + ZEROS: "AVIF",
    FTYP + b"heic" + ZEROS: "HEIC",
    FTYP + b"heix" + ZEROS: "HEIC",
    FTYP + b"hevc" + ZEROS: "HEIC",
    FTYP + b"heim" + ZEROS: "HEIC",
    FTYP + b"msf1" + ZEROS: "HEIF",
    FTYP + b"isom" + ZEROS: "video",
    b"\xff\x0a" + ZEROS: "JPEG XL",
    b"\0\0\0\x0cJXL \r\n\x87\n" + ZEROS: "JPEG XL",
    b"\0\0\0\x0cjP  \r\n\x87\n" + ZEROS: "JPEG 2000",
    b"\xff\x4f\xff\x51" + ZEROS: "JPEG 2000",
    b"P5\n64 48\n255\n" + ZEROS: "Netpbm",
    b"P2 64 48 255 0 0 0": "Netpbm",
    b"PF\n64 48\n-1.0\n" + ZEROS: "PFM",
    b"\0\0\1\0\1\0\x20\x20\0\0" + ZEROS: "ICO",
    tga(3): "TGA",
    tga(3, id_length=7): "TGA",
    tga(2) + b"\0" * 8 + b"TRUEVISION-XFILE.\0": "TGA",
    b"8BPS" + ZEROS: "Photoshop",
    b"%PDF-1.7" + ZEROS: "PDF",
    b"\x93NUMPY\1\0" + ZEROS: "NumPy",
    b"\x89HDF\r\n\x1a\n" + ZEROS: "HDF5",
    b"CDF\1" + ZEROS: "NetCDF",
    b"MATLAB 5.0 MAT-file" + ZEROS: "MATLAB",
    b"PK\3\4" + ZEROS: "ZIP",
    jpeg(0xC1, 12): "12-bit JPEG",
    jpeg(0xC3): "lossless JPEG",
    jpeg(0xC9): "arithmetic-coded JPEG",
    jpeg(0xF7): "JPEG-LS",
    b"\0" * 128 + b"DICM" + ZEROS: "DICOM",
    b"\2\0\0\0UL\4\0\xc4\0\0\0" + ZEROS: "DICOM",
    b"\x08\0\5\0CS\n\0ISO_IR 100" + ZEROS: "DICOM",
    b"\0\x08\0\5CS\0\nISO_IR 100" + ZEROS: "DICOM",
    b"\x08\0\5\0\n\0\0\0ISO_IR 100\x08\0\x16\0" + ZEROS: "DICOM",
    NIFTI: "NIfTI",
    NIFTI.replace(b"n+1", b"ni1"): "a pair of .hdr and .img",
    b"\x1c\2\0\0n+2\0\r\n\x1a\n" + ZEROS: "NIfTI-2",
    b"\0\0\2\x1cni2\0\r\n\x1a\n" + ZEROS: "NIfTI-2, a pair",
    gzip.compress(NIFTI): "NIfTI, compressed with gzip",
    gzip.compress(b"\0" * 100): "gzip",
    ANALYZE: "Analyze",
    b"\0\0\x01\x5c" + b"\0" * 344: "Analyze",
    b"NRRD0004\ntype: short\n": "NRRD",
    b"ObjectType = Image\nNDims = 3\n": "MetaImage",
    struct.pack(">7i", 1, 256, 256, 256, 1, 3, 0) + ZEROS: "MGH",
    b"<!DOCTYPE html><html>log in" + ZEROS: "HTML",
    b"\n <HTML lang=de>" + ZEROS: "HTML",
    "<html>".encode("utf-16"): "HTML",
    b"<?xml version='1.0'?><a/>": "XML",
    b"<?xml version='1.0'?>\n<svg xmlns='x'/>": "SVG",
    b"<svg xmlns='x'/>": "SVG",
    b'{"error": "forbidden"}': "JSON",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n": "Git LFS pointer",
    b"/annex/objects/SHA256E-s1--00.png\n": "git-annex pointer",
    b"the quick brown fox jumps over the lazy dog\n" * 3: "text",
}


@pytest.mark.parametrize(("data", "name"), NAMED.items(), ids=range(len(NAMED)))
def test_a_whole_file_of_another_format_is_named(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedImage) as caught:
        read_image(data)
    assert name in caught.value.message


def test_a_pointer_says_how_to_fetch_the_image() -> None:
    with pytest.raises(UnsupportedImage, match="git lfs pull"):
        read_image(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")


def test_what_is_read_is_not_taken_for_something_else(tmp_path: Path) -> None:
    for form in ("JPEG", "PNG", "BMP", "TIFF"):
        scan().save(tmp_path / "scan", form)
        assert name_of_foreign_format((tmp_path / "scan").read_bytes()) is None


def test_noise_is_not_a_format() -> None:
    noise = np.random.default_rng(18).integers(0, 256, (2000, 512), dtype=np.uint8)
    named = [name for row in noise if (name := name_of_foreign_format(row.tobytes()))]
    assert len(named) <= 4  # two bytes in a row name JPEG XL and gzip: 2000 / 65536 each


def test_a_jpeg_with_a_damaged_header_stays_damaged() -> None:
    with pytest.raises(CorruptImage):
        read_image(b"\xff\xd8\xff\xe0\0\x10JFIF" + b"\xff" * 500)


@pytest.mark.real_scans
def test_real_medical_files_are_named(real_scans: Path) -> None:
    files = [path for path in (real_scans / "dicom").rglob("*") if path.suffix in {".dcm", ""}]
    files += (real_scans / "nifti").glob("*.nii.gz")
    for path in [path for path in files if path.is_file()]:
        name = name_of_foreign_format(path.read_bytes())
        assert name is None or any(word in name for word in ("DICOM", "NIfTI", "text")), path.name


def test_pillow_images_of_other_formats_are_still_taken(tmp_path: Path) -> None:
    scan().save(tmp_path / "scan.pgm")
    read = read_image(Image.open(tmp_path / "scan.pgm"))
    assert np.array_equal(np.asarray(read), np.asarray(scan()))
