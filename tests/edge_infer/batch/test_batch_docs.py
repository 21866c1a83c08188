"""docs/batch.md is in step with the columns, the files and the metadata, and its examples read them."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from batch_rows import batch_row, failed_row, planned, written

from edge_infer.batch.metadata import Metadata
from edge_infer.batch.row import FIELDS
from edge_infer.batch.statistics import EXAMPLES
from edge_infer.batch.summary import summarize

TEXT = (Path(__file__).parents[3] / "docs/batch.md").read_text(encoding="utf-8")

TYPES = {
    "string": "text",
    "int64": "whole number",
    "int32": "whole number",
    "float64": "number",
    "strings": "list of texts",
    "floats": "list of numbers",
    "float32s": "list of numbers, 32 bits",
}


def test_the_page_lists_the_columns_in_order_with_their_types_and_meanings() -> None:
    table = TEXT.partition("### Columns")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", table, re.MULTILINE)
    assert rows == [(name, TYPES[kind], meaning) for name, kind, meaning in FIELDS]


def test_the_page_names_the_metadata_and_how_many_names_are_shown() -> None:
    assert [one.name for one in fields(Metadata) if f"`{one.name}`" not in TEXT] == [
        "research_use_only"  # "the notice"
    ]
    assert EXAMPLES == 5
    assert "the first five names of each" in TEXT


def test_the_page_names_every_file_of_a_run(tmp_path: Path) -> None:
    planned(tmp_path, units=2, partitions=1)
    written(tmp_path, 0, [batch_row(0), failed_row(1)])
    summarize(tmp_path)
    names = {path.name for path in tmp_path.rglob("*.*")}
    assert names >= {"run.json", "_metadata.json"}
    assert sorted(name for name in names if name not in TEXT) == []


def test_the_example_counts_answers(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.dataset")
    for number in range(2):
        rows = [batch_row(2 * number), batch_row(2 * number + 1, label="pituitary")]
        rows += [failed_row(9), batch_row(10, kind="series", finding="abstain")]
        written(tmp_path / "answers", number, rows)
    (block,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    told = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert told == (
        "{'label': ['glioma', 'pituitary'], 'decision': ['accept', 'accept'], 'count_all': [2, 2]}\n"
    )
