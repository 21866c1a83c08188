import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from edge_infer.contract import LABELS
from edge_infer.errors import DataRefused, NoInputs, UnreadableInput
from train.data.layouts import load_samples

CANONICAL = ("glioma", "meningioma", "no_tumor", "pituitary")
BHUVAJI = ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor")
NICKPARVAR = ("glioma", "meningioma", "notumor", "pituitary")


def make_tree(root: Path, parts: tuple[str, ...], classes: tuple[str, ...], ending: str) -> None:
    for part in parts:
        for number, name in enumerate(classes):
            folder = root / part / name
            folder.mkdir(parents=True)
            Image.linear_gradient("L").resize((40, 30 + number)).save(folder / f"a{ending}")


@pytest.mark.parametrize(
    ("below", "parts", "classes", "splits"),
    [
        ("classification_task", ("train", "test"), CANONICAL, {"train": 4, "test": 4}),
        ("", ("train", "test"), CANONICAL, {"train": 4, "test": 4}),
        ("", ("Training", "Testing"), BHUVAJI, {"train": 4, "test": 4}),
        ("", ("Training", "Testing"), NICKPARVAR, {"train": 4, "test": 4}),
        ("", ("train", "val", "test"), CANONICAL, {"train": 4, "val": 4, "test": 4}),
        ("", ("",), NICKPARVAR, {"": 4}),
    ],
    ids=["brisc", "brisc-inner", "sartaj", "nickparvar", "plain", "undivided"],
)
def test_a_known_layout_is_read_with_its_labels_and_splits(
    tmp_path: Path,
    below: str,
    parts: tuple[str, ...],
    classes: tuple[str, ...],
    splits: dict[str, int],
) -> None:
    make_tree(tmp_path / below, parts, classes, ".JPG")
    (tmp_path / below / parts[0] / ".DS_Store").write_bytes(b"x")
    (tmp_path / below / parts[0] / classes[0] / "Thumbs.db").write_bytes(b"x")
    samples = load_samples(tmp_path)
    assert Counter(sample.split for sample in samples) == splits
    for sample in samples:
        assert LABELS[sample.label] == CANONICAL[classes.index(sample.name.split("/")[-2])]
        assert sample.original_size == (40, 30 + sample.label)
        assert sample.original_mode == "L"
        assert (tmp_path / sample.name).samefile(sample.source)


def test_masks_beside_the_classification_task_are_not_read(tmp_path: Path) -> None:
    make_tree(tmp_path / "classification_task", ("train",), CANONICAL, ".png")
    make_tree(tmp_path / "segmentation_task", ("train",), ("masks",), ".png")
    assert len(load_samples(tmp_path)) == 4


def test_everything_that_is_wrong_is_listed_by_name_in_one_error(tmp_path: Path) -> None:
    make_tree(tmp_path, ("train", "test"), CANONICAL, ".png")
    (tmp_path / "train" / "astrocytoma").mkdir()
    (tmp_path / "val" / "glioma").mkdir(parents=True)
    (tmp_path / "pituitary").mkdir()
    (tmp_path / "train" / "glioma" / "notes.txt").write_text("x")
    (tmp_path / "train" / "glioma" / "text.jpg").write_text("no image")
    (tmp_path / "train" / "glioma" / "zero.png").write_bytes(b"")
    cut = (tmp_path / "test" / "glioma" / "a.png").read_bytes()
    (tmp_path / "test" / "glioma" / "cut.png").write_bytes(cut[: len(cut) // 2])
    with pytest.raises(DataRefused) as caught:
        load_samples(tmp_path)
    for problem in (
        "train/astrocytoma: unknown class",
        "val/glioma: is empty",
        "pituitary: a class folder beside the splits",
        "train/glioma/notes.txt: is not one of",
        "train/glioma/text.jpg: corrupt",
        "train/glioma/zero.png: corrupt",
        "test/glioma/cut.png: corrupt",
    ):
        assert problem in caught.value.message
    assert "(7)" in caught.value.message
    assert caught.value.exit_code == 26


def test_progress_counts_every_image(tmp_path: Path) -> None:
    make_tree(tmp_path, ("train",), CANONICAL, ".png")
    calls: list[tuple[int, int]] = []
    load_samples(tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_missing_and_an_empty_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput):
        load_samples(tmp_path / "none")
    with pytest.raises(NoInputs):
        load_samples(tmp_path)


def test_a_manifest_chooses_rows_below_the_folder(phantom_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "both"
    shutil.copytree(phantom_folder, root / "one")
    shutil.copytree(phantom_folder, root / "two")
    header, *rows = (phantom_folder / "manifest.csv").read_text().splitlines()
    both = [header]
    for name in ("one", "two"):
        both += [row.replace("phantoms,", f"{name},{name}/", 1) for row in rows]
    manifest = root / "manifest.csv"
    manifest.write_text("\n".join(both))
    everything = load_samples(root, manifest=manifest)
    below = load_samples(root / "two", manifest=manifest)
    chosen = load_samples(root, manifest=manifest, dataset="two")
    assert (len(everything), len(below)) == (80, 40)
    assert below == chosen
    assert Counter(sample.split for sample in below) == {"train": 28, "val": 4, "test": 8}
    assert all(sample.group and sample.dataset == "two" for sample in below)
    with pytest.raises(NoInputs, match="none of its 0 rows of 'three'"):
        load_samples(root, manifest=manifest, dataset="three")
    with pytest.raises(ValueError, match="no manifest"):
        load_samples(root, dataset="two")


def test_a_manifest_that_happens_to_lie_there_is_not_used(phantom_folder: Path) -> None:
    assert all(not sample.group for sample in load_samples(phantom_folder))


def test_a_file_the_manifest_names_but_is_missing_is_named(
    phantom_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(phantom_folder, tmp_path / "set")
    gone = next((tmp_path / "set").rglob("*.png"))
    gone.unlink()
    with pytest.raises(DataRefused, match=gone.name):
        load_samples(tmp_path / "set", manifest=tmp_path / "set" / "manifest.csv")


def write_parquet(file: Path, labels: list[object], names: list[str] | None) -> list[bytes]:
    from io import BytesIO

    images = []
    for number in range(len(labels)):
        buffer = BytesIO()
        Image.linear_gradient("L").resize((32, 32 + number)).save(buffer, "PNG")
        images.append(buffer.getvalue())
    table = pa.table(
        {"image": [{"bytes": data, "path": "x.png"} for data in images], "label": labels}
    )
    if names is not None:
        features = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
        metadata = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": metadata})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return images


def test_a_parquet_folder_is_read_in_its_own_label_order(tmp_path: Path) -> None:
    names = ["notumor", "glioma_tumor", "pituitary", "meningioma"]
    images = write_parquet(tmp_path / "data/train-00000-of-00001.parquet", [0, 1, 2, 3], names)
    write_parquet(tmp_path / "data/test-00000-of-00001.parquet", ["glioma", "No Tumor"], None)
    samples = load_samples(tmp_path)
    train = [sample for sample in samples if sample.split == "train"]
    test = [sample for sample in samples if sample.split == "test"]
    assert [sample.label for sample in train] == [2, 0, 3, 1]
    assert [sample.source for sample in train] == images
    assert [sample.original_size for sample in train] == [(32, 32), (32, 33), (32, 34), (32, 35)]
    assert [sample.label for sample in test] == [0, 2]
    assert train[1].name == "data/train-00000-of-00001.parquet#1"


def test_bad_parquet_files_and_rows_are_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train/0000.parquet", [0, -1, 9], list(CANONICAL))
    write_parquet(tmp_path / "test/0000.parquet", [0, 1], None)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DataRefused) as caught:
        load_samples(tmp_path)
    for problem in (
        "train/0000.parquet#1: label is -1",
        "train/0000.parquet#2: label is 9",
        "test/0000.parquet: labels are numbers",
        "broken.parquet: cannot be read as parquet",
    ):
        assert problem in caught.value.message
