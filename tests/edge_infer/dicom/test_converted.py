"""What legacy converted images keep among their unassigned attributes is read from there."""

from typing import Any

import pytest
from dicom_files import LEGACY_ENHANCED_MR, drawn_volume, enhanced_mr, mr_slice, scan_file
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from shown_scans import refusal_of

from edge_infer.dicom.read import open_dicom
from edge_infer.scan_slice import Acquisition
from edge_infer.series.sequence import guess_sequence

SHARED = "UnassignedSharedConvertedAttributesSequence"
OWN = "UnassignedPerFrameConvertedAttributesSequence"
PLACES = pytest.mark.parametrize("place", [SHARED, OWN])


def _legacy(place: str, item: Dataset | None = None, **attributes: Any) -> FileDataset:
    dataset = enhanced_mr(sop_class=LEGACY_ENHANCED_MR, frame_type=("ORIGINAL", "PRIMARY", "M"))
    del dataset.SeriesDescription
    del dataset.EchoPulseSequence, dataset.AcquisitionContrast
    shared = dataset.SharedFunctionalGroupsSequence[0]
    del shared.MREchoSequence, shared.MRTimingAndRelatedParametersSequence
    item = Dataset() if item is None else item
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    groups = [shared] if place == SHARED else dataset.PerFrameFunctionalGroupsSequence
    for group in groups:
        setattr(group, place, Sequence([item]))
    return dataset


def _acquisition(dataset: FileDataset) -> Acquisition:
    return open_dicom(scan_file(dataset))[2].acquisition


@PLACES
def test_times_and_code_words_are_read(place: str) -> None:
    given = _acquisition(
        _legacy(
            place,
            ScanningSequence=["SE", "IR"],
            SequenceVariant=["SK", "MTC"],
            EchoTime="120",
            RepetitionTime="9000",
            InversionTime="2500",
            FlipAngle="150",
            ContrastBolusAgent="GADO",
            AngioFlag="Y",
            SequenceName="*tir2d1",
            ProtocolName="t2_flair",
        )
    )
    assert given.scanning_sequence == ("SE", "IR")
    assert given.sequence_variant == ("SK", "MTC")
    assert (given.echo_time_ms, given.repetition_time_ms) == (120, 9000)
    assert (given.inversion_time_ms, given.flip_angle_degrees) == (2500, 150)
    assert given.contrast_agent
    assert given.shows_vessels
    assert {"t2", "flair"} <= given.described_as


@PLACES
@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"EchoTime": "100", "RepetitionTime": "4000", "ScanningSequence": "SE"}, "t2"),
        ({"EchoTime": "120", "RepetitionTime": "9000", "InversionTime": "2500"}, "flair"),
        ({"EchoTime": "90", "ScanningSequence": ["EP", "SE"]}, "epi"),
        ({"EchoTime": "12", "RepetitionTime": "500", "ScanningSequence": "SE"}, "t1"),
        ({}, "unknown"),
    ],
)
def test_the_sequence_is_that_of_the_classic_files(
    place: str, attributes: dict[str, Any], name: str
) -> None:
    assert guess_sequence(_acquisition(_legacy(place, **attributes))).name == name


@PLACES
@pytest.mark.parametrize(
    ("attributes", "refusal"),
    [
        ({"ConversionType": "WSD"}, "secondary_capture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "secondary_capture"),
        ({"BurnedInAnnotation": "YES"}, "burned_in_text"),
        ({"Modality": "CT"}, "other_modality"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "phase_image"),
        ({"ImageType": ["DERIVED", "PRIMARY", "M", "ND", "MPR"]}, "reformatted"),
        ({"BodyPartExamined": "KNEE"}, "other_body_part"),
        ({"ProtocolName": "AAHead_Scout"}, "localizer"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "MOSAIC"], "ScanningSequence": "EP"}, "mosaic"),
        ({"ConversionType": "", "BurnedInAnnotation": "NO", "Modality": "MR"}, "read"),
    ],
)
def test_the_gate_looks_there(place: str, attributes: dict[str, Any], refusal: str) -> None:
    assert refusal_of(_legacy(place, **attributes)) == refusal


@PLACES
def test_private_attributes_are_read_there(place: str) -> None:
    item = Dataset()
    item.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 1)
    assert refusal_of(_legacy(place, item)) == "phase_image"


@PLACES
def test_grey_levels_follow_it(place: str) -> None:
    item = Dataset()
    item.WindowCenter, item.WindowWidth, item.PresentationLUTShape = "500", "900", "INVERSE"
    dataset = _legacy(place, item)
    del dataset.PresentationLUTShape
    one = open_dicom(scan_file(dataset))[2].read()
    assert one.grey == "window of the header (centre 500, width 900, LINEAR), inverted"


def test_a_functional_group_counts_before_and_an_empty_value_counts_as_none() -> None:
    dataset = _legacy(SHARED, EchoTime="100", RepetitionTime="4000", FlipAngle="9")
    group = Dataset()
    group.RepetitionTime, group.FlipAngle = "500", None
    timing = "MRTimingAndRelatedParametersSequence"
    setattr(dataset.SharedFunctionalGroupsSequence[0], timing, Sequence([group]))
    given = _acquisition(dataset)
    assert (given.repetition_time_ms, given.flip_angle_degrees) == (500, 9)


def test_a_classic_file_has_none() -> None:
    assert refusal_of(mr_slice(drawn_volume()[4])) == "read"
