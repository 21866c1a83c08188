"""Damaged files: cut pixels are refused in every transfer syntax, and nothing but our errors comes out."""

import gzip
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from dicom_files import (
    TRANSFER_SYNTAXES,
    compressed,
    drawn_volume,
    enhanced_mr,
    file_bytes,
    mr_slice,
    scan_file,
)
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, get_frame
from shown_scans import outcome, shown

from edge_infer.dicom.content import parse
from edge_infer.dicom.read import open_dicom
from edge_infer.dicom.streams import check_stream
from edge_infer.errors import BrainError, CorruptImage, InputOverLimit, UnsupportedImage
from edge_infer.scan_slice import ScanFile

sys.path.insert(0, str(Path(__file__).parents[2] / "campaigns"))
from dicom_fuzz import base_files, mutated, outcome_of

HEAD = drawn_volume()[4]
COMPRESSED = ("rle", "jpeg-baseline", "jpeg-lossless", "jpeg-lossless-sv1", "jpeg-ls", "jpeg-2000")
END = b"\xff\xd9"


def _compressed(syntax: str) -> FileDataset:
    is_8_bit = syntax == "jpeg-baseline"
    pixels = (HEAD // 6).astype(np.uint8) if is_8_bit else HEAD
    return compressed(mr_slice(pixels, bits_stored=8 if is_8_bit else 12), syntax)


def _with_frame(syntax: str, frame: bytes) -> FileDataset:
    dataset = _compressed(syntax)
    dataset.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2)])
    dataset["PixelData"].is_undefined_length = True
    return dataset


@pytest.mark.parametrize("share", [0.999, 0.99, 0.9, 0.6, 0.3, 0.01])
@pytest.mark.parametrize("syntax", COMPRESSED)
@pytest.mark.parametrize("is_closed", [False, True])
def test_a_compressed_stream_that_is_cut_short_is_refused(
    syntax: str, share: float, is_closed: bool
) -> None:
    frame = get_frame(_compressed(syntax).PixelData, 0, number_of_frames=1)
    assert outcome(_with_frame(syntax, frame)) == "read"
    frame = frame if syntax == "rle" else frame.rstrip(b"\0")
    cut = frame[: int(len(frame) * share)] + (END if is_closed and syntax != "rle" else b"")
    assert outcome(_with_frame(syntax, cut)) == "corrupt"


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_a_stream_with_a_hole_in_it_is_refused(syntax: str) -> None:
    frame = get_frame(_compressed(syntax).PixelData, 0, number_of_frames=1)
    middle = len(frame) // 2
    assert outcome(_with_frame(syntax, frame[:middle] + frame[middle + 600 :])) == "corrupt"


@pytest.mark.parametrize("syntax", ["jpeg-baseline", "jpeg-lossless", "jpeg-ls", "jpeg-2000"])
def test_a_stream_of_another_size_than_the_header_says_is_refused(syntax: str) -> None:
    for changes in ({"Rows": 80}, {"Columns": 272}, {"Rows": 136, "Columns": 160}):
        dataset = _compressed(syntax)
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        with pytest.raises(CorruptImage, match="another size"):
            shown(dataset)


@pytest.mark.parametrize("syntax", sorted(TRANSFER_SYNTAXES))
@pytest.mark.parametrize("share", [0.99, 0.6, 0.2])
def test_a_file_that_is_cut_short_is_refused(syntax: str, share: float) -> None:
    data = file_bytes(_compressed(syntax))
    assert outcome(data) == "read"
    assert outcome(data[: int(len(data) * share)]) == "corrupt"


def test_an_enhanced_file_cut_within_its_frames_is_refused() -> None:
    for syntax in ("explicit", "jpeg-ls"):
        data = file_bytes(compressed(enhanced_mr(), syntax))
        slices = open_dicom(scan_file(data[: int(len(data) * 0.9)]))
        with pytest.raises(CorruptImage):
            slices[0].read()


def test_a_stream_without_its_end_is_refused_before_it_is_decoded() -> None:
    for syntax in set(COMPRESSED) - {"rle"}:
        frame = get_frame(_compressed(syntax).PixelData, 0, number_of_frames=1).rstrip(b"\0")
        assert frame.endswith(END)
        with pytest.raises(CorruptImage, match="the end of the compressed pixels is missing"):
            shown(_with_frame(syntax, frame[:-2]))
        for filled in (frame + b"\0", frame + b"\xff"):  # up to an even length
            assert outcome(_with_frame(syntax, filled)) == "read"


def test_a_jpeg_of_12_bits_is_refused_and_not_called_damaged() -> None:
    data = file_bytes(_compressed("jpeg-baseline"))
    sof = data.index(b"\xff\xc0")
    extended = data[:sof] + b"\xff\xc1" + data[sof + 2 : sof + 4] + b"\x0c" + data[sof + 5 :]
    with pytest.raises(UnsupportedImage, match="8 bits"):
        shown(extended)


@pytest.mark.parametrize("length", [0, 1, 7, 2**32 - 1])
def test_a_box_of_no_length_around_jpeg_2000_is_refused(length: int) -> None:
    frame = get_frame(_compressed("jpeg-2000").PixelData, 0, number_of_frames=1)
    first = b"\0\0\0\x0cjP  \r\n\x87\n"
    last = b"\0\0\0\0jp2c" + frame
    rows, columns = HEAD.shape
    whole = first + b"\0\0\0\x08free" + last
    check_stream(whole, "x", rows=rows, columns=columns, samples=1)
    box = length.to_bytes(4, "big") + b"free"  # at a length of 0 pydicom never ends
    with pytest.raises(CorruptImage, match="have no size"):
        check_stream(first + box + last, "x", rows=rows, columns=columns, samples=1)


def test_a_jpeg_2000_stream_that_lacks_tiles_is_refused() -> None:
    data = bytearray(file_bytes(_compressed("jpeg-2000")))
    size = data.rindex(b"\xff\x4f\xff\x51") + 8  # width and height; tiles stay as large as they are
    for tag in (b"\x28\0\x10\0US\2\0", b"\x28\0\x11\0US\2\0"):
        at = data.index(tag) + 8
        data[at : at + 2] = (400).to_bytes(2, "little")
    data[size : size + 8] = (400).to_bytes(4, "big") * 2
    with pytest.raises(CorruptImage, match="a part of the compressed pixels is missing"):
        open_dicom(scan_file(bytes(data)))[0].read()


def test_very_many_elements_are_refused_at_once() -> None:
    data = file_bytes(mr_slice(HEAD))
    end = 144 + int.from_bytes(data[140:144], "little")  # of group 0002
    with pytest.raises(InputOverLimit, match="too many elements"):
        open_dicom(scan_file(data[:end] + b"\x08\0\5\0CS\0\0" * 70_000 + data[end:]))


@pytest.mark.parametrize("damage", [(136, 0x93), (134, 0xFF)], ids=["kind of value", "order"])
def test_damaged_meta_information_of_a_deflated_file_is_noticed(damage: tuple[int, int]) -> None:
    """Campaign R2: pydicom takes such a file for one that is not deflated; it was read here."""
    data = bytearray(file_bytes(compressed(mr_slice(np.zeros((16, 16), np.uint16)), "deflated")))
    assert parse(bytes(data), "whole", with_pixels=True).has_pixels
    data[damage[0]] = damage[1]
    with pytest.raises(CorruptImage, match="meta information"):
        parse(bytes(data), "damaged", with_pixels=True)


def test_a_deflated_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_infer.dicom.content.MAX_SCAN_BYTES", 2**20)
    dataset = compressed(mr_slice(np.zeros((1024, 1024), np.uint16)), "deflated")
    data = file_bytes(dataset)
    assert len(data) < 10_000
    with pytest.raises(InputOverLimit, match="unpacks"):
        parse(data, "bomb", with_pixels=True)


def test_a_file_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_infer.dicom.read.MAX_SCAN_BYTES", 1000)
    with pytest.raises(InputOverLimit):
        open_dicom(scan_file(mr_slice(HEAD)))


def test_a_header_of_a_million_elements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_infer.dicom.content._MOST_STEPS", 1000)
    data = file_bytes(mr_slice(HEAD))
    many = b"".join(
        b"\x09\x00" + number.to_bytes(2, "little") + b"CS\0\0" for number in range(0x1000, 0x2000)
    )
    at = data.index(b"\x10\x00\x10\x00PN")
    with pytest.raises(InputOverLimit, match="too many elements"):
        open_dicom(scan_file(data[:at] + many + data[at:]))


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(bytes(8), id="group 0000"),
        pytest.param(b"\2\0\0\0OB\0\0\0\0\0\0", id="group 0002"),
    ],
)
def test_many_elements_ahead_of_the_data_set_are_refused_at_once(start: bytes) -> None:
    import pydicom.filereader  # noqa: F401  -- not to be timed

    began = time.process_time()
    with pytest.raises(InputOverLimit, match="too many elements"):
        parse(bytes(128) + b"DICM" + start * 2**19, "scan.dcm", with_pixels=False)
    assert time.process_time() - began < 0.5


def test_sequences_nested_ten_thousand_deep_are_refused() -> None:
    data = file_bytes(mr_slice(HEAD))
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    nested = (b"\x08\x00\x18\x22SQ\0\0\xff\xff\xff\xff" + item) * 10_000  # Anatomic Region Sequence
    at = data.index(b"\x08\x00\x60\x00CS")
    assert outcome(data[:at] + nested + data[at:]) == "corrupt"


def test_too_little_memory_is_an_error_of_this_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("edge_infer.dicom.read.grey_of", fail)
    with pytest.raises(InputOverLimit, match="memory"):
        shown(mr_slice(HEAD))


def test_an_error_of_reading_the_file_is_passed_on() -> None:
    def gone() -> bytes:
        raise CorruptImage("gone")

    with pytest.raises(CorruptImage, match="gone"):
        open_dicom(ScanFile(name="x", read=gone))


@pytest.mark.parametrize("kind", sorted(base_files()))
def test_nothing_but_our_errors_comes_out_of_a_damaged_file(
    kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = base_files()[kind]
    assert outcome_of(kind, data) == "read"
    outcomes = {outcome_of(kind, mutated(data, seed)) for seed in range(60)}
    assert "corrupt" in outcomes
    printed = capfd.readouterr()
    assert "CANARY" not in printed.out + printed.err


def test_a_damaged_gzip_is_no_dicom() -> None:
    with pytest.raises(BrainError):
        open_dicom(scan_file(gzip.compress(file_bytes(mr_slice(HEAD)))))
