import io
from typing import Any

import pytest
from dicom_files import drawn_volume, enhanced_mr, mr_series
from highdicom.sr import Comprehensive3DSR, srread
from pydicom.dataset import Dataset
from series_results import ALGORITHM, prediction, series_of

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.reasons import Reason
from edge_infer.series.result import SeriesReason, SliceState
from edge_infer.structured.codes import reason_code
from edge_infer.structured.document import as_file
from edge_infer.structured.report import build_report
from edge_infer.structured.selection import MOST_SLICES
from edge_infer.structured.source import read_source


def report_on(result: Any, **options: Any) -> Comprehensive3DSR:
    """The report, written, and read by highdicom, which knows the templates."""
    built = build_report(result, read_source(result), ALGORITHM, **options)
    return srread(io.BytesIO(as_file(built)))


def groups_of(report: Comprehensive3DSR) -> list[Any]:
    groups: list[Any] = report.content.get_image_measurement_groups()
    return groups


def items(holder: Dataset, meaning: str) -> list[Dataset]:
    """All content items below one that have a name."""
    found = []
    for item in holder.get("ContentSequence", ()):
        if item.ConceptNameCodeSequence[0].CodeMeaning == meaning:
            found.append(item)
        found += items(item, meaning)
    return found


def value_of(item: Dataset) -> Any:
    if item.ValueType == "TEXT":
        return item.TextValue
    if item.ValueType == "NUM":
        return float(item.MeasuredValueSequence[0].NumericValue)
    return item.ConceptCodeSequence[0].CodeValue


def by_class(group: Any, meaning: str) -> dict[str, float]:
    """Numbers of a name, each by the code of the class in its modifier."""
    return {value_of(item.ContentSequence[0]): value_of(item) for item in items(group[0], meaning)}


def test_highdicom_reads_back_class_probabilities_digest_and_image() -> None:
    result = series_of()
    report = report_on(result)
    whole, *slices = groups_of(report)
    assert whole.tracking_identifier == "Series"
    assert whole.finding_type.value == "C3230"
    assert whole.finding_sites[0].value.value == "12738006"
    assert [group.tracking_identifier for group in slices] == ["Slice 5", "Slice 6"]
    for group in slices:
        number = int(group.tracking_identifier.split()[1])
        answer = result.slices[number - 1]
        assert group.finding_type.value == "C3230"
        probabilities = answer.outcome.prediction.probabilities
        codes = dict(zip(LABELS, ("C3059", "C3230", "NO_TARGET_TUMOUR", "C3329"), strict=True))
        expected = {
            codes[label]: pytest.approx(value, abs=5e-7) for label, value in probabilities.items()
        }
        assert by_class(group, "Probability") == expected
        (image,) = group.source_images
        assert image.referenced_sop_instance_uid == answer.slice.identity.sop_instance_uid
        assert image.referenced_frame_numbers is None
        parameters = [value_of(item) for item in items(group[0], "Algorithm Parameters")]
        assert f"manifest_sha256={ALGORITHM.manifest_sha256}" in parameters
        assert f"notice={RESEARCH_USE_ONLY}" in parameters


def test_the_report_says_who_observed_which_procedure_and_that_nobody_has_verified_it() -> None:
    report = report_on(series_of())
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    assert (report.CompletionFlag, report.PreliminaryFlag) == ("COMPLETE", "PRELIMINARY")
    assert report.VerificationFlag == "UNVERIFIED"
    assert report.content[0].ContentTemplateSequence[0].TemplateIdentifier == "1500"
    (observer,) = report.content.get_observer_contexts()
    assert observer.observer_type.value == "121007"
    device = observer.observer_identifying_attributes
    assert (device.name, device.manufacturer_name) == ("brain-edge drawn-model", "brain-edge")
    (procedure,) = items(report, "Procedure reported")
    assert value_of(procedure) == "24590-2"
    (equipment,) = report.ContributingEquipmentSequence
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert (equipment.SoftwareVersions, equipment.DeviceUID) == ("9.8.7", device.uid)
    comments = [value_of(item) for item in report.ContentSequence if item.name.value == "121106"]
    assert comments == [f"UNVERIFIED. {RESEARCH_USE_ONLY}"]


def test_every_slice_of_the_source_is_evidence() -> None:
    datasets = mr_series(drawn_volume(slices=9, rows=32, columns=32))
    evidence = report_on(series_of(datasets)).get_evidence()
    assert {one[2] for one in evidence} == {one.SOPInstanceUID for one in datasets}
    assert {(one[0], one[1]) for one in evidence} == {
        (datasets[0].StudyInstanceUID, datasets[0].SeriesInstanceUID)
    }


def test_frames_of_one_file_are_named_by_number() -> None:
    dataset = enhanced_mr(drawn_volume(slices=9, rows=32, columns=32))
    report = report_on(series_of([dataset]))
    assert len(report.get_evidence()) == 1
    whole, first, second = groups_of(report)
    (image,) = whole.source_images
    assert list(image.referenced_frame_numbers) == [2, 3, 4, 5, 6, 7, 8]
    assert [list(group.source_images[0].referenced_frame_numbers) for group in (first, second)] == [
        [5],
        [6],
    ]


def test_the_score_is_given_with_its_rule_and_is_called_no_calibrated_probability() -> None:
    result = series_of()
    whole = groups_of(report_on(result))[0]
    meaning = "Tumour evidence score, 0 to 1; not a calibrated probability"
    (score,) = items(whole[0], meaning)
    assert value_of(score) == pytest.approx(result.score, abs=5e-7)
    assert [value_of(item) for item in score.ContentSequence] == [
        "C3230",
        result.rule,
    ]


def test_no_tumour_evidence_is_never_called_normal() -> None:
    result = series_of(
        given=lambda *_: prediction("no_tumor"), finding="no_tumour_evidence", label="", runs=()
    )
    report = report_on(result)
    groups = groups_of(report)
    assert [group.finding_type.value for group in groups] == ["NO_TARGET_TUMOUR"] * 4
    assert {group.finding_type.scheme_designator for group in groups} == {"99BRAINEDGE"}
    assert b"ormal" not in as_file(report)
    (words,) = items(groups[0][0], "Slices with a group of their own")
    assert value_of(words) == (
        "Shown one by one: no slice is called a tumour and accepted; the 3 slices nearest to it. "
        "6 other classified slices summarised in the counts."
    )


@pytest.mark.parametrize("reason", SeriesReason)
def test_a_series_that_abstains_names_no_tumour_as_its_finding(reason: SeriesReason) -> None:
    report = report_on(series_of(finding="abstain", reasons=(reason,), score=0.5))
    whole = groups_of(report)[0]
    assert whole.finding_type.value == "ABSTAINED"
    evaluations = {one.name.value: one.value.value for one in whole.get_qualitative_evaluations()}
    assert evaluations["DECISION"] == "ABSTAINED"
    assert evaluations["REASON"] == reason_code(reason.value).value


@pytest.mark.parametrize("reason", Reason)
def test_a_slice_that_abstains_has_its_class_as_the_nearest_only(reason: Reason) -> None:
    report = report_on(series_of(given=lambda *_: prediction("glioma", reasons=[reason])))
    for group in groups_of(report)[1:]:
        assert group.finding_type.value == "ABSTAINED"
        evaluations = {
            one.name.value: one.value.value for one in group.get_qualitative_evaluations()
        }
        assert evaluations["DECISION"] == "ABSTAINED"
        assert evaluations["NEAREST_CLASS"] == "C3059"
        assert evaluations["REASON"] == reason_code(reason.value).value
        # The calibration behind the prediction set knows no images out of scope.
        assert ("NOT_EXCLUDED" in evaluations) == (reason is not Reason.OUT_OF_SCOPE)


def test_slices_of_the_run_that_the_finding_rests_on_are_shown_even_if_they_abstain() -> None:
    result = series_of(scored=(3, 5))
    report = report_on(result)
    whole, *slices = groups_of(report)
    shown = {group.tracking_identifier: group.finding_type.value for group in slices}
    assert shown == {
        "Slice 3": "NO_TARGET_TUMOUR",
        "Slice 4": "ABSTAINED",
        "Slice 5": "C3230",
        "Slice 6": "C3230",
    }
    assert [value_of(item) for item in items(whole[0], "Slices that the score is of")] == ["3 to 5"]


def test_a_series_without_a_rule_has_counts_and_no_score() -> None:
    result = series_of(
        score=None, rule="", finding="abstain", label="", reasons=(SeriesReason.NO_RULE,)
    )
    whole = groups_of(report_on(result))[0]
    assert not items(whole[0], "Tumour evidence score, 0 to 1; not a calibrated probability")
    assert [value_of(item) for item in items(whole[0], "Slices classified")] == [7.0]
    assert [value_of(item) for item in items(whole[0], "Slices")] == [9.0]
    assert sum(by_class(whole, "Slices accepted as").values()) == 6.0
    assert [value_of(item) for item in items(whole[0], "Slices whose answer is not accepted")] == [
        1.0
    ]


def test_a_series_of_which_no_slice_could_be_classified_still_has_a_report() -> None:
    result = series_of(
        given=lambda *_: SliceState.FAILED,
        finding="abstain",
        label="",
        score=None,
        runs=(),
        reasons=(SeriesReason.FAILED_SLICES,),
    )
    (whole,) = groups_of(report_on(result))
    assert whole.finding_type.value == "ABSTAINED"
    assert whole.source_images == []


def test_a_report_on_many_slices_is_bounded_and_says_how_many_are_summarised() -> None:
    datasets = mr_series(drawn_volume(slices=180, rows=16, columns=16))
    report = report_on(series_of(datasets))
    whole, *slices = groups_of(report)
    assert len(slices) == MOST_SLICES
    # The probability rises with the number of the slice, and the highest are shown, in order.
    assert [group.tracking_identifier for group in slices] == [
        f"Slice {number}" for number in range(97, 121)
    ]
    (words,) = items(whole[0], "Slices with a group of their own")
    assert "24 of 59 slices called a tumour and accepted, or scored as one" in value_of(words)
    assert len(whole.source_images) == 178
    assert len(as_file(report)) < 250_000


def test_snomed_codes_are_given_where_they_are_asked_for() -> None:
    report = report_on(series_of(), codes="sct")
    assert groups_of(report)[0].finding_type.value == "302820008"
    assert b"C3230" not in as_file(report)


def test_warnings_are_repeated_once_without_the_names_of_files() -> None:
    warning = "slice002.dcm: other_modality was overruled"
    report = report_on(series_of(warnings=(warning, warning, "contrast ≥ 1 unknown")))
    comments = [value_of(item) for item in items(groups_of(report)[0][0], "Comment")]
    assert comments[:2] == ["(file): other_modality was overruled", "contrast >= 1 unknown"]


def test_each_reason_has_a_code_of_its_own_that_fits() -> None:
    values = [reason_code(reason.value).value for reason in (*Reason, *SeriesReason)]
    assert len({reason.value for reason in (*Reason, *SeriesReason)}) == len(set(values))
    assert max(map(len, values)) <= 16
