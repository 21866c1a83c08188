import re
from pathlib import Path

import pytest

from edge_infer.classes import BRAIN
from edge_infer.structured import codes, groups
from edge_infer.structured.identity import COPIED
from edge_infer.structured.uids import CODING_SCHEME_UID

PAGE = (Path(__file__).parents[3] / "docs" / "structured-results.md").read_text("utf-8")


def test_the_page_names_every_attribute_that_is_copied_and_no_other() -> None:
    table = PAGE.split("## What is copied")[1].split("\n\n")[1]
    named = set(re.findall(r"\b(?:Patient|Study|Accession)[A-Z][A-Za-z]*\b", table))
    assert named - {"StudyInstanceUID"} == {keyword for keyword, _, _ in COPIED}


def test_the_page_names_every_private_code() -> None:
    private = [
        value
        for module in (codes, groups)
        for value in vars(module).values()
        if isinstance(value, codes.Code) and value.scheme == codes.PRIVATE_SCHEME
    ]
    assert len(private) > 15
    assert [one.value for one in private if f"`{one.value}`" not in PAGE] == []
    assert CODING_SCHEME_UID in PAGE


@pytest.mark.parametrize("label", ["glioma", "meningioma", "pituitary"])
def test_the_page_has_the_codes_of_the_classes(label: str) -> None:
    for scheme in codes.SCHEMES:
        code = codes.class_code(label, BRAIN, scheme)
        assert f"{code.value} {code.meaning}" in PAGE
