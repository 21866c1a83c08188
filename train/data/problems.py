"""Many faults of a data set told in one error, each by name."""

from collections.abc import Sequence

from edge_infer.errors import DataRefused

__all__ = ["refuse"]

# A terminal page. The count says how many there are in all.
_SHOWN = 40


def refuse(problems: Sequence[str], *, what: str, hint: str) -> None:
    """Raise one error that lists every problem; do nothing when there is none.

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
