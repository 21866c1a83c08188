import pytest
from dicom_files import drawn_volume, file_bytes, mr_series, scan_file
from identity_cases import CHARACTER_SET, KEPT, NAME, OTHERS, REPAIRED, results_for
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from series_results import ALGORITHM, dicom_slices, series_of, series_result

from edge_infer.errors import CorruptImage, DataRefused
from edge_infer.structured.document import as_file
from edge_infer.structured.identity import COPIED
from edge_infer.structured.write import build_results


@pytest.mark.parametrize("case", KEPT)
def test_a_name_keeps_its_bytes_and_its_character_set(case: str) -> None:
    terms, name = KEPT[case]
    for dataset in results_for({CHARACTER_SET: terms, NAME: name}):
        written = as_file(dataset)
        for start, value in ((b"\x10\0\x10\0PN", name), (b"\x08\0\x05\0CS", terms)):
            even = value + b" " * (len(value) % 2)
            assert start + len(even).to_bytes(2, "little") + even in written


@pytest.mark.parametrize("case", REPAIRED)
def test_a_name_that_is_not_valid_is_made_so(case: str) -> None:
    terms, name, expected = REPAIRED[case]
    for dataset in results_for({CHARACTER_SET: terms, NAME: name}):
        assert dataset.PatientName == expected


@pytest.mark.parametrize("case", OTHERS)
def test_other_values_are_kept_if_valid_and_else_left_empty_and_identifiers_are_never_cut(
    case: str,
) -> None:
    tag, value, keyword, expected = OTHERS[case]
    for dataset in results_for({tag: value}):
        assert dataset[keyword].value == expected


def test_the_bytes_of_gbk_are_those_of_gb18030_which_more_systems_know() -> None:
    name = "Wang^XiaoDong=王^小东".encode("gbk")
    (report, *_) = results_for({CHARACTER_SET: b"GBK", NAME: name})
    assert report.SpecificCharacterSet == "GB18030"
    assert report.PatientName == "Wang^XiaoDong=王^小东"


def test_a_result_belongs_to_the_patient_and_study_of_its_source() -> None:
    datasets = mr_series(drawn_volume(slices=4, rows=32, columns=32))
    for dataset in build_results(series_of(datasets), ALGORITHM):
        for keyword, _, _ in COPIED:
            assert dataset[keyword].value == datasets[0][keyword].value, keyword
        assert dataset.StudyInstanceUID == datasets[0].StudyInstanceUID
        assert dataset.SeriesInstanceUID != datasets[0].SeriesInstanceUID
        assert dataset.ReferringPhysicianName == ""


def test_what_the_source_lacks_is_there_and_empty() -> None:
    datasets = mr_series(drawn_volume(slices=4, rows=32, columns=32), canaries=False)
    for dataset in datasets:
        del dataset.PatientSex
    for dataset in build_results(series_of(datasets), ALGORITHM):
        assert all(not dataset[keyword].value for keyword, _, _ in COPIED)
        assert (dataset.ContentDate, dataset.ContentTime) == ("19000101", "000000")


def planted(dataset: Dataset) -> dict[str, bytes]:
    """Plant a text into every attribute of the dictionary that can hold one, also in a sequence and a private block."""
    kept = {tag for _, tag, _ in COPIED} | {CHARACTER_SET}
    technical = {0x00080008, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E}
    canaries = {}
    inner = Dataset()
    for tag, (kind, _, _, _, keyword) in DicomDictionary.items():
        is_meta = tag >> 16 in (0x0000, 0x0002, 0x0004)
        if kind not in ("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "CS", "DA") or is_meta:
            continue
        if tag in kept | technical or tag >> 16 >= 0x7FE0:
            continue
        number = len(canaries)
        value = f"C{number:04d}NARY" if kind != "DA" else f"{1600 + number % 299:04d}0131"
        canaries[keyword] = value.encode()
        (inner if number % 3 == 0 else dataset).add(DataElement(tag, kind, value))
    dataset.RequestAttributesSequence = [inner]
    dataset.private_block(0x0099, "CANARY MAKER", create=True).add_new(0x01, "LO", "PRIVATE CANARY")
    return {**canaries, "private": b"PRIVATE CANARY", "maker": b"CANARY MAKER"}


def test_nothing_else_of_the_source_gets_into_a_result() -> None:
    datasets = mr_series(drawn_volume(slices=4, rows=32, columns=32), PatientID="KEPT-IDENTIFIER")
    for dataset in datasets:
        canaries = planted(dataset)
    assert len(canaries) > 200
    source = file_bytes(datasets[0])
    assert all(canary in source for canary in canaries.values())
    for dataset in build_results(series_of(datasets), ALGORITHM):
        written = as_file(dataset)
        assert b"KEPT-IDENTIFIER" in written
        assert [keyword for keyword, canary in canaries.items() if canary in written] == []


def test_a_series_whose_files_name_two_patients_gets_no_result() -> None:
    datasets = mr_series(drawn_volume(slices=4, rows=32, columns=32))
    datasets[2].PatientID = "ANOTHER-CANARY"
    with pytest.raises(DataRefused, match="2 patients") as caught:
        build_results(series_of(datasets), ALGORITHM)
    assert "CANARY" not in str(caught.value)


def test_a_file_that_was_exchanged_since_gets_no_result() -> None:
    datasets = mr_series(drawn_volume(slices=4, rows=32, columns=32))
    content = [file_bytes(dataset) for dataset in datasets]
    slices = dicom_slices([scan_file(one, f"{n}.dcm") for n, one in enumerate(content)])
    others = [file_bytes(one) for one in mr_series(drawn_volume(slices=4), study="another")]
    held = {id(one.file): other for one, other in zip(slices, others, strict=True)}
    for one in slices:
        object.__setattr__(one.file, "read", lambda file=one.file: held[id(file)])
    with pytest.raises(CorruptImage, match="another object"):
        build_results(series_result(slices), ALGORITHM)
