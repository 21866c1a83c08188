import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from phantom_volumes import reads_brightness, sees_lesion, write_phantom_volumes
from sklearn.metrics import roc_auc_score

from edge_infer.contract import LABELS
from edge_infer.errors import NonFiniteOutput
from edge_infer.preprocessing import PreprocessorConfig
from train.data.pixel_cache import PixelCache
from train.metrics.figures import wilson_interval
from train.volumes.answers import SliceAnswers, ask
from train.volumes.cues import CUES
from train.volumes.figures import source_figures, volume_areas
from train.volumes.report import cues_of_sources, write_volumes
from train.volumes.slices import Slice, read_slices

CONFIG = PreprocessorConfig(height=64, width=64)
HEALTHY = LABELS.index("no_tumor")
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float64]]


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    return read_slices(write_phantom_volumes(tmp_path_factory.mktemp("volumes") / "set"))


@pytest.fixture(scope="module")
def pixels(slices: list[Slice], tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.uint8]:
    samples = [one.sample() for one in slices]
    return PixelCache.build(samples, CONFIG, tmp_path_factory.mktemp("cache")).pixels


def made(
    labels: Sequence[int],
    scores: Sequence[float],
    *,
    volumes: Sequence[str] | None = None,
    patients: Sequence[str] | None = None,
) -> SliceAnswers:
    """Answers with these log-odds of a tumour; whatever is called a tumour is called a glioma."""
    tumour = 1 / (1 + np.exp(-np.array(scores)))
    probabilities = np.zeros((len(labels), len(LABELS)))
    probabilities[:, 0], probabilities[:, HEALTHY] = tumour, 1 - tumour
    return SliceAnswers(
        slices=tuple(
            Slice(
                image=Path(f"{row}.png"),
                name=f"{row}.png",
                label=label,
                dataset="d",
                modality="T1c",
                patient=patients[row] if patients else f"p{row}",
                volume=volumes[row] if volumes else "",
                position=None,
                mask=None,
                split="",
            )
            for row, label in enumerate(labels)
        ),
        probabilities=probabilities,
        scores=np.array(scores),
    )


def test_figures_of_a_small_case_worked_out_by_hand() -> None:
    # volume a: tumours 2 and -1, without 1 and -2: 3 of 4 pairs are right. Volume b: 1 tumour, 1 without, wrong.
    answers = made(
        [0, 0, 2, 2, 0, 2, 2],
        [2, -1, 1, -2, 3, 4, -3],
        volumes=["a"] * 4 + ["b"] * 2 + ["c"],
        patients=["p"] * 4 + ["q"] * 2 + ["r"],
    )
    figures = source_figures(answers, {})
    counts = {
        key: figures[key] for key in ("n", "tumours", "without_tumour", "patients", "volumes")
    }
    assert counts == {"n": 7, "tumours": 3, "without_tumour": 4, "patients": 3, "volumes": 3}
    model = figures["model"]
    assert model["roc_auc"]["value"] == pytest.approx(8 / 12)
    assert model["within_volumes"]["value"] == pytest.approx((3 / 4 + 0) / 2)
    assert model["within_volumes_by_pairs"]["value"] == pytest.approx(3 / 5)
    assert (model["within_volumes"]["n"], model["within_volumes"]["volumes"]) == (6, 2)
    assert [it["roc_auc"] for it in figures["by_volume"]] == [0.75, 0.0]
    called = figures["without_tumour_called_no_tumor"]
    assert (called["by_slice"]["value"], called["by_slice"]["n"]) == (0.5, 4)
    assert called["by_slice"]["low"] == wilson_interval(2, 4).low
    missed = figures["tumour_called_no_tumor"]
    assert missed["by_patient"]["value"] == missed["by_slice"]["value"] == pytest.approx(1 / 3)
    assert missed["by_patient"]["n"] == 3
    assert set(figures["recall"]) == {"glioma"}
    assert figures["recall"]["glioma"]["by_slice"]["value"] == pytest.approx(2 / 3)


def test_the_score_ranks_like_one_minus_p_and_does_not_saturate() -> None:
    logits = np.array([[1.0, 0, 2, 0], [40, 0, -40, 0], [41, 0, -40, 0], [-3, 1, 0.5, 0.2]])
    answers = ask(
        lambda grey: logits[: len(grey)],
        made([0] * 4, [0.0] * 4).slices,
        np.zeros((4, 8, 8), dtype=np.uint8),
        temperature=2.0,
    )
    p = answers.probabilities[:, HEALTHY]
    np.testing.assert_allclose(answers.scores[[0, 3]], np.log((1 - p) / p)[[0, 3]])
    assert 1 - p[1] == pytest.approx(1 - p[2])
    assert answers.scores[2] > answers.scores[1]


def test_volumes_of_one_kind_and_unknown_volumes_are_not_compared() -> None:
    answers = made([0, 2, 0, 2, 0, 0], [1, 0, 1, 0, 1, 1], volumes=["", "", "a", "a", "b", "b"])
    areas = volume_areas(answers.slices, answers.tumour, answers.scores)
    assert [(it.volume, it.rows, it.tumours, it.pairs) for it in areas] == [("a", (2, 3), 1, 1)]


@pytest.mark.parametrize("label", [0, HEALTHY])
def test_a_source_of_one_kind_has_shares_alone(label: int) -> None:
    figures = source_figures(made([label] * 4, [1, -1, -1, -1]), {"mean_grey": np.arange(4.0)})
    assert "model" not in figures
    assert "baselines" not in figures
    kinds = ("tumour_called_no_tumor", "without_tumour_called_no_tumor")
    has, lacks = kinds if label == 0 else kinds[::-1]
    assert figures[has]["by_slice"]["value"] == 0.75
    assert figures[has]["by_patient"]["low"] < 0.75 < figures[has]["by_patient"]["high"]
    assert figures[lacks]["by_slice"] == {
        "value": None,
        "n": 0,
        "low": None,
        "high": None,
        "interval": "wilson",
    }
    json.dumps(figures, allow_nan=False)


def test_the_same_seed_gives_the_same_intervals_and_few_patients_wide_ones() -> None:
    generator = np.random.default_rng(1)
    labels = [0, HEALTHY] * 40
    scores = (generator.normal(0, 1, 80) + np.repeat(generator.normal(0, 2, 8), 10)).tolist()
    few = made(labels, scores, patients=[f"p{row // 10}" for row in range(80)])
    many = made(labels, scores)
    first, second, other = (source_figures(few, {}, seed=seed) for seed in (3, 3, 4))
    assert first == second
    assert first != other
    figures = [source_figures(it, {})["tumour_called_no_tumor"]["by_patient"] for it in (few, many)]
    widths = [it["high"] - it["low"] for it in figures]
    assert widths[0] > 1.5 * widths[1]


def mixed(predict: Predict, slices: list[Slice], pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """The figures of the volumes that hold both kinds."""
    answers = ask(predict, slices, pixels)
    cues = cues_of_sources(answers, pixels)
    rows = answers.rows("mixed T1c")
    return source_figures(answers.only(rows), {name: its[rows] for name, its in cues.items()})


def test_a_model_that_reads_the_sequence_is_right_between_data_sets_and_at_chance_in_a_volume(
    slices: list[Slice], pixels: NDArray[np.uint8]
) -> None:
    answers = ask(reads_brightness, slices, pixels)
    healthy = answers.rows("healthy T1")
    tumours = np.flatnonzero(answers.tumour).tolist()
    between = answers.only([*tumours, *healthy])
    assert roc_auc_score(between.tumour, between.scores) == 1.0
    figures = mixed(reads_brightness, slices, pixels)
    for name in ("roc_auc", "within_volumes", "within_volumes_by_pairs"):
        its = figures["model"][name]
        assert its["low"] < 0.5 < its["high"], name
        assert abs(its["value"] - 0.5) < 0.15, name
    assert figures["without_tumour_called_no_tumor"]["by_slice"]["value"] == 0.0
    assert figures["tumour_called_no_tumor"]["by_slice"]["value"] == 0.0
    brightness = figures["baselines"]["mean_grey"]["roc_auc"]["value"]
    own = figures["model"]["roc_auc"]["value"]
    assert brightness == pytest.approx(max(own, 1 - own)), "the cue is what this model reads"


def test_a_model_that_sees_the_lesion_is_not_at_chance(
    slices: list[Slice], pixels: NDArray[np.uint8]
) -> None:
    figures = mixed(sees_lesion, slices, pixels)
    for name in ("roc_auc", "within_volumes"):
        assert figures["model"][name]["low"] > 0.9, name
    assert figures["model"]["sensitivity"]["value"] > 0.9
    assert figures["model"]["false_alarms"]["value"] < 0.1


def test_with_shuffled_labels_every_area_is_chance(
    slices: list[Slice], pixels: NDArray[np.uint8]
) -> None:
    answers = ask(sees_lesion, slices, pixels)
    rows = answers.rows("mixed T1c")
    its = answers.only(rows)
    held, areas = 0, []
    for seed in range(40):
        order = np.random.default_rng(seed).permutation(len(rows))
        shuffled = SliceAnswers(
            slices=its.slices, probabilities=its.probabilities[order], scores=its.scores[order]
        )
        figure = source_figures(shuffled, {})["model"]["roc_auc"]
        held += figure["low"] <= 0.5 <= figure["high"]
        areas.append(figure["value"])
    assert abs(np.mean(areas) - 0.5) < 0.03
    # A bootstrap over eight patients is too narrow: its 95 % intervals held 35 of 40.
    assert held >= 32


def test_every_cue_is_known_here_and_turned_to_where_it_separates(
    slices: list[Slice], pixels: NDArray[np.uint8]
) -> None:
    figures = mixed(sees_lesion, slices, pixels)
    assert set(figures["baselines"]) == set(CUES)
    answers = ask(sees_lesion, slices, pixels)
    cues, rows = cues_of_sources(answers, pixels), answers.rows("mixed T1c")
    for name, its in figures["baselines"].items():
        plain = roc_auc_score(answers.tumour[rows], cues[name][rows])
        assert its["roc_auc"]["value"] == pytest.approx(max(plain, 1 - plain))
        assert its["turned"] == (plain < 0.5)


def test_the_nearest_neighbour_is_never_of_the_same_patient() -> None:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (4, 32, 32), dtype=np.uint8)
    pixels[1] = pixels[0]  # a copy, of the same patient
    pixels[3] = pixels[0]
    answers = made([0, 0, HEALTHY, HEALTHY], [0.0] * 4, patients=["p", "p", "q", "r"])
    scores = cues_of_sources(answers, pixels)["nearest_neighbour"]
    assert np.isnan(scores[:2]).all(), "no other patient has a tumour"
    assert scores[3] > scores[2]


def test_a_cue_that_is_unknown_for_a_slice_is_left_out() -> None:
    cue = np.array([1.0, np.nan, 0, 2])
    figures = source_figures(made([0, 0, 2, 2], [1, 2, 3, 4]), {"slice_position": cue})
    assert figures["baselines"] == {}


def test_sources_without_a_tumour_are_summed_up(tmp_path: Path) -> None:
    answers = made([HEALTHY] * 4 + [0, HEALTHY], [-1, -1, -1, 1, 1, -1])
    datasets = ["h1", "h1", "h2", "h2", "m", "m"]
    renamed = SliceAnswers(
        slices=tuple(
            Slice(**{**{name: getattr(one, name) for name in Slice.__slots__}, "dataset": dataset})
            for one, dataset in zip(answers.slices, datasets, strict=True)
        ),
        probabilities=answers.probabilities,
        scores=answers.scores,
    )
    result = write_volumes(renamed, {}, tmp_path, title="A on B", provenance={})
    assert list(result["sources"]) == ["m T1c", "h1 T1c", "h2 T1c"], (
        "those that can tell come first"
    )
    healthy = result["healthy_sources"]
    assert (healthy["sources"], healthy["n"]) == (2, 4)
    assert healthy["without_tumour_called_no_tumor"]["by_slice"]["value"] == 0.75
    assert json.loads((tmp_path / "volumes.json").read_text()) == result


def test_an_answer_that_is_no_number_is_refused(
    slices: list[Slice], pixels: NDArray[np.uint8]
) -> None:
    def broken(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
        logits = sees_lesion(grey)
        logits[-1, 1] = np.nan
        return logits

    with pytest.raises(NonFiniteOutput, match="not a finite number"):
        ask(broken, slices, pixels)
