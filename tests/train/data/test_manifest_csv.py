import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.errors import DataRefused, UnreadableInput
from train.data.manifest_csv import COLUMNS, manifest_hash, read_manifest, write_manifest
from train.data.samples import Sample


def test_what_is_written_reads_back_equal(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    samples = [
        Sample(source=tmp_path / "in" / "a, b.png", name="in/a, b.png", label=0, split="train"),
        Sample(
            source=tmp_path / "c.png",
            name="c.png",
            label=3,
            split="test",
            group="p1",
            is_copy=True,
            label_conflict=True,
            dataset="d",
            original_size=(30, 20),
            original_mode="RGB",
            original_sha256="ab",
        ),
    ]
    write_manifest(tmp_path / "manifest.csv", samples, official={"c.png": "train"})
    assert read_manifest(tmp_path / "manifest.csv") == samples
    header, first, second = (tmp_path / "manifest.csv").read_text().splitlines()
    assert header == ",".join(COLUMNS)
    assert first == ',"in/a, b.png",glioma,,,,,train,0,1,,,,'
    assert second == "d,c.png,pituitary,train,,,p1,test,1,0,ab,RGB,30,20"


def test_a_manifest_in_another_folder_still_finds_its_images(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    sample = Sample(source=tmp_path / "set" / "a.png", name="a.png", label=0, split="val")
    write_manifest(tmp_path / "out" / "m.csv", [sample])
    (read,) = read_manifest(tmp_path / "out" / "m.csv")
    assert isinstance(read.source, Path)
    assert read.source.resolve() == sample.source


def test_all_bad_rows_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(
        "path,label,proposed_split,label_conflict,original_width,original_height\n"
        "a.png,glioma,train,0,1,1\nb.png,cyst,train,0,1,1\nc.png,glioma,dev,0,1,1\n"
        "a.png,glioma,train,0,1,1\n,glioma,train,0,1,1\nd.png,glioma,test,maybe,1,1\n"
        "e.png,glioma,test,0,x,1\n"
    )
    with pytest.raises(DataRefused) as caught:
        read_manifest(path)
    message = caught.value.message
    for problem in (
        "line 3: unknown class 'cyst'",
        "line 4: proposed_split is 'dev'",
        "line 5: a.png is listed twice",
        "line 6: path is empty",
        "line 7: label_conflict is 'maybe'",
        "line 8: invalid literal",
    ):
        assert problem in message
    assert "(6)" in message


def test_missing_columns_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("path,label\na.png,glioma\n")
    with pytest.raises(DataRefused, match="no column proposed_split"):
        read_manifest(tmp_path / "m.csv")
    with pytest.raises(UnreadableInput):
        read_manifest(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UnreadableInput):
        read_manifest(tmp_path / "binary.csv")


def test_an_image_inside_a_table_cannot_be_named_by_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="no file"):
        write_manifest(tmp_path / "m.csv", [Sample(source=b"x", name="t#0", label=0)])
    assert not (tmp_path / "m.csv").exists()


def test_the_hash_tells_data_sets_apart_but_not_orders(phantom_samples: list[Sample]) -> None:
    first = phantom_samples[0]
    digest = manifest_hash(phantom_samples)
    assert manifest_hash(phantom_samples[::-1]) == digest
    moved = replace(first, source=Path("elsewhere"))
    assert manifest_hash([moved, *phantom_samples[1:]]) == digest
    for changed in (
        replace(first, label=(first.label + 1) % 4),
        replace(first, split="test" if first.split != "test" else "val"),
        replace(first, group="other"),
    ):
        assert manifest_hash([changed, *phantom_samples[1:]]) != digest
    assert manifest_hash(phantom_samples[1:]) != digest


def test_a_stated_mask_reads_back_and_is_a_column_only_then(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    plain = Sample(source=tmp_path / "a.png", name="../a.png", label=2)
    masked = Sample(
        source=tmp_path / "b.png", name="../b.png", label=0, mask=tmp_path / "masks" / "b.png"
    )
    path = tmp_path / "out" / "m.csv"
    write_manifest(path, [plain, masked])
    header, first, second = path.read_text().splitlines()
    assert header == ",".join((*COLUMNS, "mask"))
    assert first.endswith(",")
    assert second.endswith(",../masks/b.png")
    one, other = read_manifest(path)
    assert one.mask is None
    assert other.mask is not None
    assert other.mask.resolve() == masked.mask
    write_manifest(path, [plain])
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)


def test_a_mask_with_a_null_character_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("path,label,proposed_split,mask\na.png,glioma,,b\0.png\n")
    with pytest.raises(DataRefused, match=r"null character|NUL"):
        read_manifest(path)


def test_a_stated_mask_is_part_of_the_hash_wherever_the_data_set_lies() -> None:
    """Without masks the hash is what it was before there were any: runs and bundles name it."""
    plain = Sample(source=Path("/x/a.png"), name="a.png", label=0, split="train", group="g")
    assert manifest_hash([plain]) == (
        hashlib.sha256(b'[["a.png",0,"train","g",false,false]]').hexdigest()
    )
    masked = replace(plain, mask=Path("/x/masks/a.png"))
    moved = replace(plain, source=Path("/y/a.png"), mask=Path("/y/masks/a.png"))
    other = replace(plain, mask=Path("/x/masks/b.png"))
    digests = [manifest_hash([sample]) for sample in (plain, masked, moved, other)]
    assert digests[1] == digests[2]
    assert len(set(digests)) == 3
