"""Marks on the disk that say which associations into a study are open, and which did not end well.

``open-LINK`` is made before the first image of an association is acknowledged. ``broken-LINK`` says that the other side
or the network broke it off. If it is the node that ends, ``open-LINK`` is still there at the next start, and becomes
``cut-LINK``.
"""

from collections.abc import Iterable
from pathlib import Path

from edge_infer.node.disk import flush_folder

__all__ = ["mark_broken", "mark_cut", "mark_open", "remove_marks", "take_over_marks"]

_OPEN, _BROKEN, _CUT = "open-", "broken-", "cut-"


def mark_open(study: Path, link: str) -> None:
    """An association has begun to send into the study."""
    (study / f"{_OPEN}{link}").touch()
    flush_folder(study)


def mark_broken(study: Path, link: str) -> None:
    """An association broke off."""
    (study / f"{_OPEN}{link}").rename(study / f"{_BROKEN}{link}")
    flush_folder(study)


def mark_cut(study: Path, link: str) -> None:
    """An association that broke off was not tried again, though another one ended well."""
    (study / f"{_BROKEN}{link}").rename(study / f"{_CUT}{link}")
    flush_folder(study)


def remove_marks(study: Path, link: str = "", *, mended: Iterable[str] = ()) -> None:
    """An association has ended well, and those that did not are mended by it."""
    for former in mended:
        for kind in (_BROKEN, _CUT):
            (study / f"{kind}{former}").unlink(missing_ok=True)
    if link:
        (study / f"{_OPEN}{link}").unlink(missing_ok=True)
    flush_folder(study)


def take_over_marks(study: Path) -> tuple[list[str], list[str]]:
    """Return the associations that broke off, and those that were cut because the node ended."""
    for mark in list(study.glob(f"{_OPEN}*")):
        mark.rename(study / mark.name.replace(_OPEN, _CUT, 1))
    flush_folder(study)
    broken, cut = (
        [mark.name.removeprefix(kind) for mark in study.glob(f"{kind}*")]
        for kind in (_BROKEN, _CUT)
    )
    return broken, cut
