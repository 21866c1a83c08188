from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from dicom_files import drawn_volume, mr_series
from PIL import Image
from series_results import ALGORITHM, prediction, series_of

from edge_infer.classifier import Classifier
from edge_infer.errors import CannotWrite, UnsupportedImage
from edge_infer.series.result import SeriesResult
from edge_infer.structured.algorithm import algorithm_of
from edge_infer.structured.uids import IMPLEMENTATION_CLASS_UID, derived_uid, is_uid
from edge_infer.structured.write import write_results


def small(**changes: object) -> SeriesResult:
    return series_of(mr_series(drawn_volume(slices=9, rows=32, columns=32)), **changes)


def test_equal_input_gives_equal_files_and_a_second_run_adds_none(tmp_path: Path) -> None:
    first = write_results(small(), tmp_path, algorithm=ALGORITHM)
    content = {path.name: path.read_bytes() for path in first}
    second = write_results(small(), tmp_path, algorithm=ALGORITHM)
    assert second == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == content
    assert [path.name[:3] for path in first] == ["SR.", "OT.", "OT."]


def test_a_result_that_says_something_else_has_other_identifiers(tmp_path: Path) -> None:
    variants = [
        (small(), ALGORITHM, "ncit"),
        (small(), ALGORITHM, "sct"),
        (small(), replace(ALGORITHM, manifest_sha256="f" * 64), "ncit"),
        (small(), replace(ALGORITHM, version="9.8.8"), "ncit"),
        (small(rule="another rule"), ALGORITHM, "ncit"),
        (small(given=lambda *_: prediction("glioma")), ALGORITHM, "ncit"),
        (series_of(mr_series(drawn_volume(slices=10, rows=32, columns=32))), ALGORITHM, "ncit"),
        (
            series_of(mr_series(drawn_volume(slices=9, rows=32, columns=32), PatientID="B")),
            ALGORITHM,
            "ncit",
        ),
    ]
    names: set[str] = set()
    for number, (result, algorithm, codes) in enumerate(variants):
        paths = write_results(
            result,
            tmp_path / str(number),
            algorithm=algorithm,
            codes=codes,  # type: ignore[arg-type]
        )
        found = {path.name for path in paths}
        assert not found & names
        names |= found


def test_a_contact_sheet_comes_first_and_never_has_the_identifier_of_a_slice(
    tmp_path: Path,
) -> None:
    sheet = Image.new("RGB", (900, 600))
    plain = write_results(small(), tmp_path / "plain", algorithm=ALGORITHM)
    with_sheet = write_results(small(), tmp_path / "sheet", algorithm=ALGORITHM, sheet=sheet)
    assert [pydicom.dcmread(path).Columns for path in with_sheet[1:]] == [900, 512, 512]
    assert plain[0].name == with_sheet[0].name
    assert not {path.name for path in plain[1:]} & {path.name for path in with_sheet[1:]}


def test_a_contact_sheet_alone_is_enough_where_no_slice_speaks_for_a_tumour(tmp_path: Path) -> None:
    sheet = Image.new("RGB", (900, 600))
    result = small(given=lambda *_: prediction("no_tumor"), finding="no_tumour_evidence", label="")
    assert len(write_results(result, tmp_path, algorithm=ALGORITHM, sheet=sheet)) == 2


def test_the_last_decimals_of_a_probability_do_not_make_another_result(tmp_path: Path) -> None:
    a = small(given=lambda *_: prediction("glioma", 0.9))
    b = small(given=lambda *_: prediction("glioma", 0.9 + 1e-9))
    first = write_results(a, tmp_path, algorithm=ALGORITHM)
    assert write_results(b, tmp_path, algorithm=ALGORITHM) == first


def test_identifiers_are_valid_and_differ_between_objects_and_series(tmp_path: Path) -> None:
    read = [pydicom.dcmread(path) for path in write_results(small(), tmp_path, algorithm=ALGORITHM)]
    for dataset in read:
        assert all(is_uid(uid) for uid in (dataset.SOPInstanceUID, dataset.SeriesInstanceUID))
        assert dataset.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
        assert dataset.SOPInstanceUID.startswith("2.25.")
    assert len({dataset.SOPInstanceUID for dataset in read}) == 3
    assert len({dataset.SeriesInstanceUID for dataset in read}) == 2
    assert [dataset.SeriesNumber for dataset in read] == [191, 192, 192]


def test_content_date_and_time_are_those_of_the_study(tmp_path: Path) -> None:
    for path in write_results(small(), tmp_path, algorithm=ALGORITHM):
        dataset = pydicom.dcmread(path)
        assert (dataset.ContentDate, dataset.ContentTime) == (dataset.StudyDate, dataset.StudyTime)
        assert "InstanceCreationDate" not in dataset


def test_nifti_has_no_patient_and_study_so_nothing_is_written(tmp_path: Path) -> None:
    result = small()
    slices = tuple(
        replace(answer, slice=replace(answer.slice, identity=None)) for answer in result.slices
    )
    with pytest.raises(UnsupportedImage, match="NIfTI") as caught:
        write_results(replace(result, slices=slices), tmp_path / "out", algorithm=ALGORITHM)
    assert "JSON" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_series_without_an_identifier_gets_no_result(tmp_path: Path) -> None:
    datasets = mr_series(drawn_volume(slices=4, rows=32, columns=32), StudyInstanceUID=None)
    with pytest.raises(UnsupportedImage, match="study_instance_uid is missing"):
        write_results(series_of(datasets), tmp_path, algorithm=ALGORITHM)


def test_identifiers_that_begin_a_part_with_zero_are_repeated_as_they_are(tmp_path: Path) -> None:
    from pydicom.config import IGNORE
    from pydicom.dataelem import DataElement

    datasets = mr_series(drawn_volume(slices=4, rows=32, columns=32))
    for dataset in datasets:
        dataset.add(DataElement("StudyInstanceUID", "UI", "1.2.03.4", validation_mode=IGNORE))
    path = write_results(series_of(datasets), tmp_path, algorithm=ALGORITHM)[0]
    assert b"1.2.03.4" in path.read_bytes()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotWrite, match="file"):
        write_results(small(), tmp_path / "file" / "out", algorithm=ALGORITHM)


def test_the_algorithm_is_that_of_the_classifier(bundle_path: Path) -> None:
    classifier = Classifier.load(bundle_path, scope="report")
    algorithm = algorithm_of(classifier)
    assert algorithm.manifest_sha256 == classifier.model.manifest_sha256
    assert algorithm.temperature == classifier.bundle.temperature
    assert algorithm.scope == "report"
    assert "32 x 32" in algorithm.preprocessing


def test_identifiers_of_parts_are_not_those_of_their_concatenation() -> None:
    assert derived_uid("ab", "c") != derived_uid("a", "bc")
    assert derived_uid("ab", "c") == derived_uid("ab", "c")
