"""Write docs/cli.md: the ``--help`` of every command, and all exit codes.

    python docs/make_cli_docs.py

tests/architecture/test_docs.py compares the page with what this gives, so help cannot rot.
"""

import importlib
import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from edge_infer import errors
from edge_infer.atomic import write_bytes_atomically

__all__ = ["PAGE", "commands", "render"]

_ROOT = Path(__file__).resolve().parents[1]
PAGE = _ROOT / "docs" / "cli.md"
_WIDTH = 80

_INTRODUCTION = """# Commands

<!-- Written by docs/make_cli_docs.py; do not edit. -->

Results go to stdout, everything else to stderr. Every command ends with one of the [exit codes](#exit-codes) below.
"""

#: Exit statuses that belong to no error class.
_OTHERS = (
    (0, "", "Done."),
    (1, "", "A bug: please report it with the traceback."),
    (2, "", "The command was used wrongly."),
    (
        errors.EXIT_BATCH_WITH_FAILURES,
        "",
        "Of several images, slices or series some or all failed or have no output; stderr counts them.",
    ),
    (
        errors.EXIT_ABSTAINED,
        "",
        "With `--fail-on-abstain`: no image failed, and at least one answer is not accepted. `brain-compare`: too few.",
    ),
    (130, "", "Interrupted (Ctrl-C)."),
    (141, "", "The reader of stdout went away."),
    (143, "", "Terminated (SIGTERM)."),
)


def commands() -> dict[str, click.Command]:
    """Import every command by its name; costs no torch, they import it when run."""
    scripts = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    found: dict[str, click.Command] = {}
    for name, target in sorted(scripts.items()):
        module, _, attribute = target.partition(":")
        found[name] = getattr(importlib.import_module(module), attribute)
    return found


def render() -> str:
    """Render the page."""
    sections = [_INTRODUCTION]
    for name, command in commands().items():
        context = click.Context(command, info_name=name, terminal_width=_WIDTH)
        sections += _help(context, level=2)
    return "\n".join([*sections, _exit_codes()])


def _help(context: click.Context, *, level: int) -> Iterator[str]:
    text = context.command.get_help(context)
    yield f"{'#' * level} {context.command_path}\n\n```text\n{text}\n```\n"
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.commands[name]
            child = click.Context(command, parent=context, info_name=name, terminal_width=_WIDTH)
            yield from _help(child, level=level + 1)


def _exit_codes() -> str:
    named = [getattr(errors, name) for name in errors.__all__]
    kinds = [x for x in named if isinstance(x, type) and issubclass(x, errors.BrainError)]
    rows = [
        (kind.exit_code, f"`{kind.code}`", (inspect.getdoc(kind) or "").partition("\n")[0])
        for kind in kinds
        if kind.exit_code != errors.BrainError.exit_code  # the branches of the tree have none
    ]
    lines = ["## Exit codes\n", "| Code | Name in JSON | Meaning |", "|---|---|---|"]
    for number, name, meaning in sorted([*_OTHERS, *rows]):
        lines.append(f"| {number} | {name} | {meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_bytes_atomically(PAGE, render().encode())
