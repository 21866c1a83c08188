from pathlib import Path

import numpy as np
import pytest

from edge_infer.contract import LABELS
from edge_infer.errors import DataRefused, UnreadableInput
from export.trust.out_of_fold import OUT_OF_FOLD_FILE, read_out_of_fold

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "export/checkpoints/efficientnet-lite" / OUT_OF_FOLD_FILE
HEADER = "name,group,label,predicted,p_glioma,p_meningioma,p_no_tumor,p_pituitary," + ",".join(
    f"logit_{label}" for label in LABELS
)


def written(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def row(label: str, group: str, logits: str = "3,1,0,-2") -> str:
    return f"a.png,{group},{label},glioma,1,0,0,0,{logits}"


def all_classes(prefix: str) -> list[str]:
    return [row(label, f"{prefix}{label}") for label in LABELS]


def test_what_evaluate_writes_is_read_from_several_folds(tmp_path: Path) -> None:
    first = written(tmp_path / "1.csv", *all_classes("a"))
    second = written(tmp_path / "2.csv", row("pituitary", "b", "0.5,1e-3,0,7"))
    found = read_out_of_fold([first, second])
    assert found.labels.tolist() == [0, 1, 2, 3, 3]
    assert found.groups == ("aglioma", "ameningioma", "ano_tumor", "apituitary", "b")
    np.testing.assert_array_equal(found.logits[-1], [0.5, 0.001, 0, 7])
    assert found.source == "1.csv, 2.csv"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row("glioma", ""), "line 6: group is empty"),
        (row("knee", "p"), "line 6: label is knee"),
        (row("glioma", "p", "nan,0,0,0"), "logit_glioma is not a finite number"),
        (row("glioma", "p", "0,inf,0,0"), "logit_meningioma is not a finite number"),
        (row("glioma", "p", "0,0,x,0"), "logit_no_tumor is not a finite number"),
        (row("glioma", "p", "0,0,0"), "logit_pituitary is not a finite number"),
    ],
)
def test_bad_rows_are_named_with_their_line(tmp_path: Path, bad: str, said: str) -> None:
    with pytest.raises(DataRefused, match=said):
        read_out_of_fold([written(tmp_path / "1.csv", *all_classes("a"), bad)])


def test_a_patient_in_two_files_was_learnt_from(tmp_path: Path) -> None:
    path = written(tmp_path / "1.csv", *all_classes("a"))
    with pytest.raises(DataRefused, match="4 patient groups are in another file"):
        read_out_of_fold([path, path])


def test_a_class_without_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="none for glioma"):
        read_out_of_fold([written(tmp_path / "1.csv", *all_classes("a")[1:])])


def test_a_file_that_is_no_table_of_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="found no column group"):
        read_out_of_fold([written(tmp_path / "1.csv", header="name,label")])
    with pytest.raises(UnreadableInput, match="cannot read answers"):
        read_out_of_fold([tmp_path / "none.csv"])


def test_the_shipped_answers_are_of_many_patients_and_small() -> None:
    found = read_out_of_fold([SHIPPED])
    assert len(found.labels) == 3246
    groups = [
        len(
            {group for group, label in zip(found.groups, found.labels, strict=True) if label == own}
        )
        for own in range(len(LABELS))
    ]
    assert groups == [49, 163, 845, 62]
    data = SHIPPED.read_bytes()
    assert len(data) < 160_000
    assert b"\r" not in data
    lines = data.decode().splitlines()
    assert lines[0] == "group,label," + ",".join(f"logit_{label}" for label in LABELS)
    assert lines[1:] == sorted(lines[1:], key=lambda line: tuple(line.split(",")))


def test_no_row_of_the_test_part_is_among_the_shipped_answers(real_scans: Path) -> None:
    from train.data.manifest_csv import read_manifest

    samples = read_manifest(real_scans / "manifest.csv")
    tested = {sample.group for sample in samples if sample.split == "test"}
    others = {
        sample.group
        for sample in samples
        if sample.split in ("train", "val") and sample.dataset == "brisc2025"
    }
    shipped = set(read_out_of_fold([SHIPPED]).groups)
    assert shipped <= others
    assert shipped & tested == set()
