"""Every command has --debug and --version, an example, and says what each of its options does."""

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edge_infer.errors import CannotWrite
from edge_infer.version import __version__

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def entry_points() -> dict[str, click.Command]:
    scripts = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["scripts"]
    parts = {name: target.split(":") for name, target in scripts.items()}
    return {
        name: getattr(importlib.import_module(module), attribute)
        for name, (module, attribute) in parts.items()
    }


def below(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The words of a command and of all commands in it."""
    yield words
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from below(child, (*words, name))


MAINS = entry_points()


def command_of(words: tuple[str, ...]) -> click.Command:
    command = MAINS[words[0]]
    for word in words[1:]:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    return command


ALL = [words for name, main in MAINS.items() for words in below(main, (name,))]
each_command = pytest.mark.parametrize("words", ALL, ids=" ".join)
each_that_works = pytest.mark.parametrize(
    "words", [x for x in ALL if not isinstance(command_of(x), click.Group)], ids=" ".join
)


def test_every_entry_point_is_tested_here() -> None:
    assert set(MAINS) >= {"brain-infer", "brain-doctor", "brain-data", "brain-train"}
    assert set(MAINS) >= {"brain-export", "brain-bench"}


@each_command
def test_the_version_is_that_of_the_project(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(MAINS[words[0]], [*words[1:], "--version"])
    assert (result.exit_code, result.stdout) == (0, f"{words[0]}, version {__version__}\n")


@each_that_works
def test_debug_shows_the_traceback(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_options: object) -> None:
        raise CannotWrite("no room")

    command = command_of(words)
    monkeypatch.setattr(command, "callback", fail)
    for parameter in command.params:
        monkeypatch.setattr(parameter, "required", False)
    for given in ([*words[1:], "--debug"], ["--debug", *words[1:]]):
        result = CliRunner().invoke(MAINS[words[0]], given)
        assert result.exit_code == CannotWrite.exit_code
        assert "Traceback" in result.stderr
        assert result.stderr.endswith("error: no room\n")
    if words[1:]:
        result = CliRunner().invoke(MAINS[words[0]], words[1:])
        assert result.stderr == "error: no room\n"


@each_command
def test_every_option_says_what_it_does(words: tuple[str, ...]) -> None:
    options = [x for x in command_of(words).params if isinstance(x, click.Option)]
    short = {x.opts[0]: x.help for x in options if len((x.help or "").split()) < 4}
    assert short == {}


@each_command
def test_every_help_has_an_example_of_the_command(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(MAINS[words[0]], [*words[1:], "--help"])
    assert result.exit_code == 0
    example = result.stdout.partition("\n  Example:\n")[2].partition("\n\n")[0]
    assert f"    {' '.join(words)}" in example
