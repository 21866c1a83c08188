"""Which images belong to which set, and which may be shown."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from edge_infer.errors import DataRefused, NoInputs, UnreadableInput
from train.data.samples import Sample
from train.trust.answers import TrustAnswers
from train.trust.examples import examples, may_be_shown
from train.trust.image_set import NO_CLASS, Kind
from train.trust.sets import (
    folder_sets,
    other_data_sets,
    part_images,
    table_sets,
    without_learnt,
)

TABLE = """source,path,label,patient_id,modality,licence
lgg,a/1.jpg,glioma,p1,T1c,evaluate only
lgg,a/2.jpg,glioma,p1,FLAIR,evaluate only
lgg,a/3.jpg,no_tumor,p2,T1c,evaluate only
vqa,b/4.jpg,other_tumor,p3,?,CC BY 4.0
vqa,b/5.jpg,meningioma,p4,?,CC BY 4.0
rad,out/chest/6.jpg,out_of_scope,p5,X-ray,CC0 1.0
rad,out/abd/7.jpg,out_of_scope,p6,CT,CC0 1.0
mni152,c/8.png,no_tumor,mni152,T1,
"""


def test_a_table_is_sorted_by_source_label_and_sequence(tmp_path: Path) -> None:
    table = tmp_path / "manifest.csv"
    table.write_text(TABLE)
    sets = {one.name: one for one in table_sets(table)}
    assert {name: one.kind for name, one in sets.items()} == {
        "lgg tumours T1": Kind.ELSEWHERE,
        "lgg FLAIR": Kind.NEAR,
        "lgg no_tumor": Kind.ELSEWHERE,
        "vqa other_tumor": Kind.NEAR,
        "vqa unknown sequence": Kind.ELSEWHERE,
        "rad chest": Kind.FAR,
        "rad abd": Kind.FAR,
        "mni152 skull-stripped": Kind.NEAR,
    }
    assert all(one.note for one in sets.values())
    (image,) = sets["lgg FLAIR"].images
    assert (image.source, image.label, image.group) == (tmp_path / "a/2.jpg", 0, "p1")
    assert sets["rad abd"].images[0].label == NO_CLASS
    assert sets["vqa other_tumor"].images[0].licence == "CC BY 4.0"


def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "manifest.csv"
    with pytest.raises(UnreadableInput):
        table_sets(table)
    table.write_text("path,label\n")
    with pytest.raises(NoInputs):
        table_sets(table)
    table.write_text("path,label\na.png,glioma\n,glioma\nb.png,\n")
    with pytest.raises(DataRefused, match=r"line 3.*\n.*line 4"):
        table_sets(table)


def test_a_folder_is_a_set_for_each_subfolder(tmp_path: Path) -> None:
    for name in ("top.png", "photos/1.png", "photos/2.png", "noise/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / name)
    (tmp_path / "licences.csv").write_text("path,licence\nphotos/1.png,CC0 1.0\nphotos/2.png,\n")
    sets = {one.name: one for one in folder_sets("far", tmp_path, Kind.FAR)}
    assert list(sets) == ["far", "far noise", "far photos"]
    assert {image.name: image.licence for image in sets["far photos"].images} == {
        "photos/1.png": "CC0 1.0",
        "photos/2.png": "",
    }
    assert {one.kind for one in sets.values()} == {Kind.FAR}


def sample(name: str, label: int, dataset: str, group: str, *, is_copy: bool = False) -> Sample:
    return Sample(
        source=Path(name), name=name, label=label, dataset=dataset, group=group, is_copy=is_copy
    )


def test_what_the_model_learnt_from_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    table = tmp_path / "manifest.csv"
    table.write_text(TABLE)
    seen = sample("1", 0, "lgg", "p1")
    learnt = [
        replace(seen, source=tmp_path / "link" / "a/1.jpg", split="train"),
        replace(seen, source=tmp_path / "a/3.jpg", split="train"),
        replace(seen, source=tmp_path / "a/2.jpg", split="test"),
    ]
    before = {one.name: len(one.images) for one in table_sets(table)}
    after = {one.name: len(one.images) for one in without_learnt(table_sets(table), learnt)}
    assert set(before) - set(after) == {"lgg tumours T1", "lgg no_tumor"}
    assert {name: before[name] for name in after} == after


def test_other_data_sets_have_no_patient_of_the_one_measured() -> None:
    own = [sample("a", 0, "brisc2025", "p1")]
    others = [
        sample("b", 0, "sartaj", "p1"),
        sample("c", 0, "sartaj", "p2"),
        sample("d", 2, "sartaj", "p3"),
        sample("e", 2, "sartaj", "p4", is_copy=True),
        sample("f", 2, "other", "p5"),
    ]
    sets = {one.name: one for one in other_data_sets(own, others, {"other": "CC0"})}
    assert {name: [image.name for image in one.images] for name, one in sets.items()} == {
        "other no_tumor": ["f"],
        "sartaj no_tumor": ["d"],
        "sartaj tumours": ["c"],
    }
    assert sets["sartaj no_tumor"].kind == Kind.NEAR
    assert "nothing tells which" in sets["sartaj no_tumor"].note
    assert sets["other no_tumor"].kind == Kind.ELSEWHERE
    assert sets["other no_tumor"].images[0].licence == "CC0"
    with pytest.raises(NoInputs):
        part_images(own, [], {})


@pytest.mark.parametrize(
    ("licence", "shown"),
    [
        ("CC BY 4.0", True),
        ("CC0 1.0 (VQA-RAD)", True),
        ("public domain (scikit-image)", True),
        ("", False),
        ("CC BY-NC-SA 4.0", False),
        ("CC BY-ND 4.0", False),
        ("TCIA TCGA-LGG; derived set: evaluate only, train nothing on it", False),
        ("none stated", False),
    ],
)
def test_only_images_that_may_be_passed_on_are_shown(licence: str, shown: bool) -> None:
    assert may_be_shown(licence) is shown


def test_examples_are_accepted_and_rejected_ones_that_may_be_shown(
    tmp_path: Path, make_answers: Callable[..., TrustAnswers]
) -> None:
    Image.linear_gradient("L").resize((400, 200)).save(tmp_path / "a.png")
    accepted = [row % 2 == 0 for row in range(20)]
    answers = make_answers(
        [0] * 20,
        [0] * 17 + [1] * 3,
        [0.9] * 20,
        accepted=accepted,
        reasons=[() if its else ("ambiguous",) for its in accepted],
        licence="CC0",
    )
    images = [
        replace(image, source=tmp_path / "a.png", licence="" if row < 14 else image.licence)
        for row, image in enumerate(answers.images)
    ]
    answers = replace(answers, images=tuple(images))
    shown = examples(answers)
    assert [it.accepted for it in shown] == [True] * 3 + [False] * 3
    assert {it.name for it in shown} == {f"{row}.png" for row in range(14, 20)}
    assert {(it.width, it.height) for it in shown} == {(160, 80)}
    for it in shown:
        assert it.wrong == (int(it.name.partition(".")[0]) >= 17)
        assert it.reasons == ("" if it.accepted else "ambiguous")
    assert examples(answers) == shown, "the same on every run"
