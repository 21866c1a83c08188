"""The page, the plot and the published document."""

import base64
import importlib.util
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from benchmarks.page import render_page
from benchmarks.plot import plot_trade_off
from benchmarks.write import read_result, write_report, write_result
from edge_infer.errors import UnreadableInput

ROOT = Path(__file__).parents[2]
Result = dict[str, Any]


@pytest.fixture(scope="module")
def make_benchmarks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_b", ROOT / "docs/make_benchmarks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_loads_nothing_and_runs_nothing(result: Result, tmp_path: Path) -> None:
    page = write_report(result, tmp_path, "run").read_text(encoding="utf-8")
    tags = _Tags(page).found
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "form"}
    assert "default-src 'none'" in page
    images = [attrs for tag, attrs in tags if tag == "img"]
    assert len(images) == 1
    assert str(images[0]["src"]).startswith("data:image/png;base64,")
    assert "brain-edge int8 20" in str(images[0]["alt"])
    assert base64.b64decode(str(images[0]["src"]).partition(",")[2]).startswith(b"\x89PNG")
    assert "missing: peer openvino is not installed" in page


def test_names_from_outside_are_shown_and_not_run(result: Result) -> None:
    result["engines"]["openvino nncf"]["missing"] = "<script>alert(1)</script>"
    assert "<script>" not in render_page(result, None)


def test_an_unclean_run_is_so_called_on_page_and_plot(result: Result, tmp_path: Path) -> None:
    result |= {"clean": False, "unclean_reasons": ["busy"]}
    assert "NOT A CLEAN RUN: busy" in render_page(result, None)
    drawn = plot_trade_off(result, tmp_path / "run")
    assert {path.suffix for path in drawn} == {".png", ".svg"}
    with Image.open(tmp_path / "run.png") as image:
        assert image.width > 800


def test_the_same_result_gives_the_same_svg(result: Result, tmp_path: Path) -> None:
    for name in ("one", "two"):
        plot_trade_off(result, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_without_accuracies_there_is_no_plot(result: Result, tmp_path: Path) -> None:
    for facts in result["engines"].values():
        facts.pop("accuracy", None)
    assert plot_trade_off(result, tmp_path / "run") == []
    assert "<img" not in write_report(result, tmp_path, "run").read_text(encoding="utf-8")


def test_a_result_reads_back_and_anything_else_is_refused(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run.json"
    write_result(result, path)
    assert read_result(path) == result
    for text in ("no json", "[]", json.dumps({**result, "schema_version": 99})):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UnreadableInput):
            read_result(path)


def test_the_published_pages_are_what_the_published_results_give(
    make_benchmarks: ModuleType,
) -> None:
    for name, text in make_benchmarks.pages().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, "run make docs"


def test_a_published_result_is_clean_and_has_its_image(make_benchmarks: ModuleType) -> None:
    for name, published in make_benchmarks.results().items():
        assert published["complete"]
        assert published["clean"], f"{name}: {published['unclean_reasons']}"
        assert (ROOT / f"docs/benchmarks/{name}.svg").is_file()


def test_a_models_page_holds_every_engine_and_verdict(
    make_benchmarks: ModuleType,
    result_with: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_result(result_with(brain_edge_int8=55.0), tmp_path / "cvt13.json")
    monkeypatch.setattr(make_benchmarks, "FOLDER", tmp_path)
    page = make_benchmarks.pages()["benchmarks/cvt13.md"]
    for name in result_with()["engines"]:
        assert f"| {name} |" in page
    assert "ship FP32 here" in page
    assert "**missed**" in page
    widths = {
        len(re.findall(r"\|", line))
        for line in page.splitlines()
        if line.startswith("| brain-edge int8")
    }
    assert len(widths) == 3  # of times, of answers, of cold starts
