"""What a new bundle says of how it was made: the command and the folder, of whose paths only the last name is kept.

The folders above may be named after patients, and a bundle is passed on to others.
"""

import os
import shlex
from pathlib import Path

from edge_infer.errors import DataRefused
from edge_infer.names import shown_name
from edge_infer.scope_check import is_text

__all__ = ["recorded_command", "recorded_source"]


def recorded_command(
    *, bundle: Path | None, folder: Path, by_folder: bool, manifest: Path | None, output: Path
) -> str:
    """Return the command that does this, each path as its last name.

    It is built from what was understood, not from the words that were typed: no way of typing a path gets past it.
    """
    words = ["brain-refit"]
    words += ["--bundle", _last_name(bundle)] if bundle else []
    words += ["--on", _last_name(folder)]
    words += ["--by-folder"] if by_folder else []
    words += ["--manifest", _last_name(manifest)] if manifest else []
    words += ["--output", _last_name(output)]
    return shown_name(shlex.join(words))


def recorded_source(folder: Path) -> str:
    """Return what the images are, in words.

    Raises:
        DataRefused: A manifest would not take it, because the folder's name is too long.
    """
    source = f"images of the site, {shown_name(_last_name(folder))}"
    if not is_text(source):
        raise DataRefused(
            f"the name of the folder has {len(source)} characters once it is written out, too many for a bundle",
            hint="rename the folder, or give a link to it",
        )
    return source


def _last_name(path: Path) -> str:
    # What .. is called; links are not followed, because what they lead to was not named.
    return Path(os.path.abspath(path)).name or "/"  # noqa: PTH100
