from pathlib import Path

import pytest

from edge_infer.errors import DataRefused, UnreadableInput
from train.data.manifest_csv import COLUMNS, write_manifest
from train.data.source_rows import read_sources

HEADER = "source,path,mask,label,patient_id,volume,slice,use,licence,note\n"
ROWS = (
    'btp,btp/a.png,masks/a.png,glioma,btp01,v,1,train,CC BY 3.0,"a, b"\n'
    "btp,btp/b.png,,no_tumor,btp01,v,9,train,CC BY 3.0,\n"
    "lgg,lgg/c.png,,glioma,L1,,,validate,evaluate only,\n"
    "rad,rad/d.png,,out_of_scope,,,,train,CC0,\n"
    "rad,rad/e.png,,out_of_scope,,,,train,CC0,\n"
    "med,med/f.png,,other_tumor,M1,,,train,CC BY 4.0,\n"
)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "far" / "manifest.csv"
    path.parent.mkdir()
    path.write_text(HEADER + ROWS)
    return path


def test_rows_of_another_maker_are_read(manifest: Path) -> None:
    first, second, third = read_sources([manifest]).rows
    assert (first.sample.dataset, first.sample.class_name) == ("btp", "glioma")
    assert first.sample.source == manifest.parent / "btp" / "a.png"
    assert first.sample.mask == manifest.parent / "masks" / "a.png"
    assert (first.sample.split, first.sample.group) == ("", "")
    assert (first.patient, first.licence, first.validate_only) == ("btp01", "CC BY 3.0", False)
    assert second.sample.mask is None
    assert (third.patient, third.validate_only) == ("L1", True)


def test_images_of_other_classes_are_left_out_and_counted(manifest: Path) -> None:
    sources = read_sources([manifest])
    assert len(sources.rows) == 3
    assert sources.unknown == {("rad", "out_of_scope"): 2, ("med", "other_tumor"): 1}


def test_data_sets_are_chosen_by_name(manifest: Path) -> None:
    sources = read_sources([manifest], datasets=("lgg", "med"))
    assert [row.sample.dataset for row in sources.rows] == ["lgg"]
    assert sources.unknown == {("med", "other_tumor"): 1}
    with pytest.raises(DataRefused, match="no row is of data set 'brisc', expected one of 'btp', "):
        read_sources([manifest], datasets=("btp", "brisc"))


def test_a_manifest_of_this_project_keeps_part_group_and_flags(
    phantom_folder: Path, manifest: Path
) -> None:
    rows = read_sources([manifest, phantom_folder / "manifest.csv"]).rows
    own = [row for row in rows if row.manifest == 1]
    assert len(own) == 40
    assert {row.sample.split for row in own} == {"train", "val", "test"}
    assert all(row.sample.group for row in own)
    assert {row.licence for row in own} == {""}


def test_all_bad_rows_are_named_with_their_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(
        "path,label,use,proposed_split\na.png,,,\n,glioma,,\nb.png,glioma,test,\nc.png,glioma,,dev\n"
    )
    with pytest.raises(DataRefused) as caught:
        read_sources([tmp_path / "m.csv"])
    for problem in (
        "m.csv, line 2: label is empty",
        "line 3: path is empty",
        "line 4: use is 'test', expected train or validate",
        "line 5: proposed_split is 'dev'",
    ):
        assert problem in caught.value.message


def test_a_missing_column_or_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("source,label\nbtp,glioma\n")
    with pytest.raises(DataRefused, match="no column path"):
        read_sources([tmp_path / "m.csv"])
    with pytest.raises(UnreadableInput):
        read_sources([tmp_path / "none.csv"])


def test_joining_states_no_more_about_the_negative_class_than_the_manifests_do(
    tmp_path: Path,
) -> None:
    header, row = "path,label,proposed_split", "1.png,a,train\n2.png,b,test\n"
    (tmp_path / "plain.csv").write_text(f"{header}\n{row}")
    numbered = row.replace("\n", ",{0}\n", 1).replace("test\n", "test,{1}\n")
    (tmp_path / "open.csv").write_text(f"{header},class_id\n{numbered.format(0, 1)}")
    (tmp_path / "none.csv").write_text(
        f"{header},class_id,negative\n{numbered.format('0,0', '1,0')}"
    )
    assert not read_sources([tmp_path / "plain.csv"]).says_negative
    joined = read_sources([tmp_path / "open.csv"])
    assert not joined.says_negative
    assert read_sources([tmp_path / "open.csv", tmp_path / "none.csv"]).says_negative
    samples = [row.sample for row in joined.rows]
    for says, columns in ((True, ["class_id", "negative"]), (False, ["class_id"])):
        write_manifest(tmp_path / "new.csv", samples, says_negative=says)
        first = (tmp_path / "new.csv").read_text().splitlines()[0]
        assert first.split(",")[len(COLUMNS) :] == columns
