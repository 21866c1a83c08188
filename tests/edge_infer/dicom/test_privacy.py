"""No value of a header that may hold a name is shown: not in results, not in messages, not in logs or warnings."""

import io
import logging
import struct
import traceback
import warnings

import pydicom
import pytest
from dicom_files import compressed, drawn_volume, file_bytes, mr_slice, scan_file
from pydicom.datadict import DicomDictionary, tag_for_keyword
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element

from edge_infer.dicom.content import parse
from edge_infer.dicom.read import open_dicom
from edge_infer.errors import BrainError

HEAD = drawn_volume(slices=3, rows=48, columns=40)[1]
CANARY = "CANARY^JANE "
#: What must hold for a file to be read at all.
NEEDED = frozenset(
    {
        *("SOPClassUID", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelData"),
        *("PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames"),
        *("Modality", "BodyPartExamined", "ConversionType", "SpecificCharacterSet"),
    }
)
LOOKED_AT = [
    *("Rows", "BitsStored", "NumberOfFrames", "PixelRepresentation", "SOPClassUID", "Modality"),
    *("BodyPartExamined", "PhotometricInterpretation", "ConversionType", "SamplesPerPixel"),
    *("ImageType", "BurnedInAnnotation", "PixelPaddingValue", "ImagePositionPatient"),
    *("PixelSpacing", "WindowCenter", "RescaleSlope", "StudyInstanceUID", "SpecificCharacterSet"),
    *("ModalityLUTSequence", "VOILUTSequence", "SharedFunctionalGroupsSequence", "EchoTime"),
    *("PerFrameFunctionalGroupsSequence", "AnatomicRegionSequence", "PresentationLUTShape"),
    *("ScanningSequence", "SequenceVariant", "EchoPulseSequence", "VOILUTFunction"),
    *("SequenceName", "PulseSequenceName", "ContrastBolusAgent", "AcquisitionContrast"),
    *("SeriesDescription", "ProtocolName", "ComplexImageComponent", "LossyImageCompression"),
    *("Manufacturer", "ManufacturerModelName"),
]


def _planted(keywords: list[str], canary: str = CANARY) -> bytes:
    """Return a slice, implicit little endian, with a canary as the value of each attribute, whatever its kind."""
    window = {"WindowCenter": "700", "WindowWidth": "1400", "RescaleSlope": "1"}
    dataset = mr_slice(HEAD, canaries=False, **window)
    whole = file_bytes(compressed(dataset, "implicit"))
    start = 132 + 12 + struct.unpack_from("<I", whole, 140)[0]
    elements = {int(element.tag): element for element in dataset}
    value = canary.encode()
    parts = {}
    for tag in {*elements, *(int(tag_for_keyword(keyword) or 0) for keyword in keywords)}:
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, True
        if tag in elements:
            write_data_element(buffer, elements[tag])
        parts[tag] = buffer.getvalue()
    for keyword in keywords:
        tag = int(tag_for_keyword(keyword) or 0)
        parts[tag] = struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value
    return whole[:start] + b"".join(parts[tag] for tag in sorted(parts))


def _all_said(content: bytes, caplog: pytest.LogCaptureFixture) -> tuple[str, bool]:
    """Return everything that comes of reading a file, and whether it was read."""
    said, is_read = [], False
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        try:
            for one in open_dicom(scan_file(content)):
                said += [repr(one), repr(one.read())]
            is_read = True
        except BrainError as error:
            said += [str(error), "".join(traceback.format_exception(error))]
    said += [str(one.message) for one in caught]
    return "\n".join((*said, caplog.text)), is_read


def test_a_name_in_every_other_attribute_of_the_standard_is_shown_nowhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    keywords = sorted(
        {
            entry[4]
            for tag, entry in DicomDictionary.items()
            if 0x00080000 <= tag < 0x7FE00000 and "Group" not in entry[4]
        }
        - NEEDED
        - {""}
    )
    assert len(keywords) > 4000
    data = _planted(keywords)
    assert data.count(CANARY.encode()) == len(keywords)
    said, is_read = _all_said(data, caplog)
    printed = capfd.readouterr()
    assert is_read
    assert "slice.dcm" in said
    assert "CANARY" not in said + printed.out + printed.err
    assert "JANE" not in said + printed.out + printed.err


@pytest.mark.parametrize("canary", [CANARY, "CANARY JANE "])  # the second is a code string
@pytest.mark.parametrize("keyword", LOOKED_AT)
def test_a_name_in_an_attribute_that_is_looked_at_is_shown_nowhere(
    keyword: str, canary: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    said, _ = _all_said(_planted([keyword], canary), caplog)
    printed = capfd.readouterr()
    assert "slice.dcm" in said
    assert "CANARY" not in said + printed.out + printed.err
    assert "JANE" not in said + printed.out + printed.err


def test_pydicom_by_itself_shows_the_canary() -> None:
    """So the tests above can fail."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = pydicom.dcmread(io.BytesIO(_planted(["StudyInstanceUID"])))
        assert dataset.StudyInstanceUID == CANARY.strip()
    assert any("CANARY" in str(one.message) for one in caught)


def test_filters_of_the_host_do_not_bring_the_words_back(caplog: pytest.LogCaptureFixture) -> None:
    data = _planted(["StudyInstanceUID"])
    open_dicom(scan_file(data))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logging.getLogger("pydicom").setLevel(logging.DEBUG)
        open_dicom(scan_file(data))
    assert "CANARY" not in "".join(str(one.message) for one in caught) + caplog.text


def test_names_are_not_even_read() -> None:
    header = parse(
        _planted(["PatientName", "PatientID", "StudyDate"]), "x", with_pixels=True
    ).header
    assert "Rows" in header
    assert not {"PatientName", "PatientID", "StudyDate"} & set(header.dir())
