"""Golden images are read as they were written; a bundle that lacks or garbles them is refused."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import GOLDEN, SIZE, as_schema_1, bundle_files, golden_answers, manifest_body

from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import GOLDEN_FILE
from edge_infer.errors import BundleIncompatible, BundleIncomplete, BundleIntegrity
from edge_infer.golden import golden_sheet


def png(image: Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def test_each_image_comes_back_with_its_answer(bundle_path: Path) -> None:
    cases = load_bundle(bundle_path).golden_cases()
    assert [case.number for case in cases] == list(range(1, 17))
    for case, grey, answer in zip(cases, GOLDEN, golden_answers(), strict=True):
        assert np.array_equal(case.grey, grey)
        assert case.label == answer["label"]
        np.testing.assert_allclose(case.logits, answer["logits"], rtol=1e-6)


def test_fewer_images_leave_the_rest_of_the_sheet_black(make_bundle: Callable[..., Path]) -> None:
    files = {**bundle_files(), GOLDEN_FILE: golden_sheet(GOLDEN[:5])}
    bundle = load_bundle(make_bundle(files=files, golden=golden_answers()[:5]))
    assert np.array_equal([case.grey for case in bundle.golden_cases()], GOLDEN[:5])
    with Image.open(bundle.path / GOLDEN_FILE) as sheet:
        assert sheet.size == (4 * SIZE, 4 * SIZE)
        assert not np.asarray(sheet)[2 * SIZE :].any()


def test_a_bundle_of_schema_1_loads_and_has_none(own_bundle: Path) -> None:
    as_schema_1(own_bundle)
    assert load_bundle(own_bundle).golden_cases() == []
    classifier = Classifier.load(own_bundle, self_test="full")  # nothing to replay, nothing to fail
    assert classifier.predict(GOLDEN[0]).label == golden_answers()[0]["label"]


def test_golden_images_in_a_bundle_of_schema_1_do_not_belong_there(own_bundle: Path) -> None:
    sheet = (own_bundle / GOLDEN_FILE).read_bytes()
    as_schema_1(own_bundle)
    (own_bundle / GOLDEN_FILE).write_bytes(sheet)
    with pytest.raises(BundleIntegrity, match=r"golden\.png"):
        load_bundle(own_bundle)


@pytest.mark.parametrize(
    "sheet",
    [
        b"",
        b"no image",
        png(Image.new("L", (4 * SIZE, 4 * SIZE)))[:-30],
        png(Image.new("L", (4 * SIZE, 3 * SIZE))),
        png(Image.new("RGB", (4 * SIZE, 4 * SIZE))),
        png(Image.new("L", (4 * SIZE, 4 * SIZE)), "BMP"),
    ],
    ids=["empty", "text", "cut short", "small", "coloured", "no PNG"],
)
def test_a_sheet_of_another_form_is_never_written(tmp_path: Path, sheet: bytes) -> None:
    with pytest.raises(BundleIntegrity, match=r"golden\.png"):
        write_bundle(tmp_path / "new", {**bundle_files(), GOLDEN_FILE: sheet}, manifest_body())
    assert list(tmp_path.iterdir()) == []


def without(name: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in answer.items() if key != name} for answer in ANSWERS]


ANSWERS = golden_answers()
WRONG_LABEL = next(answer["label"] for answer in ANSWERS if answer["label"] != ANSWERS[0]["label"])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"golden": []}, BundleIncomplete),
        ({"golden": without("label")}, BundleIncomplete),
        ({"golden": without("fp32_logits")}, BundleIncomplete),
        ({"golden": ["glioma"]}, BundleIncomplete),
        ({"golden": [*ANSWERS, ANSWERS[0]]}, BundleIncompatible),
        ({"golden": [{**ANSWERS[0], "logits": [1.0, 2.0]}]}, BundleIncompatible),
        ({"golden": [{**ANSWERS[0], "logits": [1.0, 2.0, True, "4"]}]}, BundleIncompatible),
        ({"golden": [{**ANSWERS[0], "label": WRONG_LABEL}]}, BundleIncompatible),
        ({"self_test": {}}, BundleIncompatible),
        ({"self_test": {"tolerance_logits": 0}}, BundleIncompatible),
        ({"self_test": {"tolerance_logits": "0.1"}}, BundleIncompatible),
    ],
)
def test_answers_of_another_form_are_never_written(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"manifest\.json"):
        write_bundle(tmp_path / "new", bundle_files(), manifest_body(**changes))


@pytest.mark.parametrize("count", [0, 17])
def test_a_sheet_holds_one_to_sixteen(count: int) -> None:
    with pytest.raises(ValueError, match="expected 1"):
        golden_sheet([GOLDEN[0]] * count)
