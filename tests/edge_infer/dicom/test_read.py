"""Slices of DICOM files: how they lie, who they are, how they were made; files of every transfer syntax."""

import hashlib
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import (
    AXIAL,
    CORONAL,
    LEGACY_ENHANCED_MR,
    SAGITTAL,
    TRANSFER_SYNTAXES,
    compressed,
    drawn_volume,
    enhanced_mr,
    file_bytes,
    mr_series,
    mr_slice,
    scan_file,
    uid_of,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from shown_scans import only_slice, pixels, shown

from edge_infer.dicom.content import parse
from edge_infer.dicom.decoders import DECODERS
from edge_infer.dicom.frames import frames_of
from edge_infer.dicom.pixels import stored_values
from edge_infer.dicom.read import open_dicom
from edge_infer.errors import CorruptImage, InputOverLimit, MissingDependency, UnsupportedImage
from edge_infer.scan_slice import Acquisition, Identity, ScanFile

VOLUME = drawn_volume()
HEAD = VOLUME[4]
WINDOW = {"WindowCenter": "700", "WindowWidth": "1400"}
LOSSLESS = sorted(set(TRANSFER_SYNTAXES) - {"jpeg-baseline"})


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_every_lossless_transfer_syntax_gives_the_same_pixels(syntax: str) -> None:
    dataset = mr_slice(HEAD, **WINDOW)
    one = shown(compressed(dataset, syntax))
    np.testing.assert_array_equal(pixels(one), pixels(shown(dataset)))


@pytest.mark.parametrize("syntax", ["explicit", "rle", "jpeg-ls", "jpeg-lossless", "jpeg-2000"])
def test_frames_of_an_enhanced_file_are_read_one_by_one(syntax: str) -> None:
    dataset = enhanced_mr(windows=[(700, 1400)] * 9)
    slices = open_dicom(scan_file(compressed(dataset, syntax), "enhanced.dcm"))
    assert [one.name for one in slices] == [f"enhanced.dcm#{number}" for number in range(1, 10)]
    for frame in (8, 0, 4):
        expected = pixels(shown(mr_slice(VOLUME[frame], **WINDOW)))
        np.testing.assert_array_equal(pixels(slices[frame].read()), expected)


def test_signed_pixels_survive_every_compression() -> None:
    dataset = mr_slice(HEAD.astype(np.int16) - 700, bits_stored=16)
    for syntax in ("rle", "jpeg-ls", "jpeg-lossless", "jpeg-2000", "big-endian"):
        one = shown(compressed(dataset, syntax))
        np.testing.assert_array_equal(pixels(one), pixels(shown(dataset)), err_msg=syntax)


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("1.2.840.10008.1.2.4.102", "video"),
        ("1.2.840.10008.1.2.4.110", "JPEG XL"),
        ("1.2.3.4", "1.2.3.4"),
        ("CANARY", "unknown"),
    ],
)
def test_an_unread_transfer_syntax_is_named_with_those_that_are_read(
    identifier: str, name: str
) -> None:
    data = file_bytes(compressed(mr_slice(HEAD), "jpeg-ls"))
    padded = identifier.encode() + b"\0" * (len(identifier) % 2)
    stated = b"UI" + struct.pack("<H", 22) + b"1.2.840.10008.1.2.4.80"
    assert data.count(stated) == 1
    data = data.replace(stated, b"UI" + struct.pack("<H", len(padded)) + padded)
    with pytest.raises(UnsupportedImage, match=name) as caught:
        open_dicom(scan_file(data))
    assert "JPEG Lossless" in caught.value.message
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big-endian"])
def test_files_without_preamble_or_meta_information_are_read(syntax: str) -> None:
    expected = pixels(shown(mr_slice(HEAD, **WINDOW)))
    data = file_bytes(compressed(mr_slice(HEAD, **WINDOW), syntax))
    bare = data[132 + 12 + int.from_bytes(data[140:144], "little") :]
    for given in (data[132:], data[128:], bare):
        np.testing.assert_array_equal(pixels(shown(given)), expected)


def test_compressed_pixels_without_a_stated_transfer_syntax_are_refused() -> None:
    data = file_bytes(compressed(mr_slice(HEAD), "jpeg-ls"))
    bare = data[132 + 12 + int.from_bytes(data[140:144], "little") :]
    with pytest.raises((CorruptImage, UnsupportedImage)):
        shown(bare)


@pytest.mark.parametrize(
    ("orientation", "plane"), [(AXIAL, "axial"), (CORONAL, "coronal"), (SAGITTAL, "sagittal")]
)
def test_a_slice_says_how_it_lies(orientation: Any, plane: str) -> None:
    slices = [only_slice(one) for one in mr_series(orientation=orientation, step=4.0)]
    first, second = (one.geometry for one in slices[:2])
    assert first is not None
    assert second is not None
    assert (first.plane, first.shown, first.spacing_mm) == (plane, "as stored", (1.0, 1.0))
    assert abs(second.position_mm - first.position_mm) == pytest.approx(4.0, abs=1e-3)


def test_enhanced_and_legacy_frames_lie_as_their_groups_say() -> None:
    classic = [only_slice(one).geometry for one in mr_series(orientation=CORONAL)]
    for sop_class in ("1.2.840.10008.5.1.4.1.1.4.1", LEGACY_ENHANCED_MR):
        dataset = enhanced_mr(orientation=CORONAL, sop_class=sop_class)
        assert [one.geometry for one in open_dicom(scan_file(dataset))] == classic


def test_a_mirrored_slice_is_turned_back() -> None:
    mirrored = mr_slice(
        np.ascontiguousarray(HEAD[:, ::-1]), orientation=(-1, 0, 0, 0, 1, 0), **WINDOW
    )
    one = only_slice(mirrored)
    assert one.geometry is not None
    assert one.geometry.shown == "mirrored left to right"
    np.testing.assert_array_equal(pixels(one.read()), pixels(shown(mr_slice(HEAD, **WINDOW))))


def test_pixels_that_are_not_square_are_resampled() -> None:
    one = only_slice(mr_slice(HEAD[::2], spacing=(2.0, 1.0), **WINDOW))
    assert one.geometry is not None
    assert one.geometry.shown == "as stored, resampled to square pixels"
    image = one.read().source.image
    assert image.size == (136, 160)
    difference = np.abs(np.asarray(image) - pixels(shown(mr_slice(HEAD, **WINDOW))))
    assert np.median(difference) < 8


def test_without_position_a_slice_is_shown_as_stored_with_a_word() -> None:
    for dataset in (
        mr_slice(HEAD, orientation=None),
        mr_slice(HEAD, orientation=(1, 0, 0, 1, 0, 0)),
    ):
        one = only_slice(dataset)
        assert one.geometry is None
        assert one.warnings == ("the header does not say how the slice lies: shown as stored",)


def test_one_position_is_not_that_of_several_frames() -> None:
    slices = open_dicom(scan_file(mr_slice(VOLUME)))
    assert [one.geometry for one in slices] == [None] * 9


def test_identifiers_are_those_of_the_file() -> None:
    assert only_slice(mr_slice(HEAD, number=7)).identity == Identity(
        study_instance_uid=uid_of("study"),
        series_instance_uid=uid_of("study", "series"),
        sop_instance_uid=uid_of("study", "series", 7),
        sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
    )
    frames = open_dicom(scan_file(enhanced_mr()))
    assert [one.identity and one.identity.frame_number for one in frames] == list(range(1, 10))


def test_what_the_header_says_of_the_acquisition_is_kept() -> None:
    given = mr_slice(
        HEAD, InversionTime="900", ContrastBolusAgent="Gadovist", SeriesDescription="AX T1 MPRAGE"
    )
    assert only_slice(given).acquisition == Acquisition(
        modality="MR",
        image_type=("ORIGINAL", "PRIMARY", "M", "NONE"),
        scanning_sequence=("GR",),
        sequence_variant=("MP",),
        echo_time_ms=2.9,
        repetition_time_ms=7.1,
        inversion_time_ms=900,
        flip_angle_degrees=9,
        described_as=frozenset({"t1", "mprage"}),
        contrast_agent=True,
    )
    enhanced = open_dicom(scan_file(enhanced_mr()))[0].acquisition
    assert (enhanced.echo_time_ms, enhanced.repetition_time_ms, enhanced.flip_angle_degrees) == (
        2.9,
        7.1,
        9,
    )
    assert enhanced.scanning_sequence == ("GR",)


def test_an_enhanced_image_says_its_sequence_in_other_words() -> None:
    dataset = enhanced_mr(AngioFlag=None)
    dataset.SteadyStatePulseSequence, dataset.TimeOfFlightContrast = "TIME_REVERSED", "YES"
    dataset.AcquisitionContrast = "FLUID_ATTENUATED"
    modifier = Dataset()
    modifier.MagnetizationTransfer, modifier.Spoiling = "ON_RESONANCE", "RF"
    dataset.SharedFunctionalGroupsSequence[0].MRModifierSequence = Sequence([modifier])
    given = open_dicom(scan_file(dataset))[0].acquisition
    assert given.sequence_variant == ("MTC", "SS", "TRSS", "SP")
    assert given.acquisition_contrast == "FLUID_ATTENUATED"
    assert given.shows_vessels
    plain = open_dicom(scan_file(enhanced_mr()))[0].acquisition
    assert (plain.sequence_variant, plain.acquisition_contrast) == ((), "T1")
    assert not plain.shows_vessels


def test_the_contrast_of_a_frame_counts_before_that_of_the_file() -> None:
    dataset = enhanced_mr()
    frame = dataset.PerFrameFunctionalGroupsSequence[0].MRImageFrameTypeSequence[0]
    frame.AcquisitionContrast = "DIFFUSION"
    contrasts = [one.acquisition.acquisition_contrast for one in open_dicom(scan_file(dataset))]
    assert contrasts[:2] == ["DIFFUSION", "T1"]


@pytest.mark.parametrize(("flag", "expected"), [("Y", True), ("N", False), (None, False)])
def test_an_angio_flag_says_that_vessels_are_shown(flag: str | None, expected: bool) -> None:
    assert only_slice(mr_slice(HEAD, AngioFlag=flag)).acquisition.shows_vessels is expected


@pytest.mark.parametrize(("agent", "expected"), [("", False), ("NONE", False), ("Gd", True)])
def test_an_empty_contrast_agent_says_nothing(agent: str, expected: bool) -> None:
    assert (
        only_slice(mr_slice(HEAD, ContrastBolusAgent=agent)).acquisition.contrast_agent is expected
    )


def test_the_digest_is_that_of_the_file() -> None:
    data = file_bytes(mr_slice(HEAD))
    assert shown(data).source.sha256 == hashlib.sha256(data).hexdigest()


def test_a_file_that_changes_between_header_and_pixels_is_refused() -> None:
    contents = [file_bytes(mr_slice(HEAD)), file_bytes(mr_slice(HEAD, number=2))]
    (one,) = open_dicom(ScanFile(name="x", read=lambda: contents.pop(0)))
    with pytest.raises(CorruptImage, match="has changed"):
        one.read()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"Rows": 9000}, InputOverLimit, "8192"),
        ({"Rows": 8}, UnsupportedImage, "16 a side"),
        ({"BitsAllocated": 1}, UnsupportedImage, "bits"),
        ({"BitsStored": 17}, UnsupportedImage, "bits"),
        ({"HighBit": 15}, UnsupportedImage, "upper bits"),
        ({"PhotometricInterpretation": "CMYK"}, UnsupportedImage, "MONOCHROME"),
        ({"NumberOfFrames": "5000"}, InputOverLimit, "5,000 frames"),
        ({"NumberOfFrames": "-1"}, CorruptImage, "negative"),
    ],
)
def test_headers_of_other_kinds_or_sizes_are_refused(
    changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        open_dicom(scan_file(mr_slice(HEAD, **changes)))


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_float_pixels_are_refused_by_name(keyword: str) -> None:
    dataset = mr_slice(HEAD, BitsAllocated=32, BitsStored=32, HighBit=31)
    del dataset.PixelData
    setattr(dataset, keyword, HEAD.astype(np.float32).tobytes())
    with pytest.raises(UnsupportedImage, match="float"):
        open_dicom(scan_file(dataset))


def test_more_frames_than_groups_are_refused() -> None:
    dataset = enhanced_mr()
    del dataset.PerFrameFunctionalGroupsSequence[8]
    with pytest.raises(CorruptImage, match="states 9 frames and describes 8"):
        open_dicom(scan_file(dataset))


def test_a_series_converted_by_highdicom_is_read_like_the_series() -> None:
    legacy = pytest.importorskip("highdicom.legacy")
    series = mr_series(WindowCenter="700", WindowWidth="1400", PixelRepresentation=0)
    converted = legacy.LegacyConvertedEnhancedMRImage(
        series, uid_of("converted"), 2, uid_of("converted", 1), 1
    )
    slices = open_dicom(scan_file(converted))
    found = sorted(slices, key=lambda one: one.geometry.position_mm if one.geometry else 0)
    assert len(found) == len(series)
    for frame, dataset in zip(found, series, strict=True):
        assert frame.geometry == only_slice(dataset).geometry
        np.testing.assert_array_equal(pixels(frame.read()), pixels(shown(dataset)))


def test_jpeg_is_never_left_to_pylibjpeg() -> None:
    """Its libjpeg decodes cut streams without a word; by this name only its openjpeg may be meant."""
    named = {decoder.name for decoder in DECODERS.values() if decoder.plugin == "pylibjpeg"}
    assert named == {name for name in named if name.startswith(("JPEG 2000", "HTJ2K"))}
    compressed_ones = [one for syntax, one in DECODERS.items() if ".1.2.4." in syntax]
    assert len(compressed_ones) == 11
    assert all(decoder.plugin for decoder in compressed_ones)  # left empty, pydicom would try each


@pytest.mark.parametrize(
    ("missing", "where", "syntax"),
    [
        ("pydicom", "edge_infer.dicom.quiet", "explicit"),
        ("jpeg_ls", "edge_infer.dicom.pixels", "jpeg-ls"),
        ("openjpeg", "edge_infer.dicom.pixels", "jpeg-2000"),
        ("pylibjpeg", "edge_infer.dicom.pixels", "jpeg-2000"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    missing: str, where: str, syntax: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{where}.find_spec", lambda name: None if name == missing else object())
    with pytest.raises(MissingDependency) as caught:
        open_dicom(scan_file(compressed(mr_slice(HEAD), syntax)))
    assert caught.value.hint == "pip install 'brain-edge[dicom]'"


def test_the_rooms_are_imported_without_their_packages() -> None:
    script = (
        "import sys, edge_infer.dicom.read, edge_infer.nifti.read;"
        "print(sorted({'pydicom', 'nibabel', 'gdcm', 'openjpeg', 'jpeg_ls'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.real_scans
@pytest.mark.parametrize(
    ("folder", "count"), [("siemens_transfer_syntaxes", 9), ("enhanced_mr", 5)]
)
def test_real_files_of_every_transfer_syntax_hold_the_same_values(
    folder: str, count: int, real_scans: Path
) -> None:
    """The mosaics are refused as slices, so their values are decoded below that."""
    found = []
    for path in sorted((real_scans / "dicom" / folder).glob("*.dcm")):
        content = parse(path.read_bytes(), path.name, with_pixels=True)
        frames = frames_of(content.header, path.name)
        found.append([stored_values(content, frame, path.name) for frame in frames])
    assert len(found) == count
    for one in found[1:]:
        np.testing.assert_array_equal(one, found[0])
