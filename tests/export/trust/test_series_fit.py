from pathlib import Path

import numpy as np
import pytest

from edge_infer.contract import LABELS
from edge_infer.errors import DataRefused
from edge_infer.series_rule import SeriesRule, read_series_rule
from export.trust.series_fit import fit_series_rule, score
from export.trust.volume_answers import VOLUME_ANSWERS_FILE, Volume, read_volume_answers

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "export/checkpoints/efficientnet-lite" / VOLUME_ANSWERS_FILE
HEADER = "group,volume,plane,slice,label," + ",".join(f"logit_{label}" for label in LABELS)


def volume(patient: str, healthy: float, ill: float) -> Volume:
    """Six slices, the last three with a tumour; each kind has one log-odds of a tumour."""
    odds = np.array([healthy] * 3 + [ill] * 3)
    logits = np.full((6, len(LABELS)), -50.0)
    logits[:, LABELS.index("glioma")] = odds
    logits[:, LABELS.index("no_tumor")] = 0.0
    return Volume(
        name=patient,
        patient=patient,
        plane="axial",
        numbers=np.arange(6),
        shows_tumour=np.array([False] * 3 + [True] * 3),
        logits=logits,
    )


def read(fields: dict[str, object]) -> SeriesRule:
    rule = read_series_rule(fields)
    assert rule is not None
    return rule


def fitted(volumes: list[Volume]) -> dict[str, object]:
    return fit_series_rule(volumes, temperature=1.0, source="drawn")


def test_thresholds_leave_at_most_a_tenth_of_new_patients_on_the_wrong_side() -> None:
    draws = np.random.default_rng(0)
    volumes = [volume(f"p{n}", draws.normal(-1, 1), draws.normal(2, 1)) for n in range(200)]
    rule = read(fitted(volumes))
    fresh = [volume(f"q{n}", draws.normal(-1, 1), draws.normal(2, 1)) for n in range(2000)]
    healthy = np.array([score(one.without_tumour(), rule) for one in fresh])
    ill = np.array([score(one, rule) for one in fresh])
    assert 0.05 < (healthy > rule.positive).mean() < 0.15
    assert 0.05 < (ill < rule.negative).mean() < 0.15


def test_each_patient_weighs_the_same() -> None:
    quiet = [volume(f"p{n}", -3.0, 1.0) for n in range(40)]
    loud = [volume("loud", 2.5, 1.0) for _ in range(40)]
    assert read(fitted(quiet + loud)).positive < 0.5  # one patient of 41
    as_many_patients = [
        Volume(
            name=str(n),
            patient=str(n),
            plane="axial",
            numbers=one.numbers,
            shows_tumour=one.shows_tumour,
            logits=one.logits,
        )
        for n, one in enumerate(loud)
    ]
    assert read(fitted(quiet + as_many_patients)).positive == pytest.approx(0.9241, abs=1e-3)


def test_volumes_that_are_all_on_their_side_share_one_threshold() -> None:
    fields = fitted([volume(f"p{n}", -4.0, 4.0) for n in range(30)])
    assert fields["positive"] == fields["negative"] == pytest.approx(0.5, abs=0.01)


def test_few_patients_get_the_worst_score_seen() -> None:
    fields = fitted([volume("a", -1.0, 0.0), volume("b", 1.0, 0.0)])
    assert fields["positive"] == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-3)


def test_volumes_without_a_tumour_alone_cannot_be_fitted_on() -> None:
    with pytest.raises(ValueError, match="long enough"):
        fitted([volume("a", -1.0, 1.0).without_tumour()])


def test_the_shipped_answers_give_a_rule_with_every_patient() -> None:
    answers = read_volume_answers(SHIPPED)
    assert (len(answers.volumes), answers.slices) == (22, 367)
    fields = fit_series_rule(answers.volumes, temperature=0.7777, source=answers.source)
    assert fields["fitted_on"]["patients"] == 11
    assert 0 < fields["negative"] < fields["positive"] < 1


ROW = "p1,v1,axial,{slice},{label},1,2,3,4"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["p1,v1,axial,0,glioma,1,2,3"], "logit_pituitary is not a finite number"),
        (["p1,v1,axial,0,knee,1,2,3,4"], "label is knee"),
        (["p1,v1,axial,x,glioma,1,2,3,4"], "slice is x"),
        (["p1,v1,oblique,0,glioma,1,2,3,4"], "plane is oblique"),
        (["p1,,axial,0,glioma,1,2,3,4"], "volume is empty"),
        ([",v1,axial,0,glioma,1,2,3,4"], "group is empty"),
        (["p1,v1,axial,0,glioma,1,2,3,4", "p1,v1,axial,0,glioma,1,2,3,4"], "slice is there twice"),
        (["p1,v1,axial,0,glioma,1,2,3,4", "p2,v1,axial,1,glioma,1,2,3,4"], "another group"),
    ],
)
def test_wrong_rows_are_named_with_their_line(tmp_path: Path, rows: list[str], said: str) -> None:
    path = tmp_path / VOLUME_ANSWERS_FILE
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    with pytest.raises(DataRefused, match=said):
        read_volume_answers(path)


def test_slices_are_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / VOLUME_ANSWERS_FILE
    rows = [ROW.format(slice=number, label="no_tumor") for number in (10, 2, 3)]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    (only,) = read_volume_answers(path).volumes
    assert only.numbers.tolist() == [2, 3, 10]
