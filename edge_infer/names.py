"""How names and counts are shown to people: nothing in a name may steer a terminal or break a line."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

__all__ = ["counted", "shown_name", "shown_names", "shown_text", "without_folders"]

_SHOWN = 3


def counted(number: int, noun: str) -> str:
    """Return ``1 image``, ``2 images``; for nouns that form their plural with an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown_name(name: object) -> str:
    r"""Return ``str(name)`` with control characters and undecodable bytes as ``\x1b``-like escapes.

    JSON carries the exact name; messages, tables and pages carry this one.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in str(name)
    )


def shown_names(names: Sequence[object]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(shown_name, names[:_SHOWN])) + more


def shown_text(text: str) -> str:
    """Return a text of several lines, each shown as a name is; line ends stay."""
    return "\n".join(map(shown_name, text.split("\n")))


def without_folders(word: str) -> str:
    """Shorten a path that leads out of the working folder (absolute, or with ``..`` or ``~``) to its last name.

    For what is passed on to others: reports, checkpoints, bundles. Other words stay; of ``--option=PATH`` the path is
    looked at.
    """
    option, equals, value = word.partition("=")
    if equals and len(PurePath(option).parts) == 1:  # --option=PATH, or NAME=PATH
        return f"{option}={without_folders(value)}"
    path = PurePath(word)
    leads_out = path.is_absolute() or ".." in path.parts or word.startswith("~")
    return Path(os.path.abspath(word)).name if leads_out else word  # noqa: PTH100 -- what .. is called, links unread
