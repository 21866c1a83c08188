import logging
from pathlib import Path

import pytest

from edge_infer.errors import DataRefused, NoInputs, UnreadableInput
from train.volumes.slices import Filters, Slice, chosen_slices, read_slices

VOLUMES = """source,path,mask,label,patient_id,volume,slice,modality,use
a,a/1.png,m/1.png,glioma,p1,p1_pre,3,T1c,train
a,a/2.png,,no_tumor,p1,p1_pre,4,T1c,train
a,a/3.png,,glioma,p1,,,FLAIR,train
b,b/4.png,,other_tumor,p2,,,T2,train
b,b/5.png,,no_tumor,p2,,,,train
"""
PROJECT = """dataset,path,label,patient_id,group,proposed_split,label_conflict,first_of_copies
x,t/1.png,glioma,MR1,g1,test,0,1
x,t/2.png,glioma,MR1,g1,test,0,0
x,t/3.png,glioma,MR2,g2,test,1,1
x,t/4.png,no_tumor,,g3,train,0,1
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "manifest.csv"
    (path.parent / "m").mkdir(parents=True)
    (path.parent / "m" / "1.png").touch()
    path.write_text(VOLUMES)
    return path


def names(slices: list[Slice]) -> list[str]:
    return [one.name for one in slices]


def test_a_row_names_its_patient_volume_and_sequence(manifest: Path) -> None:
    first, _, third, fourth, last = read_slices(manifest)
    assert (first.source, first.patient, first.volume, first.position) == (
        *("a T1c", "p1", "p1_pre"),
        3,
    )
    assert first.image == manifest.parent / "a/1.png"
    assert first.mask == manifest.parent / "m/1.png"
    assert first.shows_tumour
    assert (third.volume, third.position, third.mask) == ("p1 FLAIR", None, None)
    assert third.source == "a FLAIR", "another sequence is another source"
    assert fourth.label == -1
    assert last.volume == "", "of an unknown sequence nothing is said to be one volume"


def test_a_manifest_of_the_project_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(PROJECT)
    slices = read_slices(path)
    assert names(slices) == ["t/1.png", "t/4.png"], "neither copies nor conflicts"
    assert [(one.source, one.patient, one.volume) for one in slices] == [
        ("x", "g1", ""),
        ("x", "g3", ""),
    ]
    assert names(chosen_slices(slices, Filters(split="test"))) == ["t/1.png"]


def test_filters_keep_what_was_asked_for(manifest: Path) -> None:
    slices = read_slices(manifest)

    def kept(**given: object) -> list[str]:
        return names(chosen_slices(slices, Filters(**given)))  # type: ignore[arg-type]

    assert kept(datasets=["b"]) == ["b/5.png"]
    assert kept(modalities=["T1c", "FLAIR"]) == ["a/1.png", "a/2.png", "a/3.png"]
    assert kept(patients=["p1"], modalities=["T1c"]) == ["a/1.png", "a/2.png"]
    assert kept(without_patients=["p1"]) == ["b/5.png"]
    assert kept(below=manifest.parent / "b") == ["b/5.png"]


def test_a_class_that_models_do_not_know_is_left_out_and_said(
    manifest: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slices = read_slices(manifest)
    with caplog.at_level(logging.WARNING):
        chosen_slices(slices, Filters(datasets=["a"]))
        assert caplog.text == "", "none of them was asked for"
        chosen_slices(slices, Filters())
    assert "left out: 1 image of other classes" in caplog.text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"patients": ["p1", "p9"]}, "patient p9"),
        ({"without_patients": ["p9"]}, "patient p9"),
        ({"datasets": ["c"]}, "data set c"),
        ({"modalities": ["T3"]}, "modality T3"),
        ({"split": "test"}, "none of 5 images"),
        ({"patients": ["p2"], "modalities": ["T2"]}, "none of 5 images"),
    ],
)
def test_a_name_that_does_not_occur_is_refused(
    manifest: Path, given: dict[str, object], said: str
) -> None:
    with pytest.raises(NoInputs, match=said):
        chosen_slices(read_slices(manifest), Filters(**given))  # type: ignore[arg-type]


def test_bad_rows_are_named_by_line(manifest: Path) -> None:
    manifest.write_text("path,label,slice\n1.png,glioma,x\n2.png,,3\n,glioma,4\n")
    with pytest.raises(DataRefused) as caught:
        read_slices(manifest)
    message = str(caught.value)
    assert "line 2: slice is 'x'" in message
    assert "line 3: label is empty" in message
    assert "line 4: path is empty" in message


def test_a_manifest_that_cannot_be_used_is_refused(manifest: Path) -> None:
    with pytest.raises(UnreadableInput):
        read_slices(manifest.parent / "none.csv")
    manifest.write_text("path,class\n")
    with pytest.raises(DataRefused, match="no column label"):
        read_slices(manifest)


def test_a_missing_mask_and_an_image_listed_twice_are_refused(manifest: Path) -> None:
    slices = read_slices(manifest)
    with pytest.raises(DataRefused, match=r"a/1.png: is listed twice"):
        chosen_slices([*slices, *slices], Filters(datasets=("a",)))
    (manifest.parent / "m" / "1.png").unlink()
    with pytest.raises(DataRefused, match=r"a/1.png: its mask .* is missing"):
        chosen_slices(slices, Filters())
    assert names(chosen_slices(slices, Filters(datasets=("b",)))) == ["b/5.png"]


def test_volumes_of_one_name_are_of_each_patient_one(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(
        "path,label,patient_id,volume,modality\n"
        "1.png,glioma,p1,axial,T1c\n2.png,no_tumor,p2,axial,T1c\n3.png,no_tumor,,axial,T1c\n"
    )
    assert [one.volume for one in read_slices(path)] == ["p1 axial", "p2 axial", "axial"]


def test_a_slice_number_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(f"path,label,slice\n1.png,glioma,{'9' * 400}\n")
    with pytest.raises(DataRefused, match="expected a number"):
        read_slices(path)
