"""A series is answered: end slices are not asked, the rule is applied, and every reason to abstain is found."""

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scan_slices import GLIOMA, HEALTHY, MENINGIOMA, SPECK, series_of, slice_at, unreadable_at
from tiny_bundle import noise

from edge_infer.classifier import Classifier
from edge_infer.image_file import SourceImage
from edge_infer.scan_slice import ShownSlice
from edge_infer.series import classify, kept_slices
from edge_infer.series.classify import classify_series
from edge_infer.series.result import SeriesReason, SeriesResult, SliceState
from edge_infer.series.study import Series

T1 = {"scanning_sequence": ("GR",), "sequence_variant": ("MP",), "echo_time_ms": 3.0}
NOISE = np.asarray(noise(3, (32, 32)))


def answered(classifier: Classifier, pixels: list[Any], **options: Any) -> SeriesResult:
    """Answer a series of slices 4 mm apart."""
    fields = {**T1, **options}
    slices = [
        unreadable_at(4.0 * step, **fields) if one is None else slice_at(4.0 * step, one, **fields)
        for step, one in enumerate(pixels)
    ]
    return classify_series(classifier, series_of(slices))


def states(result: SeriesResult) -> str:
    return "".join(one.state.value[0] for one in result.slices)


def test_a_tumour_over_neighbouring_slices_is_evidence(classifier: Classifier) -> None:
    result = answered(classifier, [HEALTHY, HEALTHY, GLIOMA, GLIOMA, GLIOMA, HEALTHY])
    assert (result.finding, result.label, result.reasons) == ("tumour_evidence", "glioma", ())
    assert result.score is not None
    assert result.score > 0.99
    assert result.scored is not None
    assert 3 <= result.scored[0] < result.scored[1] <= 5
    (run,) = result.runs
    assert (run.label, run.first, run.last, run.slices, run.length_mm) == ("glioma", 3, 5, 3, 8.0)
    assert (result.plane, result.sequence.name) == ("axial", "t1")
    assert "above 0.900 tumour evidence" in result.rule


def test_healthy_slices_are_no_evidence(classifier: Classifier) -> None:
    result = answered(classifier, [HEALTHY] * 6)
    assert (result.finding, result.label, result.reasons) == ("no_tumour_evidence", "", ())
    assert result.score is not None
    assert result.score < 0.01
    assert result.runs == ()


def test_one_slice_is_not_enough(classifier: Classifier) -> None:
    """Any slice would do for a rule that gives 78 % of healthy heads a false alarm."""
    result = answered(classifier, [HEALTHY, HEALTHY, GLIOMA, HEALTHY, HEALTHY])
    assert result.finding != "tumour_evidence"
    assert [run.slices for run in result.runs] == [1]


def test_end_slices_are_not_asked_whatever_they_would_say(classifier: Classifier) -> None:
    result = answered(classifier, [SPECK, SPECK, HEALTHY, HEALTHY, HEALTHY, SPECK])
    assert states(result) == "eeccce"
    assert all(one.outcome is None for one in result.slices if one.state is SliceState.END_SLICE)
    assert result.finding == "no_tumour_evidence"
    shares = [one.head_share for one in result.slices]
    assert max(share for share in shares if share is not None) == 1.0
    assert shares[0] is not None
    assert shares[0] < 0.2


def test_a_slice_that_cannot_be_read_fails_alone_and_no_evidence_is_taken_back(
    classifier: Classifier,
) -> None:
    result = answered(classifier, [HEALTHY, None, HEALTHY, HEALTHY, HEALTHY])
    assert states(result) == "cfccc"
    assert (result.finding, result.reasons) == ("abstain", (SeriesReason.FAILED_SLICES,))
    failed = result.slices[1]
    assert failed.head_share is None
    assert failed.outcome is not None
    assert failed.outcome.error is not None
    assert failed.outcome.error.code == "corrupt"
    assert "1 slice without an answer" in result.warnings[-1]


def test_evidence_stands_although_other_slices_failed(classifier: Classifier) -> None:
    result = answered(classifier, [None, GLIOMA, GLIOMA, GLIOMA])
    assert (result.finding, result.label) == ("tumour_evidence", "glioma")
    assert any("1 slice without an answer" in words for words in result.warnings)


def test_other_sequences_abstain(classifier: Classifier) -> None:
    for fields in (
        {"scanning_sequence": ("SE",), "echo_time_ms": 100.0},
        {"scanning_sequence": ("EP",), "echo_time_ms": 30.0},
        {"modality": "CT"},
    ):
        result = answered(classifier, [GLIOMA] * 5, **fields)
        assert (result.finding, result.label) == ("abstain", "")
        assert result.reasons == (SeriesReason.OTHER_SEQUENCE,)


def test_an_unknown_sequence_is_answered_with_a_warning(classifier: Classifier) -> None:
    slices = [slice_at(4.0 * step, HEALTHY) for step in range(5)]
    result = classify_series(classifier, series_of(slices))
    assert result.finding == "no_tumour_evidence"
    assert any("does not say which sequence" in words for words in result.warnings)


def test_a_series_out_of_scope_abstains(classifier: Classifier) -> None:
    result = answered(classifier, [NOISE] * 4 + [HEALTHY])
    assert SeriesReason.OUT_OF_SCOPE in result.reasons
    assert result.finding == "abstain"
    some = answered(classifier, [NOISE] + [HEALTHY] * 5)
    assert SeriesReason.OUT_OF_SCOPE not in some.reasons


def test_the_scope_mode_holds_for_a_series(ruled_path: Path) -> None:
    reports = Classifier.load(ruled_path, num_threads=1, scope="report")
    result = answered(reports, [NOISE] * 5)
    assert SeriesReason.OUT_OF_SCOPE not in result.reasons


@pytest.mark.parametrize("length", [1, 2])
def test_too_few_slices_abstain(classifier: Classifier, length: int) -> None:
    result = answered(classifier, [GLIOMA] * length)
    assert (result.finding, result.reasons) == ("abstain", (SeriesReason.TOO_FEW_SLICES,))
    assert result.score is None
    assert len(result.classified) == length


def test_slices_without_positions_abstain_and_are_answered(classifier: Classifier) -> None:
    slices = [slice_at(None, GLIOMA, name=f"{step}", **T1) for step in range(5)]
    result = classify_series(classifier, series_of(slices))
    assert (result.finding, result.score) == ("abstain", None)
    assert SeriesReason.UNKNOWN_POSITIONS in result.reasons
    assert len(result.classified) == 5
    assert result.runs[0].length_mm is None


def test_two_slices_at_one_place_abstain(classifier: Classifier) -> None:
    slices = [
        slice_at(4.0 * step, GLIOMA, name=f"{echo}{step}", **T1)
        for step in range(4)
        for echo in "ab"
    ]
    result = classify_series(classifier, series_of(slices))
    assert (result.finding, result.reasons) == ("abstain", (SeriesReason.UNKNOWN_POSITIONS,))


def test_a_bundle_without_a_rule_abstains(trusting_path: Path) -> None:
    without = Classifier.load(trusting_path, num_threads=1)
    result = answered(without, [GLIOMA] * 5)
    assert (result.finding, result.rule, result.score) == ("abstain", "", None)
    assert result.reasons == (SeriesReason.NO_RULE,)
    assert result.runs[0].slices == 5


def test_runs_end_at_gaps_other_tumours_and_slices_that_are_not_accepted(
    classifier: Classifier,
) -> None:
    kinds = [GLIOMA, GLIOMA, NOISE, GLIOMA, MENINGIOMA, MENINGIOMA, MENINGIOMA]
    result = answered(classifier, kinds)
    found = [(run.label, run.first, run.last) for run in result.runs]
    assert found == [("meningioma", 5, 7), ("glioma", 1, 2), ("glioma", 4, 4)]
    apart = [slice_at(z, GLIOMA, **T1) for z in (0.0, 4.0, 8.0, 30.0, 34.0)]
    divided = classify_series(classifier, series_of(apart)).runs
    assert [(run.first, run.last) for run in divided] == [(1, 3), (4, 5)]


def test_warnings_of_slices_are_those_of_the_series(classifier: Classifier) -> None:
    slices = [slice_at(4.0 * step, HEALTHY, **T1) for step in range(4)]
    slices[1] = slice_at(4.0, HEALTHY, warnings=["overruled: localizer"], **T1)
    result = classify_series(classifier, series_of(slices))
    assert "1 slice: overruled: localizer" in result.warnings
    every = [slice_at(4.0 * step, HEALTHY, warnings=["all of them"], **T1) for step in range(4)]
    assert "all of them" in classify_series(classifier, series_of(every)).warnings


def test_progress_ends_at_its_total_and_each_slice_is_shown_once(classifier: Classifier) -> None:
    steps: list[tuple[int, int]] = []
    shown: list[int] = []
    slices = [slice_at(4.0 * step, HEALTHY) for step in range(3)] + [unreadable_at(12.0)]
    classify_series(
        classifier,
        series_of(slices),
        progress=lambda done, total: steps.append((done, total)),
        shown=lambda index, _image: shown.append(index),
    )
    assert [done for done, _ in steps] == list(range(1, 9))
    assert {total for _, total in steps} == {8}
    assert shown == [0, 1, 2]


def test_no_pixels_stay_in_memory(classifier: Classifier) -> None:
    alive: list[weakref.ref[Any]] = []
    most = 0

    def read_number(number: int) -> ShownSlice:
        nonlocal most
        image = slice_at(0.0, GLIOMA).read().source.image.resize((256, 256))
        alive.append(weakref.ref(image))
        most = max(most, sum(ref() is not None for ref in alive))
        digest = f"{number:064x}"
        source = SourceImage(name=str(number), sha256=digest, image=image)
        return ShownSlice(source=source, grey="as drawn")

    slices = [
        slice_at(4.0 * step, HEALTHY, read=lambda step=step: read_number(step), **T1)
        for step in range(12)
    ]
    result = classify_series(classifier, series_of(slices))
    assert len(result.classified) == 12
    assert most <= 2
    assert not any(ref() for ref in alive)


def test_slices_beyond_what_is_kept_are_read_again_with_equal_answers(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [HEALTHY, GLIOMA, GLIOMA, GLIOMA, HEALTHY]
    usual = answered(classifier, kinds)
    monkeypatch.setattr(classify, "KeptSlices", lambda: kept_slices.KeptSlices(700))
    again = answered(classifier, kinds)
    for one, other in zip(usual.slices, again.slices, strict=True):
        assert one.outcome is not None
        assert other.outcome is not None
        assert one.outcome.prediction == other.outcome.prediction


def test_a_slice_that_changes_between_two_readings_fails(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify, "KeptSlices", lambda: kept_slices.KeptSlices(0))
    reads = iter([HEALTHY, GLIOMA])
    slices = [slice_at(4.0 * step, HEALTHY, **T1) for step in range(3)]
    changing = slice_at(12.0, read=lambda: slice_at(12.0, next(reads)).read(), **T1)
    result = classify_series(classifier, series_of([*slices, changing]))
    outcome = result.slices[-1].outcome
    assert outcome is not None
    assert outcome.error is not None
    assert "changed while it was being processed" in outcome.error.message


def test_reading_that_takes_too_long_fails_alone(classifier: Classifier) -> None:
    import time

    def slow() -> ShownSlice:
        time.sleep(1.0)
        return slice_at(8.0).read()

    slices = [slice_at(0.0, HEALTHY), slice_at(4.0, HEALTHY), slice_at(8.0, read=slow)]
    result = classify_series(classifier, series_of(slices), timeout_s=0.2)
    assert states(result) == "ccf"


def test_a_slice_says_what_it_says_alone(classifier: Classifier) -> None:
    result = answered(classifier, [GLIOMA, HEALTHY, GLIOMA])
    for one, grey in zip(result.slices, (GLIOMA, HEALTHY, GLIOMA), strict=True):
        alone = classifier.predict(grey)
        assert one.outcome is not None
        assert one.outcome.prediction is not None
        assert one.outcome.prediction.logits == alone.logits
        assert isinstance(one.outcome.source, str)


def at(places: Sequence[tuple[float, Any]]) -> Series:
    return series_of([slice_at(place, grey, **T1) for place, grey in places])


def test_two_hot_slices_with_a_gap_between_them_are_no_neighbours(classifier: Classifier) -> None:
    cold = [(6.5 * step, HEALTHY) for step in range(4)]
    far = [(58.5, GLIOMA), *((104.0 + 6.5 * step, HEALTHY) for step in range(4))]
    result = classify_series(classifier, at([*cold, (26.0, GLIOMA), *far]))
    assert result.finding == "abstain"  # whether a neighbour shows it too cannot be known
    assert SeriesReason.MISSING_SLICES in result.reasons
    together = [(6.5 * step, GLIOMA if step in (4, 5) else HEALTHY) for step in range(10)]
    assert classify_series(classifier, at(together)).finding == "tumour_evidence"


@pytest.mark.parametrize("step", [40.0, 65.0])
def test_slices_far_apart_are_no_neighbours_however_even(
    classifier: Classifier, step: float
) -> None:
    result = classify_series(classifier, at([(step * number, GLIOMA) for number in range(4)]))
    assert (result.finding, result.reasons[0]) == ("abstain", SeriesReason.TOO_FEW_SLICES)
    near = classify_series(classifier, at([(24.0 * number, GLIOMA) for number in range(4)]))
    assert near.finding == "tumour_evidence"
    assert any("24 mm apart: a tumour between two is not seen" in one for one in near.warnings)


def test_slices_that_failed_part_a_run(classifier: Classifier) -> None:
    hot = [slice_at(6.5 * step, GLIOMA, **T1) for step in (4, 7)]
    lost = [unreadable_at(6.5 * step, **T1) for step in (5, 6)]
    cold = [slice_at(6.5 * step, HEALTHY, **T1) for step in (0, 1, 2, 3, 8, 9, 10)]
    result = classify_series(classifier, series_of([*hot, *lost, *cold]))
    assert result.finding == "abstain"


def test_no_evidence_says_which_slices_are_called_a_tumour(classifier: Classifier) -> None:
    def notes(*hot: int) -> list[str]:
        places = [(3.0 * step, GLIOMA if step in hot else HEALTHY) for step in range(16)]
        result = classify_series(classifier, at(places))
        assert result.finding == "no_tumour_evidence"
        return [one for one in result.warnings if "called" in one]

    assert notes(8) == ["1 slice alone is called glioma (slice 9); by the rule that is no evidence"]
    assert notes(2, 8) == [
        "2 slices are called a tumour (slice 3 glioma, slice 9 glioma); by the rule that is no evidence"
    ]
    assert "and 2 places more" in notes(1, 4, 7, 10, 13)[0]
    assert notes() == []
