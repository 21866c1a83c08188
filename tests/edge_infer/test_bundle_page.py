import re
from pathlib import Path

from tiny_bundle import tiny_scope, tiny_series, tiny_trust

from edge_infer import manifest
from edge_infer.contract import INPUT_NAME, OUTPUT_NAMES, POSSIBLE_BUNDLE_FILES
from edge_infer.decision import NOTED
from edge_infer.reasons import Reason

PAGE = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text()


def test_the_page_lists_every_field_of_the_manifest_and_no_other() -> None:
    assert set(rows("## manifest.json")) == set(manifest._FIELDS)


def test_the_page_lists_every_reason_and_what_it_does() -> None:
    assert list(rows("## The decision")) == [reason.value for reason in Reason]
    for reason, line in rows("## The decision").items():
        assert line.endswith("| no |" if reason in NOTED else "| yes |")


def test_the_page_lists_every_field_of_trust() -> None:
    trust, scope = tiny_trust(), tiny_scope()
    listed = rows("## trust and scope.bin")
    assert set(listed) == {*trust, *scope}
    for name in (*trust["fitted_on"], *scope["fitted_on"], *scope["scales"]):
        assert f"`{name}`" in PAGE
    for array in scope["arrays"]:
        assert f"`{array['name']}`" in PAGE


def test_the_page_lists_every_field_of_series() -> None:
    assert set(rows("## series")) == set(tiny_series())


def rows(heading: str) -> dict[str, str]:
    """The lines of the tables below a heading, by the name in their first cell."""
    text = PAGE.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return {match[1]: line for line in lines if (match := re.match(r"\| `(\w+)` \|", line))}


def test_the_page_names_every_file_and_tensor() -> None:
    for name in (*POSSIBLE_BUNDLE_FILES, INPUT_NAME, *OUTPUT_NAMES):
        assert name in PAGE
