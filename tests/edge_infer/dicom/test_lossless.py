"""The decoder of JPEG Lossless, beside a writer that follows the standard pixel by pixel, GDCM and dcmtk."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import compressed, drawn_volume, file_bytes, mr_slice
from lossless_writer import lossless_jpeg
from numpy.typing import NDArray
from pydicom.encaps import get_frame

from edge_infer.dicom.lossless.decode import decode_lossless
from edge_infer.errors import BrainError, CorruptImage, UnsupportedImage

HEAD = drawn_volume(slices=3, rows=48, columns=40)[1]


def _noise(bits: int = 16, rows: int = 24, columns: int = 33) -> NDArray[np.int64]:
    return np.random.default_rng(bits).integers(0, 2**bits, (rows, columns))


def _decoded(stream: bytes, pixels: NDArray[np.integer]) -> NDArray[np.uint16]:
    return decode_lossless(stream, *pixels.shape, "x")


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("restart_lines", [0, 1, 5])
def test_every_predictor_is_undone(predictor: int, restart_lines: int) -> None:
    for pixels in (HEAD, _noise(), np.full((20, 20), 65535), np.zeros((20, 20), np.int64)):
        stream = lossless_jpeg(pixels, predictor=predictor, restart_lines=restart_lines)
        np.testing.assert_array_equal(_decoded(stream, pixels), pixels)


@pytest.mark.parametrize("precision", [2, 8, 12, 16])
def test_pixels_of_any_precision_are_read(precision: int) -> None:
    pixels = _noise(precision)
    stream = lossless_jpeg(pixels, precision=precision)
    np.testing.assert_array_equal(_decoded(stream, pixels), pixels)


def test_bits_that_were_left_out_are_zero() -> None:
    stream = lossless_jpeg(HEAD, precision=12, shift=3)
    np.testing.assert_array_equal(_decoded(stream, HEAD), HEAD >> 3 << 3)


def test_a_large_image_is_read_across_blocks() -> None:
    pixels = _noise(16, 300, 200)
    stream = lossless_jpeg(pixels)
    assert len(stream) > 2 * 2**16
    np.testing.assert_array_equal(_decoded(stream, pixels), pixels)


@pytest.mark.parametrize("syntax", ["jpeg-lossless", "jpeg-lossless-sv1"])
def test_what_gdcm_writes_is_read(syntax: str) -> None:
    dataset = compressed(mr_slice(HEAD), syntax)
    stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    np.testing.assert_array_equal(_decoded(stream, HEAD), HEAD)


@pytest.mark.hospital
@pytest.mark.parametrize("predictor", range(1, 8))
def test_what_dcmtk_writes_is_read(predictor: int, tmp_path: Path) -> None:
    if shutil.which("dcmcjpeg") is None:
        pytest.skip("no dcmcjpeg: dcmtk is not installed")
    given, made = tmp_path / "given.dcm", tmp_path / "made.dcm"
    given.write_bytes(file_bytes(mr_slice(HEAD)))
    command = ["dcmcjpeg", "+el", "+sv", str(predictor), str(given), str(made)]
    subprocess.run(command, check=True)
    stream = get_frame(pydicom.dcmread(made).PixelData, 0, number_of_frames=1)
    np.testing.assert_array_equal(_decoded(stream, HEAD), HEAD)


@pytest.mark.real_scans
def test_the_siemens_files_are_those_without_compression(real_scans: Path) -> None:
    folder = real_scans / "dicom" / "siemens_transfer_syntaxes"
    plain = pydicom.dcmread(folder / "1.dcm").pixel_array
    for name in ("5.dcm", "6.dcm"):  # one of them has a fill byte before its end
        stream = get_frame(pydicom.dcmread(folder / name).PixelData, 0, number_of_frames=1)
        np.testing.assert_array_equal(_decoded(stream, plain), plain)


@pytest.mark.parametrize("restart_lines", [0, 4])
def test_a_cut_at_any_byte_is_noticed(restart_lines: int) -> None:
    pixels = _noise(12)
    stream = lossless_jpeg(pixels, restart_lines=restart_lines)
    start = stream.index(b"\xff\xda") + 10
    for end in range(start, len(stream) - 3, 7):
        with pytest.raises(CorruptImage):
            _decoded(stream[:end] + b"\xff\xd9", pixels)
    for end in range(start, len(stream) - 203, 29):
        with pytest.raises(CorruptImage):
            _decoded(stream[:end] + stream[end + 200 :], pixels)


def test_fewer_and_more_pixels_are_noticed() -> None:
    stream = lossless_jpeg(HEAD)
    for rows, columns in ((47, 40), (49, 40), (48, 39), (48, 41)):
        with pytest.raises(CorruptImage):
            decode_lossless(stream, rows, columns, "x")


def test_other_kinds_of_jpeg_are_named() -> None:
    stream = lossless_jpeg(HEAD)
    with pytest.raises(UnsupportedImage, match="another kind"):
        _decoded(stream.replace(b"\xff\xc3", b"\xff\xc0"), HEAD)
    components = stream.index(b"\xff\xc3") + 9
    with pytest.raises(UnsupportedImage, match="colours"):
        _decoded(stream[:components] + b"\x03" + stream[components + 1 :], HEAD)


@pytest.mark.parametrize(
    "table",
    [
        bytes([7, 2, *[0] * 15, 0, 1]),  # 0 and 1: a code of ones, which T.81 annex C reserves
        bytes([7, 1, 3, *[0] * 14, 0, 1]),  # too few values
    ],
)
def test_a_table_that_libjpeg_refuses_is_refused_even_if_no_pixel_uses_it(table: bytes) -> None:
    """Campaign R2: such a file was read, though GDCM refuses it."""
    stream = lossless_jpeg(HEAD)
    at = stream.index(b"\xff\xc4")
    segment = b"\xff\xc4" + (len(table) + 2).to_bytes(2, "big") + table
    with pytest.raises(CorruptImage):
        _decoded(stream[:at] + segment + stream[at:], HEAD)


def test_damage_at_random_ends_in_pixels_or_an_error_of_ours() -> None:
    stream = lossless_jpeg(HEAD, restart_lines=8)
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(300):
        spoiled = bytearray(stream)
        for at in rng.integers(0, len(stream), 3):
            spoiled[at] = rng.integers(256)
        try:
            assert _decoded(bytes(spoiled), HEAD).shape == HEAD.shape
        except BrainError:
            refused += 1
    assert refused > 100
