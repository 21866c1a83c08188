"""All problems of a data set in one error, each by name."""

from collections.abc import Sequence

from edge_infer.errors import DataRefused

__all__ = ["refuse"]

# About a terminal page; the message also gives the full count.
_SHOWN = 40


def refuse(problems: Sequence[str], *, what: str, hint: str) -> None:
    """Raise one error that lists every problem; do nothing if there is none.

    Args:
        problems: One line each, beginning with the name of the file or folder.
        what: What is wrong with them.
        hint: What to do about it.

    Raises:
        DataRefused: There is at least one problem.
    """
    if not problems:
        return
    shown = list(problems[:_SHOWN])
    if len(problems) > _SHOWN:
        shown.append(f"and {len(problems) - _SHOWN} more")
    lines = "".join(f"\n  {problem}" for problem in shown)
    raise DataRefused(f"{what} ({len(problems)}):{lines}\n", hint=hint)
