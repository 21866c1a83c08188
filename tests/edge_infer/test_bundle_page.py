import re
from pathlib import Path

from edge_infer import manifest
from edge_infer.contract import BUNDLE_FILES, INPUT_NAME, OUTPUT_NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text()


def test_the_page_lists_every_field_of_the_manifest_and_no_other() -> None:
    table = PAGE.partition("## manifest.json")[2].partition("## How it is written")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(manifest._FIELDS)


def test_the_page_names_every_file_and_tensor() -> None:
    for name in (*BUNDLE_FILES, INPUT_NAME, *OUTPUT_NAMES):
        assert name in PAGE
