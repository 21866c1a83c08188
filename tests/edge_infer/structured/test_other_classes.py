"""Reports about classes of one's own: private codes, no tumour in any word, and objects that dciodvfy accepts."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from own_bundle import HUNDRED, ORGAN, PETS
from series_results import ALGORITHM, prediction, series_of

from edge_infer.classes import BRAIN, Classes
from edge_infer.series.result import Run, SeriesReason, SeriesResult
from edge_infer.structured.codes import PRIVATE_SCHEME, Code, class_code
from edge_infer.structured.document import as_file
from edge_infer.structured.write import build_results

HARD = Classes(("Łódź", "日本", "pituitary", "a" * 200), "pituitary")


def result_of(classes: Classes) -> SeriesResult:
    """Evidence of the first class by a rule; where no class is the negative one, no finding."""
    first, negative = classes.names[0], classes.negative
    found = series_of(
        given=lambda number, _: prediction(
            first if 3 < number < 7 else negative or classes.names[1], 0.9, classes=classes
        ),
        label=first,
        runs=(Run(label=first, first=4, last=6, length_mm=8.0),),
        rule="a rule",
        classes=classes,
    )
    if negative is not None:
        return found
    reasons = (SeriesReason.NO_RULE,)
    return replace(found, finding="abstain", label="", score=None, rule="", reasons=reasons)


def coded(dataset: Any) -> set[Code]:
    """Every code of a report."""
    found: set[Code] = set()
    for element in dataset.iterall():
        if element.keyword == "ConceptCodeSequence":
            for item in element.value:
                found.add(Code(item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning))
    return found


@pytest.mark.parametrize("classes", [PETS, ORGAN, HUNDRED, HARD], ids=["2", "4", "100", "hard"])
def test_every_class_has_a_private_code_of_its_own(classes: Classes) -> None:
    codes = [class_code(label, classes, "sct") for label in classes.names]
    assert {code.scheme for code in codes} == {PRIVATE_SCHEME}
    assert len({code.value for code in codes}) == len(classes)
    assert all(1 <= len(code.value) <= 16 and 1 <= len(code.meaning) <= 64 for code in codes)
    assert all(code.meaning.isascii() for code in codes)


def test_a_label_is_readable_and_the_code_is_that_of_the_name_wherever_it_stands() -> None:
    assert class_code("Łódź", HARD, "ncit").meaning == "?odz"
    assert class_code("日本", HARD, "ncit").meaning == "Class 2"
    elsewhere = Classes(("x", "Łódź"))
    assert class_code("Łódź", HARD, "ncit") == class_code("Łódź", elsewhere, "sct")
    # A gland in somebody's data set is no adenoma.
    assert class_code("pituitary", Classes(("pituitary", "x")), "ncit").scheme == PRIVATE_SCHEME
    assert class_code("pituitary", BRAIN, "ncit").value == "C3329"


@pytest.mark.parametrize("classes", [PETS, ORGAN, HUNDRED], ids=["2", "4", "100"])
def test_a_report_says_no_word_of_tumours(classes: Classes) -> None:
    report, *captures = build_results(result_of(classes), ALGORITHM)
    assert b"umour" not in as_file(report)
    assert b"TUMOUR" not in as_file(report)
    assert class_code(classes.names[0], classes, "ncit") in coded(report)
    assert captures


def test_of_a_hundred_classes_a_report_lists_the_most_probable() -> None:
    report = build_results(result_of(HUNDRED), ALGORITHM)[0]
    classes = [code for code in coded(report) if code.value.startswith("CLASS_")]
    assert 1 <= len(classes) <= 6
    assert len(as_file(report)) < 150_000


@pytest.mark.hospital
@pytest.mark.parametrize("classes", [PETS, ORGAN, HUNDRED, HARD], ids=["2", "4", "100", "hard"])
def test_dciodvfy_finds_no_error(classes: Classes, tmp_path: Path) -> None:
    program = shutil.which("dciodvfy") or pytest.skip("not installed: dciodvfy")
    for dataset in build_results(result_of(classes), ALGORITHM)[:2]:
        path = tmp_path / "object.dcm"
        path.write_bytes(as_file(dataset))
        run = subprocess.run([program, "-new", str(path)], capture_output=True, check=False)
        lines = (run.stdout + run.stderr).decode("latin-1").splitlines()
        assert {"Comprehensive3DSR", "SCImage"} & set(lines)
        assert [line for line in lines if "Error" in line] == []
