import csv
import json
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from edge_infer.classes import BRAIN, Classes
from edge_infer.errors import DataRefused
from train.data.class_choice import ClassChoice
from train.data.layouts import load_samples
from train.data.manifest_csv import COLUMNS, manifest_hash, read_manifest, write_manifest
from train.data.samples import Sample, classes_of

OWN = Classes(("torn, left", "whole", "größer"), "whole")


def written(folder: Path, classes: Classes) -> Path:
    samples = [
        Sample(source=folder / f"{number}.png", name=f"{number}.png", label=label, classes=classes)
        for number, label in enumerate((2, 0, 1, 1) if len(classes) > 2 else (1, 0))
    ]
    write_manifest(folder / "m.csv", samples)
    return folder / "m.csv"


@pytest.mark.parametrize(
    "classes", [OWN, Classes(("b", "a")), Classes(("glioma", "no_tumor"), "no_tumor")]
)
def test_order_and_negative_class_travel_in_a_manifest(tmp_path: Path, classes: Classes) -> None:
    samples = read_manifest(written(tmp_path, classes))
    assert classes_of(samples) == classes
    assert [sample.label for sample in samples] == ([2, 0, 1, 1] if classes is OWN else [1, 0])


def test_a_manifest_of_the_brain_classes_has_the_columns_it_always_had(tmp_path: Path) -> None:
    path = written(tmp_path, BRAIN)
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert classes_of(read_manifest(path)) is BRAIN


@pytest.mark.parametrize(
    ("classes", "negative", "message"),
    [
        ('"torn, left",whole,größer', "whole", ""),
        ('x="torn, left",whole,größer', None, "states the classes"),  # quotes begin an item only
        ('"x=torn, left",y=whole,größer', None, ""),  # as it was divided, before the names changed
        ("whole,größer", None, "states the classes"),
        ('whole,"torn, left",größer', None, "states the classes"),
        (None, "größer", "the manifest states whole"),
        (None, "worn", "none of the classes"),
    ],
)
def test_options_that_are_repeated_must_agree(
    tmp_path: Path, classes: str | None, negative: str | None, message: str
) -> None:
    path = written(tmp_path, OWN)
    choice = ClassChoice.of_options(classes, negative)
    if not message:
        assert classes_of(read_manifest(path, choice=choice)) == OWN
        return
    with pytest.raises(DataRefused) as caught:
        read_manifest(path, choice=choice)
    assert message in caught.value.message


def test_that_no_class_is_negative_is_stated_and_none_can_be_named_later(tmp_path: Path) -> None:
    path = written(tmp_path, Classes(("b", "a")))
    assert [row["negative"] for row in csv.DictReader(path.read_text().splitlines())] == ["0", "0"]
    with pytest.raises(
        DataRefused, match="--negative a: the manifest states that no class is neg"
    ) as no:
        read_manifest(path, choice=ClassChoice.of_options(None, "a"))
    assert no.value.exit_code == 26


def test_in_a_manifest_that_leaves_it_open_a_negative_class_can_be_named_later(
    tmp_path: Path,
) -> None:
    path = tmp_path / "older.csv"
    path.write_text("path,label,proposed_split,class_id\n1.png,a,train,1\n2.png,b,train,0\n")
    assert classes_of(read_manifest(path)) == Classes(("b", "a"))
    choice = ClassChoice.of_options(None, "a")
    assert classes_of(read_manifest(path, choice=choice)) == Classes(("b", "a"), "a")


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, OWN)
    assert classes_of(read_manifest(path, choice=ClassChoice(model=OWN))) is OWN
    for model in (BRAIN, Classes(("whole", "torn, left", "größer"))):
        with pytest.raises(DataRefused, match="states the classes"):
            read_manifest(path, choice=ClassChoice(model=model))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("class_id", ["2", "0", "1", ""], "line 5: class_id is empty"),
        ("class_id", ["2", "0", "1", "0"], "line 5: class_id of whole is not as"),
        ("class_id", ["3", "0", "1", "1"], "values 0, 1, 3, expected 0 to 2"),
        ("class_id", ["x", "0", "1", "1"], "expected 0 to 2"),
        ("negative", ["0", "0", "1", "0"], "line 5: negative of whole is not as"),
        ("negative", ["1", "0", "1", "1"], "two classes are negative"),
        ("negative", ["no", "0", "1", "1"], "neither 0 nor 1"),
        ("label", ["a", "b", "\x07", "\x07"], "printable"),
    ],
)
def test_contradicting_cells_are_refused(
    tmp_path: Path, column: str, values: list[str], message: str
) -> None:
    path = written(tmp_path, OWN)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, column: value} for row, value in zip(rows, values, strict=True))
    with pytest.raises(DataRefused) as caught:
        read_manifest(path)
    assert message in caught.value.message


def test_classes_without_numbers_are_sorted(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("path,label,proposed_split\n1.png,b,train\n2.png,a,train\n")
    assert classes_of(read_manifest(path)) == Classes(("a", "b"))
    chosen = read_manifest(path, choice=ClassChoice.of_options("b=bee,a", "bee"))
    assert classes_of(chosen) == Classes(("bee", "a"), "bee")
    assert [sample.label for sample in chosen] == [0, 1]


def test_the_hash_depends_on_own_classes(tmp_path: Path) -> None:
    hashes = {
        manifest_hash(read_manifest(written(tmp_path, classes)))
        for classes in (Classes(("a", "b")), Classes(("a", "c")), Classes(("a", "b"), "a"))
    }
    assert len(hashes) == 3


@pytest.mark.parametrize("names", [["b", "c", "a"], None])
def test_a_parquet_folder_may_have_own_classes(tmp_path: Path, names: list[str] | None) -> None:
    buffer = BytesIO()
    Image.linear_gradient("L").resize((32, 32)).save(buffer, "PNG")
    labels: list[object] = [0, 1, 2] if names else ["b", "c", "a"]
    table = pa.table({"image": [{"bytes": buffer.getvalue()}] * 3, "label": labels})
    if names:
        metadata = json.dumps({"info": {"features": {"label": {"names": names}}}})
        table = table.replace_schema_metadata({"huggingface": metadata})
    pq.write_table(table, tmp_path / "train-00000-of-00001.parquet")
    samples = load_samples(tmp_path)
    assert classes_of(samples) == Classes(("a", "b", "c"))
    assert [sample.class_name for sample in samples] == ["b", "c", "a"]
    chosen = load_samples(tmp_path, choice=ClassChoice.of_options("b,c,a=none", "none"))
    assert classes_of(chosen) == Classes(("b", "c", "none"), "none")
