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

from edge_infer.contract import BUNDLE_FILES, INPUT_NAME, OUTPUT_NAMES, RESEARCH_USE_ONLY
from edge_infer.manifest import _FIELDS, PRECISIONS
from train.data.manifest_csv import COLUMNS
from train.recipe import (
    Augmentation,
    Autoencoder,
    Distillation,
    MaskGuidance,
    Mixing,
    Recipe,
    builtin_recipes,
)

ROOT = Path(__file__).parents[2]
MADE = {"__pycache__", "build", "bundles", "dist", "node_modules", "runs"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# The usual places of a home, a scratch folder or a checkout, but not the middle of a longer path.
MACHINE = re.compile(rb"(?<![\w.~-])/(?:root|home|Users|tmp|work|mnt|builds)/\w")


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


@pytest.fixture(scope="module")
def cli_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_cli_docs", ROOT / "docs/make_cli_docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_commands_is_what_help_says(cli_docs: ModuleType) -> None:
    assert text_of("docs/cli.md") == cli_docs.render(), "run make docs"


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


@pytest.mark.parametrize("name", ["README.md", "docs/bundle.md", "docs/cli.md"])
def test_the_reader_is_told_that_it_is_for_research_only(name: str) -> None:
    assert RESEARCH_USE_ONLY in text_of(name)


def test_the_pages_name_what_the_code_names() -> None:
    for name in (*BUNDLE_FILES, INPUT_NAME, *OUTPUT_NAMES):
        assert name in text_of("docs/architecture.md")
    for name in (*_FIELDS, *PRECISIONS):
        assert f"`{name}`" in text_of("docs/bundle.md")
    table = text_of("docs/data.md").partition("## manifest.csv")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == COLUMNS


def test_the_page_on_training_names_every_number_of_a_recipe() -> None:
    page = text_of("docs/training.md")
    keys = [
        x.name
        for kind in (Recipe, Augmentation, Autoencoder, Distillation, MaskGuidance, Mixing)
        for x in dataclasses.fields(kind)
    ]
    sections = ("augmentation", "autoencoder", "distillation", "mask", "mixing", "model")
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
