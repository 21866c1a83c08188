"""The documents are in step with the code: commands, links, names, examples; and tell nothing of this machine."""

import ast
import dataclasses
import importlib
import importlib.util
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from edge_infer.console import DefaultGroup
from edge_infer.contract import BUNDLE_FILES, INPUT_NAME, OUTPUT_NAMES, RESEARCH_USE_ONLY
from edge_infer.manifest import _FIELDS, PRECISIONS
from edge_infer.version import __version__
from train.data.manifest_csv import COLUMNS, MASK
from train.data.stated_classes import CLASS_COLUMNS
from train.recipe import (
    Augmentation,
    Autoencoder,
    Counterfactuals,
    Distillation,
    MaskGuidance,
    Mixing,
    Recipe,
    builtin_recipes,
)

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "docs/benchmarks"
MADE = {"__pycache__", "build", "bundles", "dist", "node_modules", "runs"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SOURCE = re.compile(
    r"(?<![\w/.-])(?:edge_infer|train|export|benchmarks|tests|docs|examples)/[\w/-]+\.(?:py|toml|mjs)\b"
)
MODULE = re.compile(r"`((?:edge_infer|train|export|benchmarks)(?:\.\w+)+)`")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# The usual places of a home, a scratch folder or a checkout, but not the middle of a longer path.
MACHINE = re.compile(rb"(?<![\w.~-])/(?:root|home|Users|tmp|work|mnt|builds)/[\w.]")


def project_files() -> Iterator[Path]:
    """Every file of the project: neither hidden folders, environments nor what commands make."""
    for parent, folders, files in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in MADE
            and (name == ".ci" or not name.startswith("."))
            and not (Path(parent) / name / "pyvenv.cfg").exists()
        ]
        yield from (Path(parent) / name for name in files)


PAGES = sorted(path for path in project_files() if path.suffix == ".md")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def generator(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cli_docs() -> ModuleType:
    return generator("make_cli_docs")


def test_the_page_of_commands_is_what_help_says(cli_docs: ModuleType) -> None:
    assert text_of("docs/cli.md") == cli_docs.render(), "run make docs"


@pytest.mark.parametrize(
    "name", ["make_reliability", "make_results", "make_robustness", "make_scale", "make_trust"]
)
def test_a_page_of_figures_is_what_the_published_results_give(name: str) -> None:
    module = generator(name)
    assert module.results()
    assert module.PAGE.read_text(encoding="utf-8") == module.render(), "run make docs"


def test_the_figures_of_drift_are_those_that_were_measured() -> None:
    module = generator("make_drift")
    assert module.RATES.is_file()
    assert module.PAGE.read_text(encoding="utf-8") == module.render(), "run make docs"


def test_the_list_of_foreign_software_is_what_the_lock_holds() -> None:
    module = generator("make_soup")
    assert module.PAGE.read_text(encoding="utf-8") == module.render(), "run make docs"


def test_the_pages_of_benchmarks_are_what_the_published_results_give() -> None:
    pages: dict[str, str] = generator("make_benchmarks").pages()
    for name, text in pages.items():
        assert text_of(f"docs/{name}") == text, f"{name}: run make docs"
    written = {path.relative_to(ROOT / "docs").as_posix() for path in BENCHMARKS.glob("*.md")}
    assert written == pages.keys() - {"benchmarks.md"}


def test_the_summary_of_benchmarks_has_a_line_for_each_result() -> None:
    module = generator("make_benchmarks")
    table = module.render().partition("## Summary")[2]
    for result in module.results().values():
        name, processor = result["model"]["name"], result["environment"]["cpu"]
        pixels = result["model"]["image_size"]["width"]
        assert f"| [{name}](benchmarks/{name}.md) | {pixels} | {processor} |" in table


def test_the_pages_of_models_hold_every_engine() -> None:
    module = generator("make_benchmarks")
    pages = module.pages()
    for name, result in module.results().items():
        page = pages[f"benchmarks/{result['model']['name']}.md"]
        section = page.partition(f"\n## {name}: ")[2].partition("\n## ")[0]
        assert [engine for engine in result["engines"] if f"| {engine} |" not in section] == []


def test_make_docs_runs_every_generator_of_pages() -> None:
    named = set(re.findall(r"^\t.* docs/(make_\w+)\.py$", text_of("Makefile"), re.MULTILINE))
    assert named == {path.stem for path in (ROOT / "docs").glob("make_*.py")} - {"make_kit"}


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {
        (index.parent / link.partition("#")[0]).resolve()
        for link in LINK.findall(index.read_text(encoding="utf-8"))
    }
    absent = [path for path in PAGES if path.is_relative_to(ROOT / "docs") and path not in linked]
    assert [path for path in absent if path != index] == []
    assert "(docs/README.md)" in text_of("README.md")


def test_the_index_calls_decisions_by_their_titles() -> None:
    titles = [
        path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for path in sorted((ROOT / "docs/decisions").glob("*.md"))
    ]
    listed = re.findall(r"^- \[(\d{4} .+)\]\(decisions/", text_of("docs/README.md"), re.MULTILINE)
    assert listed == titles
    assert [
        title for title in titles if f"[{title[:4]}]" not in text_of("docs/architecture.md")
    ] == []


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for link in LINK.findall(prose):
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        if not link.startswith(("https://", "mailto:")) and (
            not target.exists() or (anchor and anchor not in anchors(target))
        ):
            broken.append(link)
    assert broken == []


@each_page
def test_files_and_modules_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files = {name for name in SOURCE.findall(text) if "NAME" not in name}
    assert sorted(name for name in files if not (ROOT / name).is_file()) == []
    for name in MODULE.findall(text):
        parents = [name, name.rpartition(".")[0]]  # a module, or what is in one
        paths = [ROOT / each.replace(".", "/") for each in parents]
        assert any(path.is_dir() or path.with_suffix(".py").is_file() for path in paths), name


def test_the_changelog_begins_with_what_is_unreleased_and_this_version() -> None:
    headings = re.findall(r"^## (.+)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d", headings[1])


@pytest.mark.parametrize("name", ["README.md", "docs/bundle.md", "docs/cli.md"])
def test_the_reader_is_told_that_it_is_for_research_only(name: str) -> None:
    assert RESEARCH_USE_ONLY in text_of(name)


def test_the_pages_name_what_the_code_names() -> None:
    for name in (*BUNDLE_FILES, INPUT_NAME, *OUTPUT_NAMES):
        assert name in text_of("docs/architecture.md")
    for name in (*_FIELDS, *PRECISIONS):
        assert f"`{name}`" in text_of("docs/bundle.md")
    table = text_of("docs/data.md").partition("## manifest.csv")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == (
        *COLUMNS,
        MASK,
        *CLASS_COLUMNS,
    )


#: A recipe and its sections.
_KINDS = (
    Recipe,
    Augmentation,
    Autoencoder,
    Counterfactuals,
    Distillation,
    MaskGuidance,
    Mixing,
)


def test_the_page_on_training_names_every_number_of_a_recipe() -> None:
    page = text_of("docs/training.md")
    keys = [x.name for kind in _KINDS for x in dataclasses.fields(kind)]
    sections = (
        "augmentation",
        "autoencoder",
        "counterfactual",
        "distillation",
        "mask",
        "mixing",
        "model",
    )
    tables = {name: f"[{name}]" for name in sections}
    missing = [key for key in keys if f"`{tables.get(key, key)}`" not in page and key != "name"]
    assert missing == []
    assert [name for name in builtin_recipes() if f"| `{name}` |" not in page] == []


def shell_commands(page: Path) -> Iterator[list[str]]:
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in ("sh", "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                yield shlex.split(line, comments=True)


@each_page
def test_commands_in_the_pages_have_the_options_they_are_given(
    page: Path, cli_docs: ModuleType
) -> None:
    known: dict[str, click.Command] = cli_docs.commands()
    for words in shell_commands(page):
        name = Path(words[0]).name if words else ""
        if name not in known:
            assert not name.startswith("brain-"), f"no such command: {name}"
            continue
        command, rest = known[name], words[1:]
        if isinstance(command, click.Group) and rest and rest[0] in command.commands:
            command = command.commands[rest[0]]
        elif isinstance(command, DefaultGroup) and rest:
            command = command.commands[command.default]
        options = {"--help", *(option for item in command.params for option in item.opts)}
        assert [word for word in rest if word.startswith("-") and word not in options] == []


@each_page
def test_python_in_the_pages_uses_names_that_exist(page: Path) -> None:
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert [x.name for x in node.names if not hasattr(module, x.name)] == []


def test_no_file_names_a_path_of_the_machine_it_was_made_on() -> None:
    found = {
        str(path.relative_to(ROOT)): match.group().decode()
        for path in project_files()
        if (match := MACHINE.search(path.read_bytes()))
    }
    assert found == {}
