from pathlib import Path
from typing import Any

import pytest

from edge_infer.errors import DataRefused
from train.data.samples import Sample
from train.data.source_rows import SourceRow
from train.splits.joining import join

SHARES = (0.5, 0.25, 0.25)


def row(name: str, *, manifest: int = 0, patient: str = "", **facts: Any) -> SourceRow:
    own = {key: facts.pop(key) for key in ("validate_only", "licence") if key in facts}
    return SourceRow(
        sample=Sample(source=Path(f"/m{manifest}") / name, name=name, label=0, **facts),
        manifest=manifest,
        patient=patient,
        validate_only=bool(own.get("validate_only")),
        licence="",
    )


def groups(*rows: SourceRow) -> list[str]:
    return [sample.group for sample in join(rows, fractions=(1, 0, 0), seed=0)]


def parts(*rows: SourceRow, held_out: tuple[str, ...] = ()) -> list[str]:
    return [s.split for s in join(rows, fractions=(1, 0, 0), seed=0, held_out=held_out)]


def test_a_group_is_the_manifests_else_the_patient_else_the_image() -> None:
    assert groups(
        row("a.png", dataset="d", group="p7", patient="x"),
        row("b.png", dataset="d", patient="y"),
        row("c.png", dataset="d"),
        row("deep/sub-01_T1w.png", dataset="d"),
        row("e.png"),
    ) == ["p7", "d/y", "d/c.png", "d/sub-01", "e.png"]


def test_a_group_name_that_two_manifests_use_means_two_groups() -> None:
    named = groups(
        row("a.png", group="g000001", dataset="x"),
        row("b.png", group="g000001", dataset="y"),
        row("a.png", group="g000001", manifest=1),
        row("b.png", group="g000002", manifest=1),
        row("a.png", group="g000002", manifest=2),
    )
    assert named == ["g000001", "g000001", "2/g000001", "g000002", "3/g000002"]


def test_a_patient_of_one_data_set_is_one_patient_in_all_manifests() -> None:
    assert groups(
        row("a.png", dataset="d", patient="x"), row("b.png", dataset="d", patient="x", manifest=1)
    ) == ["d/x", "d/x"]


def test_a_patient_is_one_group_whatever_the_manifests_call_the_group() -> None:
    assert groups(
        row("a.png", dataset="d", group="g000000", patient="x"),
        row("b.png", dataset="d", group="g000100", patient="x", manifest=1),
        row("c.png", dataset="e", group="g000000", patient="x", manifest=2),
    ) == ["g000000", "g000000", "3/g000000"]


def test_a_patient_of_an_earlier_join_is_held_out_in_both_manifests() -> None:
    rows = [
        row("a.png", group="tcia/btp03", dataset="tcia"),
        row("b.png", group="tcia/btp03", dataset="tcia", split="train", manifest=1),
    ]
    joined = join(rows, fractions=(1.0, 0.0, 0.0), seed=0, held_out=["tcia/btp03"])
    assert [(one.group, one.split) for one in joined] == [("tcia/btp03", "test")] * 2


def test_spelling_does_not_make_two_patients_of_one() -> None:
    assert groups(
        row("Patient_1_s1.png", dataset="d", patient="Patient_1"),
        row("patient_1_s2.png", dataset="D"),
    ) == ["d/Patient_1", "d/Patient_1"]


def test_a_patient_of_tcga_is_the_same_in_every_data_set() -> None:
    named = groups(
        row("a.png", dataset="lgg", patient="TCGA_CS_4942"),
        row("TCGA-CS-4942_7.png", dataset="other"),
        row("TCGA-CS-4943_7.png", dataset="other"),
    )
    assert named[0] == named[1] == "lgg/TCGA_CS_4942"
    assert named[2] != named[0]


def test_who_may_only_be_validated_with_is_not_trained_on_in_another_data_set() -> None:
    rows = [
        row("a.png", dataset="lgg", patient="TCGA_CS_4942", validate_only=True),
        row("TCGA-CS-4942_7.png", dataset="other", split="train"),
    ]
    joined = join(rows, fractions=(1.0, 0.0, 0.0), seed=0)
    assert [one.split for one in joined] == ["test", "test"]


def test_parts_are_kept_and_others_follow_their_group() -> None:
    assert parts(
        row("a.png", group="p", split="val"),
        row("b.png", group="p"),
        row("c.png", group="q", split="train"),
        row("d.png", group="q", split="test"),
        row("e.png", group="q"),
        row("f.png", group="r"),
        row("g.png", group="s", split="test"),
        row("h.png", group="s", split="train"),
        row("i.png", group="s"),
    ) == ["val", "val", "train", "test", "test", "train", "test", "train", "test"]


def test_what_may_only_be_validated_with_is_tested_and_so_is_the_rest_of_its_group() -> None:
    assert parts(
        row("a.png", group="p", split="train", validate_only=True),
        row("b.png", group="q", validate_only=True),
        row("c.png", group="q"),
        row("d.png", group="r", split="val", validate_only=True),
    ) == ["test", "test", "test", "test"]


def test_held_out_groups_are_tested_whatever_their_manifest_says() -> None:
    rows = (
        row("a.png", dataset="d", patient="x"),
        row("b.png", dataset="d", patient="y"),
        row("c.png", group="p", split="train"),
    )
    assert parts(*rows, held_out=("d/x", "p")) == ["test", "train", "test"]
    with pytest.raises(DataRefused, match="of the group 'd/z', 'x'") as refused:
        parts(*rows, held_out=("d/x", "x", "d/z"))
    assert refused.value.exit_code == 26


def test_the_rest_is_divided_by_group_and_the_seed_decides() -> None:
    rows = [
        row(f"{patient}-{number}.png", dataset="d", patient=str(patient))
        for patient in range(24)
        for number in range(3)
    ]
    joined = join(rows, fractions=SHARES, seed=1)
    of_group: dict[str, set[str]] = {}
    for sample in joined:
        of_group.setdefault(sample.group, set()).add(sample.split)
    assert all(len(its) == 1 for its in of_group.values())
    counts = [sum(s.split == part for s in joined) for part in ("train", "val", "test")]
    assert counts == [36, 18, 18]
    assert join(rows, fractions=SHARES, seed=1) == joined
    assert join(rows, fractions=SHARES, seed=2) != joined
    with pytest.raises(DataRefused, match="too few to divide"):
        join(rows[:3], fractions=SHARES, seed=1)


def test_a_file_in_two_manifests_is_refused_by_name() -> None:
    with pytest.raises(DataRefused, match=r"a\.png: is listed twice"):
        join([row("a.png"), row("b/../a.png")], fractions=(1, 0, 0), seed=0)
