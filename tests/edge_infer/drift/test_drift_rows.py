"""Lines of brain-infer say which images are of one series, with and without a UID; others are no such lines."""

from typing import Any

import pytest

from edge_infer.contract import LABELS
from edge_infer.drift.rows import answer_of_line


def scan(series: int = 1, **changed: Any) -> dict[str, Any]:
    """What a line says of a slice; without identifiers, as of NIfTI."""
    fields = {"series": series, "number": 1, "study_instance_uid": "", "series_instance_uid": ""}
    return {**fields, "sop_instance_uid": "", "frame_number": None, "plane": "axial", **changed}


def line(source: str = "head.png", **changed: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "status": "ok", "source": source, "source_sha256": "ab" * 32, "label": LABELS[0],
        "probabilities": dict(zip(LABELS, [0.7, 0.1, 0.1, 0.1], strict=True)),
        "decision": "accept", "reasons": [], "scope": {"score": 1.0, "threshold": 2.0},
    }  # fmt: skip
    return {**fields, **changed}


def series_of(fields: dict[str, Any], file: int = 0) -> str:
    return answer_of_line(fields, 0, LABELS, file=file).series


def test_slices_of_a_volume_without_a_uid_are_of_one_series() -> None:
    first, last = (line(f"in/a.nii.gz#{number}", scan=scan()) for number in (1, 90))
    assert series_of(first) == series_of(last) != ""


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(line("in/b.nii.gz#1", scan=scan()), id="of another run in the same file"),
        pytest.param(line("in/a.nii.gz#1", scan=scan(2)), id="of another series"),
        pytest.param(
            line("in/a.nii.gz#1", scan=scan(), source_sha256="cd" * 32),
            id="of another file of that name, as all have that come from standard input",
        ),
    ],
)
def test_other_volumes_are_other_series(other: dict[str, Any]) -> None:
    one = line("in/a.nii.gz#1", scan=scan())
    assert series_of(one) != series_of(other)
    assert series_of(one, file=0) != series_of(one, file=1)


@pytest.mark.parametrize("mark", ["/", "\\", "!"])
def test_files_without_a_uid_are_one_series_of_their_folder(mark: str) -> None:
    """As ``edge_infer.series.study`` takes them for one; a name that ends as a slice's does not part them."""
    names = [f"in{mark}a{mark}1.dcm", f"in{mark}a{mark}2#7", f"in{mark}b{mark}1.dcm"]
    found = [
        series_of(line(name, scan=scan(sop_instance_uid=f"1.{number}"), source_sha256=name))
        for number, name in enumerate(names)
    ]
    assert found[0] == found[1] != found[2]


def test_frames_of_a_file_without_a_uid_are_one_series() -> None:
    found = [
        series_of(line(f"in/{name}#{frame}", scan=scan(sop_instance_uid="1.2", frame_number=frame)))
        for name, frame in (("a.dcm", 1), ("a.dcm", 2), ("b.dcm", 1))
    ]
    assert found[0] == found[1] != found[2]


def test_a_uid_is_the_series_wherever_it_lies_and_an_image_is_of_none() -> None:
    slices = [line(name, scan=scan(series_instance_uid="1.2.3")) for name in ("a/1", "b/1")]
    assert [series_of(one, file=number) for number, one in enumerate(slices)] == ["1.2.3"] * 2
    assert series_of(line("in/head#7")) == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"label": "other"},
        {"label": ["glioma"]},
        {"probabilities": dict.fromkeys(LABELS, 10**400)},
        {"probabilities": dict.fromkeys(LABELS, -0.1)},
        {"probabilities": dict.fromkeys(LABELS, "0.25")},
        {"scope": {"score": float("inf")}},
        {"scope": {"score": 10**400}},
    ],
)
def test_values_that_cannot_be_computed_with_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"label|number"):
        answer_of_line(line(**changed), 0, LABELS)


def test_a_single_class_is_refused() -> None:
    """Its entropy would be a division by 0."""
    with pytest.raises(ValueError, match="several classes"):
        answer_of_line(line(probabilities={LABELS[0]: 1.0}), 0, LABELS[:1])
