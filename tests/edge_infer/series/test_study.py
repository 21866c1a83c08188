"""Files become series, whatever they are called and wherever they lie, and nothing is lost unsaid."""

import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_files import (
    CORONAL,
    enhanced_mr,
    file_bytes,
    mosaic,
    mr_series,
    mr_slice,
    three_planes,
    write_files,
)
from tiny_bundle import GOLDEN, scan

from edge_infer.errors import (
    CorruptImage,
    MissingDependency,
    NoInputs,
    ScanRefused,
    UnreadableInput,
    UnsupportedImage,
)
from edge_infer.scan_slice import ScanFile
from edge_infer.series import study as study_module
from edge_infer.series.study import Study, open_study

VOLUME = np.stack([GOLDEN[number % 4] for number in range(6)]).astype(np.uint16)


def lengths(study: Study) -> list[int]:
    return [len(series.slices) for series in study.series]


def test_two_series_in_one_folder_are_two(tmp_path: Path) -> None:
    files = [*mr_series(VOLUME, series="a"), *mr_series(VOLUME[:4], series="b")]
    files = files[1::2] + files[::2]
    write_files(tmp_path, files)
    study = open_study([tmp_path])
    assert sorted(lengths(study)) == [4, 6]
    for number, series in enumerate(study.series, start=1):
        assert series.number == number
        assert len({one.identity.series_instance_uid for one in series.slices if one.identity}) == 1
        assert series.plane == "axial"
        assert series.has_places


def test_one_series_in_two_folders_is_one(tmp_path: Path) -> None:
    files = mr_series(VOLUME)
    write_files(tmp_path / "a", files[::2])
    write_files(tmp_path / "b" / "deeper", files[1::2])
    (series,) = open_study([tmp_path]).series
    positions = [one.geometry.position_mm for one in series.slices if one.geometry]
    assert positions == sorted(positions)
    assert len(positions) == 6


def test_the_same_series_of_two_studies_is_two(tmp_path: Path) -> None:
    """A series identifier that two studies share is wrong, and no reason to mix two patients."""
    one, other = mr_series(VOLUME, study="a"), mr_series(VOLUME, study="b")
    for dataset in other:
        dataset.SeriesInstanceUID = one[0].SeriesInstanceUID
    write_files(tmp_path, [*one, *other])
    assert lengths(open_study([tmp_path])) == [6, 6]


def test_names_and_endings_do_not_matter(tmp_path: Path) -> None:
    for name, dataset in zip(
        ["IM1", "1.2.840.1", "x.ima", "noend.", "x.DCM", "z.txt"], mr_series(VOLUME), strict=True
    ):
        (tmp_path / name).write_bytes(file_bytes(dataset))
    assert lengths(open_study([tmp_path])) == [6]


def test_hidden_files_are_passed_by_and_others_are_counted(tmp_path: Path) -> None:
    write_files(tmp_path, mr_series(VOLUME))
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "._slice001.dcm").write_bytes(b"x")
    (tmp_path / "report.txt").write_text("no scan")
    (tmp_path / "letter.zip").write_bytes(b"PK\x03\x04 a document of an office")
    scan().save(tmp_path / "photo.png")
    study = open_study([tmp_path])
    assert lengths(study) == [6]
    assert study.refused == ()
    assert "1 without an image's ending (report.txt)" in study.left_out
    assert "1 ZIP archives in a folder: name them to read them (letter.zip)" in study.left_out
    assert "1 no scans (photo.png)" in study.left_out
    assert "DS_Store" not in study.left_out


def test_refused_files_do_not_stop_the_others(tmp_path: Path) -> None:
    write_files(tmp_path, [*mr_series(VOLUME), mosaic()])
    (tmp_path / "cut.dcm").write_bytes(file_bytes(mr_slice(VOLUME[0]))[:300])
    (tmp_path / "survey.dcm").write_bytes(file_bytes(three_planes()[0]))
    study = open_study([tmp_path])
    assert lengths(study) == [6]
    kinds = {type(refused.error) for refused in study.refused}
    assert len(study.refused) == 3
    assert kinds <= {CorruptImage, ScanRefused}
    assert ScanRefused in kinds
    despite = open_study([tmp_path], despite=["localizer"])
    assert sorted(lengths(despite)) == [1, 6]


def test_refused_files_are_not_held_in_memory(tmp_path: Path) -> None:
    (tmp_path / "0.dcm").write_bytes(bytes(128) + b"DICM" + bytes(1000))
    (refused,) = open_study(tmp_path).refused
    # Frames would hold the content of the file.
    assert (refused.error.__traceback__, refused.error.__context__) == (None, None)


def test_a_survey_of_three_planes_is_never_one_stack(tmp_path: Path) -> None:
    write_files(tmp_path, three_planes())
    study = open_study([tmp_path], despite=["localizer"])
    assert lengths(study) == [1, 1, 1]
    assert {series.plane for series in study.series} == {"axial", "coronal", "sagittal"}


def test_sizes_and_directions_are_told_by_headers(tmp_path: Path) -> None:
    large = np.kron(VOLUME[:2], np.ones((1, 2, 2), dtype=np.uint16))
    files = [*mr_series(VOLUME), *mr_series(large), *mr_series(VOLUME[:3], orientation=CORONAL)]
    for number, dataset in enumerate(files):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{number + 1}"
    write_files(tmp_path, files)
    assert lengths(open_study([tmp_path])) == [6, 3, 2]


def test_a_file_of_several_frames_is_a_series(tmp_path: Path) -> None:
    path = tmp_path / "enhanced"
    path.write_bytes(file_bytes(enhanced_mr(VOLUME)))
    (series,) = open_study([path]).series
    frames = [one.identity.frame_number for one in series.slices if one.identity]
    assert frames == [1, 2, 3, 4, 5, 6]
    assert series.slices[0].name == f"{path}#1"


def test_a_volume_is_a_series_of_its_own(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii"):
        data = VOLUME.transpose(2, 1, 0).astype(np.int16)
        nib.save(nib.Nifti1Image(data, np.diag([-1.0, -1.0, 4.0, 1.0])), tmp_path / name)
    study = open_study([tmp_path])
    assert lengths(study) == [6, 6]
    assert all(series.series_instance_uid == "" for series in study.series)


def test_folder_file_and_archive_give_the_same_series(tmp_path: Path) -> None:
    write_files(tmp_path / "study", mr_series(VOLUME))
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for path in (tmp_path / "study").iterdir():
            archive.write(path, f"deep/er/{path.name}")
    ways = [[tmp_path / "study"], [tmp_path / "study.zip"], sorted((tmp_path / "study").iterdir())]
    found = []
    for way in ways:
        (series,) = open_study(way).series
        found.append([one.read().source.sha256 for one in series.slices])
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 6
    both = open_study([tmp_path / "study", tmp_path / "study.zip"])
    assert lengths(both) == [6]
    assert "left out as copies: 6 slices" in both.series[0].warnings[0]


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no scan")
    with pytest.raises(NoInputs, match=r"left out: 1 without .*notes\.txt"):
        open_study([tmp_path])
    with pytest.raises(NoInputs):
        open_study([])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme", b"no scan")
    with pytest.raises(NoInputs, match=r"1 no scans \(a\.zip!readme\)|1 no scans \(readme\)"):
        open_study([tmp_path / "a.zip"])


@pytest.mark.parametrize(
    ("content", "error"), [(None, UnreadableInput), (b"no scan", UnsupportedImage)]
)
def test_a_file_that_was_named_and_is_no_scan_is_refused(
    tmp_path: Path, content: bytes | None, error: type[Exception]
) -> None:
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    (refused,) = open_study([path]).refused
    assert isinstance(refused.error, error)
    assert refused.name == str(path)


def test_a_package_that_is_missing_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, mr_series(VOLUME))

    def lacks(_kind: object, _despite: object) -> object:
        def fail(file: ScanFile) -> object:
            raise MissingDependency(f"{file.name}: needs pydicom", hint="pip install it")

        return fail

    monkeypatch.setattr(study_module, "_reader", lacks)
    (refused,) = open_study([tmp_path]).refused
    assert refused.error.message.endswith("slice001.dcm: needs pydicom (and 5 more of this kind)")


def test_slices_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_module, "MAX_SLICES", 4)
    write_files(tmp_path, mr_series(VOLUME))
    study = open_study([tmp_path])
    assert lengths(study) == [4]
    assert len(study.refused) == 2


def test_opening_reads_no_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import edge_infer.dicom.read as read

    def fail(*_: object) -> None:
        raise AssertionError("pixels were read")

    monkeypatch.setattr(read, "stored_values", fail)
    write_files(tmp_path, mr_series(VOLUME))
    assert lengths(open_study([tmp_path])) == [6]


def test_a_study_is_opened_by_a_text_a_path_or_several(tmp_path: Path) -> None:
    write_files(tmp_path / "s", mr_series(VOLUME))
    folder = tmp_path / "s"
    for given in (str(folder), folder, [str(folder)], (folder,), iter([folder])):
        assert lengths(open_study(given)) == [6]
    assert lengths(open_study(str(folder / "slice001.dcm"))) == [1]


def test_two_patients_under_one_series_are_two_series(tmp_path: Path) -> None:
    files = mr_series(VOLUME)
    for number, dataset in enumerate(files):
        if number % 2:
            dataset.PatientID = "OTHER"
    write_files(tmp_path / "id", files)
    study = open_study(tmp_path / "id")
    assert lengths(study) == [3, 3]
    assert all(series.names_several_patients for series in study.series)
    assert all("name several patients" in series.warnings[0] for series in study.series)
    assert "OTHER" not in repr(study)
    assert not any(
        one.identity.patient in repr(one) for one in study.series[0].slices if one.identity
    )


@pytest.mark.parametrize(
    ("one", "other", "are_two"),
    [
        ("Doe^Jane", "Doe^Janet", True),
        ("Doe^Jane", "", True),
        ("Doe^Jane", "DOE^JANE", False),
        ("Doe^Jane", "Doe^Jane^^^", False),
        ("Doe^Jane", "Doe^Jane ", False),
    ],
)
def test_patients_are_told_by_their_names_and_not_by_how_these_are_spelt(
    tmp_path: Path, one: str, other: str, are_two: bool
) -> None:
    files = mr_series(VOLUME)
    for number, dataset in enumerate(files):
        dataset.PatientName = other if number % 2 else one
    write_files(tmp_path, files)
    assert lengths(open_study(tmp_path)) == ([3, 3] if are_two else [6])


def test_two_patients_under_one_study_are_said(tmp_path: Path) -> None:
    one, other = mr_series(VOLUME, series="a"), mr_series(VOLUME, series="b")
    for dataset in other:
        dataset.PatientID = "OTHER"
    write_files(tmp_path, [*one, *other])
    study = open_study(tmp_path)
    assert lengths(study) == [6, 6]
    assert all("Study Instance UID name several patients" in s.warnings[0] for s in study.series)
    assert not any(series.names_several_patients for series in study.series)


@pytest.mark.parametrize("value", [None, ""])
def test_slices_without_a_series_identifier_are_grouped_by_study_and_folder(
    tmp_path: Path, value: str | None
) -> None:
    for name in "ab":
        write_files(tmp_path / name, mr_series(VOLUME, SeriesInstanceUID=value))
    study = open_study(tmp_path)
    assert lengths(study) == [6, 6]
    for series in study.series:
        assert series.has_places
        assert "without a Series Instance UID" in series.warnings[0]
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for path in (tmp_path / "a").iterdir():
            archive.write(path, f"deep/{path.name}")
    assert lengths(open_study(tmp_path / "s.zip")) == [6]


def test_the_same_volume_given_twice_is_one(tmp_path: Path) -> None:
    data = VOLUME.transpose(2, 1, 0).astype(np.int16)
    nib.save(nib.Nifti1Image(data, np.diag([-1.0, -1.0, 4.0, 1.0])), tmp_path / "v.nii")
    (series,) = open_study([tmp_path / "v.nii", tmp_path / "v.nii"]).series
    assert (len(series.slices), series.has_places) == (6, True)


def test_one_identifier_for_all_slices_loses_none(tmp_path: Path) -> None:
    """Without places, and in frames of files that share it."""
    files = mr_series(VOLUME)
    for dataset in files:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
        del dataset.ImagePositionPatient
    write_files(tmp_path / "slices", files)
    (series,) = open_study(tmp_path / "slices").series
    assert (len(series.slices), series.has_places) == (6, False)
