"""Which DICOM files are refused, by name, and what overrules it."""

import numpy as np
import pytest
from dicom_files import (
    compressed,
    drawn_volume,
    enhanced_mr,
    file_bytes,
    mosaic,
    mr_slice,
    scan_file,
    secondary_capture,
    three_planes,
)
from pydicom.dataset import FileDataset
from shown_scans import only_slice, outcome, refusal_of, shown

from edge_infer.dicom.read import open_dicom
from edge_infer.errors import CorruptImage, ScanRefused
from edge_infer.refusals import OVERRULABLE
from edge_infer.series.sequence import guess_sequence

HEAD = drawn_volume()[4]
STORAGE = "1.2.840.10008.5.1.4.1.1."


def _typed(*words: str) -> FileDataset:
    return mr_slice(HEAD, ImageType=["ORIGINAL", "PRIMARY", *words])


def _without_pixels(sop_class: str) -> FileDataset:
    dataset = mr_slice(HEAD, sop_class=sop_class)
    for keyword in ("Rows", "Columns", "PixelData", "Modality"):
        delattr(dataset, keyword)
    return dataset


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("M", "ND"), "read"),
        (("M_FFE", "M", "FFE"), "read"),
        (("M", "NORM", "DIS2D"), "read"),
        (("OTHER", "IN_PHASE"), "read"),
        (("T1", "NONE"), "read"),
        ((), "read"),
        (("P", "ND"), "phase_image"),
        (("PHASE MAP", "P", "FFE"), "phase_image"),
        (("R_IR", "R", "IR"), "phase_image"),
        (("IMAGINARY",), "phase_image"),
        (("LOCALIZER",), "localizer"),
        (("MPR",), "reformatted"),
        (("PROJECTION IMAGE",), "projection"),
        (("MIP", "SUM"), "projection"),
        (("DIFFUSION", "ADC", "ND"), "derived_map"),
        (("T1 MAP",), "derived_map"),
        (("RCBV",), "derived_map"),
        (("SUBTRACT",), "derived_map"),
        (("RELCBF",), "derived_map"),
        (("MNIP",), "projection"),
        (("SCREEN SAVE",), "secondary_capture"),
        (("POSDISP",), "secondary_capture"),
    ],
)
def test_image_type_tells_what_is_no_ordinary_image(words: tuple[str, ...], expected: str) -> None:
    assert refusal_of(_typed(*words)) == expected


def test_a_derived_secondary_image_is_no_reason_to_refuse() -> None:
    assert refusal_of(mr_slice(HEAD, ImageType=["DERIVED", "SECONDARY"])) == "read"


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_the_private_image_type_of_ge_tells_phase_images(kind: int) -> None:
    dataset = mr_slice(HEAD)
    dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", kind)
    assert refusal_of(dataset) == "phase_image"
    dataset[0x0043, 0x102F].value = 0
    assert refusal_of(dataset) == "read"


@pytest.mark.parametrize("block", [0x11, 0x12, 0xFF])
@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_private_attributes_are_found_in_any_block_of_their_creator(
    block: int, syntax: str
) -> None:
    def private(group: int, creator: str, element: int, vr: str, value: int) -> str:
        dataset = mr_slice(HEAD)
        dataset.add_new((group, 0x10), "LO", "SOMEBODY ELSE")
        dataset.add_new((group, 0x1000 | element), vr, 0)
        dataset.add_new((group, block), "LO", creator)
        dataset.add_new((group, block << 8 | element), vr, value)
        return refusal_of(compressed(dataset, syntax))

    assert private(0x0043, "GEMS_PARM_01", 0x2F, "SS", 1) == "phase_image"
    assert private(0x0043, "GEMS_PARM_01", 0x2F, "SS", 0) == "read"
    assert private(0x0043, "NOT GE", 0x2F, "SS", 1) == "read"
    assert private(0x0019, "SIEMENS MR HEADER", 0x0A, "US", 36) == "mosaic"
    assert private(0x0019, "NOT SIEMENS", 0x0A, "US", 36) == "read"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"SeriesDescription": "localizer"}, "localizer"),
        ({"SeriesDescription": "AAHead_Scout"}, "localizer"),
        ({"SeriesDescription": "3-pl T2* FGRE S"}, "localizer"),
        ({"SeriesDescription": "Übersicht"}, "localizer"),
        ({"SeriesDescription": None, "ProtocolName": "Survey"}, "localizer"),
        ({"SeriesDescription": "sag", "ProtocolName": "localizer"}, "localizer"),
        # A protocol may be that of the whole examination.
        ({"SeriesDescription": "Ax T1 BRAVO", "ProtocolName": "Brain 3-plane loc"}, "read"),
        ({"SeriesDescription": "t1_se_tra", "ProtocolName": "t1_se_tra"}, "read"),
    ],
)
def test_a_localizer_is_told_by_its_name_too(texts: dict[str, str | None], expected: str) -> None:
    dataset = mr_slice(HEAD, **texts)
    assert refusal_of(dataset) == expected
    assert refusal_of(dataset, despite=("localizer",)) == "read"


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (("count",), "mosaic"),
        (("word", "matrix"), "mosaic"),
        (("word",), "mosaic"),  # echo planar: mosaics are nothing else
        (("csa",), "read"),
        (("matrix",), "read"),
    ],
)
def test_a_mosaic_is_told_by_any_sign_that_archives_leave(
    signs: tuple[str, ...], expected: str
) -> None:
    assert refusal_of(mosaic(signs)) == expected


def test_the_word_mosaic_alone_is_no_proof() -> None:
    one = only_slice(_typed("M", "ND", "MOSAIC"))
    assert any("MOSAIC" in warning for warning in one.warnings)
    volume = enhanced_mr(frame_type=("ORIGINAL", "PRIMARY", "M", "MOSAIC"))
    assert refusal_of(volume) == "read"


def test_a_mosaic_cannot_be_overruled() -> None:
    assert refusal_of(mosaic(), despite=tuple(OVERRULABLE)) == "mosaic"
    with pytest.raises(ValueError, match="mosaic"):
        open_dicom(scan_file(mosaic()), despite={"mosaic"})


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("BRAIN", "read"),
        ("HEAD", "read"),
        ("HEADNECK", "read"),
        ("SKULL", "read"),
        ("PITUITARY", "read"),
        ("", "read"),
        ("UNKNOWN", "read"),
        ("KNEE", "other_body_part"),
        ("ABDOMEN", "other_body_part"),
        ("LSPINE", "other_body_part"),
    ],
)
def test_another_part_of_the_body_is_refused(part: str, expected: str) -> None:
    assert refusal_of(mr_slice(HEAD, BodyPartExamined=part)) == expected


def test_a_missing_part_of_the_body_is_a_warning() -> None:
    one = only_slice(mr_slice(HEAD, BodyPartExamined=None))
    assert one.warnings == ("the header does not say which part of the body",)
    assert only_slice(mr_slice(HEAD)).warnings == ()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("4", "read"),
        ("2", "other_modality"),
        ("128", "other_modality"),
        ("6.1", "other_modality"),
        ("7", "secondary_capture"),
        ("7.2", "secondary_capture"),
        ("66.4", "not_an_image"),
        ("30", "not_an_image"),
        ("481.2", "not_an_image"),
    ],
)
def test_storage_classes_with_pixels_are_read_or_refused(kind: str, expected: str) -> None:
    assert refusal_of(mr_slice(HEAD, sop_class=STORAGE + kind)) == expected


@pytest.mark.parametrize("kind", ["88.33", "481.5", "9.1.1", "104.1", "11.1", "66", "99999"])
def test_what_holds_no_image_is_named(kind: str) -> None:
    with pytest.raises(ScanRefused) as caught:
        open_dicom(scan_file(_without_pixels(STORAGE + kind)))
    assert caught.value.refusal == "not_an_image"
    assert "DICOM" in caught.value.message


def test_another_modality_than_its_class_is_refused() -> None:
    assert refusal_of(mr_slice(HEAD, Modality="CT")) == "other_modality"
    assert (
        "the header does not say which modality"
        in only_slice(mr_slice(HEAD, Modality=None)).warnings
    )


@pytest.mark.parametrize("modality", ["CT", "PT", "NM", "US", "XA", "OT", "SC", "REG"])
def test_a_modality_of_the_standard_is_kept_and_makes_another_sequence(modality: str) -> None:
    one = only_slice(mr_slice(HEAD, Modality=modality), despite=("other_modality",))
    assert one.acquisition.modality == modality
    assert guess_sequence(one.acquisition).name == "other"


@pytest.mark.parametrize("modality", ["CANARY", "DOE JANE", "MRX"])
def test_a_modality_that_the_standard_does_not_know_is_kept_nowhere(modality: str) -> None:
    assert refusal_of(mr_slice(HEAD, Modality=modality)) == "other_modality"
    one = only_slice(mr_slice(HEAD, Modality=modality), despite=("other_modality",))
    assert one.acquisition.modality == ""
    assert modality not in repr(one)


def test_captures_and_burnt_in_text_are_refused_by_any_sign() -> None:
    assert refusal_of(secondary_capture()) == "secondary_capture"
    assert refusal_of(mr_slice(HEAD, ConversionType="WSD")) == "secondary_capture"
    assert refusal_of(mr_slice(HEAD, ConversionType="")) == "read"
    assert refusal_of(mr_slice(HEAD, BurnedInAnnotation="YES")) == "burned_in_text"
    assert refusal_of(mr_slice(HEAD, BurnedInAnnotation="NO")) == "read"


@pytest.mark.parametrize(
    ("dataset", "refusal"),
    [
        (_typed("LOCALIZER"), "localizer"),
        (_typed("MPR"), "reformatted"),
        (mr_slice(HEAD, BodyPartExamined="KNEE"), "other_body_part"),
        (mr_slice(HEAD, sop_class=STORAGE + "2"), "other_modality"),
        (mr_slice(HEAD, BurnedInAnnotation="YES"), "burned_in_text"),
        (secondary_capture(BodyPartExamined="HEAD"), "secondary_capture"),
    ],
)
def test_what_is_overruled_is_read_with_a_warning(dataset: FileDataset, refusal: str) -> None:
    with pytest.raises(ScanRefused) as caught:
        only_slice(dataset)
    assert refusal in caught.value.hint
    one = only_slice(dataset, despite=(refusal,))
    assert any(refusal in warning for warning in one.warnings)
    assert one.read().source.image.getextrema() == (0, 255)


def test_one_refusal_overruled_leaves_the_others() -> None:
    dataset = mr_slice(HEAD, BodyPartExamined="KNEE", ImageType=["DERIVED", "SECONDARY", "MPR"])
    assert refusal_of(dataset, despite=("reformatted",)) == "other_body_part"


def test_colours_of_a_capture_turn_grey_and_those_of_an_mr_are_refused() -> None:
    grey = (HEAD // 6).astype(np.uint8)
    colours = np.stack([grey] * 3, axis=-1)
    colours[40:80, 40:80, 1:] = 0  # a red square
    one = shown(secondary_capture(colours), despite=("secondary_capture",))
    assert one.grey == "colours turned grey"
    assert one.source.coloured > 0.03
    dataset = secondary_capture(colours)
    dataset.SOPClassUID = STORAGE + "4"
    dataset.ConversionType, dataset.Modality = "", "MR"
    assert refusal_of(dataset, despite=tuple(OVERRULABLE)) == "colour"


def test_a_dicomdir_is_refused_with_what_to_give_instead() -> None:
    dataset = _without_pixels(STORAGE + "4")
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    del dataset.SOPClassUID
    with pytest.raises(ScanRefused, match="DICOMDIR") as caught:
        open_dicom(scan_file(dataset))
    assert caught.value.refusal == "dicomdir"
    assert "folder" in caught.value.hint


def test_a_localizer_of_three_planes_is_refused_slice_by_slice() -> None:
    assert [refusal_of(dataset) for dataset in three_planes()] == ["localizer"] * 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"A text that is read as DICOM by force.\n" * 100,
        bytes(1000),
        bytes(128) + b"DICM",
        file_bytes(mr_slice(HEAD))[:600],
    ],
)
def test_what_is_no_dicom_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptImage):
        open_dicom(scan_file(data))


def test_an_image_without_pixels_is_cut_short() -> None:
    dataset = mr_slice(HEAD)
    del dataset.PixelData
    assert outcome(dataset) == "corrupt"


def test_frames_of_another_kind_within_a_file_are_left_out_with_a_word() -> None:
    dataset = enhanced_mr()
    for frame in dataset.PerFrameFunctionalGroupsSequence[5:]:
        frame.MRImageFrameTypeSequence[0].FrameType = ["ORIGINAL", "PRIMARY", "P", "NONE"]
    slices = open_dicom(scan_file(dataset))
    assert [one.identity and one.identity.frame_number for one in slices] == [1, 2, 3, 4, 5]
    assert "4 of 9 frames of the file are left out (phase_image)" in slices[0].warnings
    assert slices[4].read().source.image.size == (136, 160)
