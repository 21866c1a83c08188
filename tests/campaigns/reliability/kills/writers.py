"""What is attacked while it writes: an older good state, the writing of a newer one, and what may be found afterwards.

After whatever happened, each file is the older or the newer one, and a bundle is so as a whole; the next run works and
leaves nothing else.
"""

import functools
import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reliability.campaign import Broken
from reliability.kills.children import CHANGING, Ended, run_child

__all__ = ["BUG", "Known", "Writer", "Writers", "judged", "settled"]

BUG = 1

Digests = dict[str, str]


def _nothing(_folder: Path, _ended: Ended | None) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Something that writes.

    Attributes:
        name: In a few words.
        before: Makes the older good state in a folder.
        write: Writes the newer state.
        together: Whether all files must be of one state.
        statuses: Exit statuses with which it may refuse.
        check: Raises ``Broken`` if what is found cannot be used; gets the child's end, or None after the next run.
        state: Says "old", "new" or a word between them, or raises ``Broken``; by default digests of all files say it.
        prints: Whether it prints results, which then go to ``rows`` in the folder.
        inject: Faults that are always there, such as a call that the system does not have.
        late: Whether it calls ``be_watched`` when its computing is done.
    """

    name: str
    before: Callable[[Path], object]
    write: Callable[[Path], object]
    together: bool = False
    statuses: frozenset[int] = frozenset({40})
    check: Callable[[Path, Ended | None], None] = _nothing
    state: Callable[[Path], str] | None = None
    prints: bool = False
    inject: tuple[str, ...] = ()
    late: bool = False

    @property
    def is_raw(self) -> bool:
        """Whether it ends with exit statuses of its own."""
        return not self.statuses


@dataclass(frozen=True, kw_only=True)
class Known:
    """A writer's states: what an unbroken run leaves, and the system calls that it makes."""

    writer: Writer
    kept: Path
    older: Digests
    newer: Digests
    calls: tuple[str, ...]
    seconds: float
    newer_bytes: int

    def fresh(self, folder: Path) -> None:
        """Make the older state."""
        shutil.copytree(self.kept, folder, dirs_exist_ok=True, symlinks=True)


class Writers:
    """Writers by number; what is known of each is found out once in a process.

    Args:
        kept: Where older states are kept.
        makers: Make the writers; what they import is imported when it is needed.
    """

    def __init__(self, kept: Path, makers: Sequence[Callable[[Path], Writer]]) -> None:
        self._kept, self._makers = kept, makers
        self.of = functools.cache(self._of)

    def _of(self, number: int) -> Known:
        place = self._kept / str(number)
        place.mkdir()
        writer = self._makers[number](place)
        older = place / "older"
        older.mkdir()
        writer.before(older)
        trial = place / "newer"
        shutil.copytree(older, trial)
        ended = run_child(
            lambda: writer.write(trial),
            inject=writer.inject,
            trace=[*CHANGING, "read", "getdents64"],
            late=writer.late,
            stdout=_rows(writer, trial),
        )
        if ended.status:
            raise RuntimeError(f"{writer.name} does not work here: {ended.said[-400:]}")
        newer = _digests(trial)
        newer_bytes = sum(path.stat().st_size for path in trial.rglob("*") if path.is_file())
        shutil.rmtree(trial)
        return Known(
            writer=writer,
            kept=older,
            older=_digests(older),
            newer=newer,
            newer_bytes=newer_bytes,
            calls=ended.calls,
            seconds=ended.seconds if writer.late else ended.seconds / 3,
        )


def judged(known: Known, folder: Path, ended: Ended) -> str:
    """Say what a child that was attacked left behind.

    Raises:
        Broken: Something that is neither old nor new, or an end that is none of the promised ones.
    """
    writer = known.writer
    found = _found(known, folder)
    writer.check(folder, ended)
    if ended.status == -9:
        return f"killed, {found}"
    if writer.is_raw:
        return f"ended, {found}"
    if ended.status == BUG or ended.status < 0 or "Traceback" in ended.said:
        raise Broken(f"{writer.name}: ended with {ended.status}: {_last(ended)}")
    if ended.status == 0:
        if found == "old":
            raise Broken(f"{writer.name}: exit status 0, and nothing was written")
        return "written"
    if ended.status not in writer.statuses:
        raise Broken(f"{writer.name}: exit status {ended.status}: {_first(ended)}")
    return f"refused with {ended.status}, {found}"


def settled(known: Known, folder: Path) -> None:
    """Run once more, undisturbed.

    Raises:
        Broken: It does not work, or leaves anything but the newer state.
    """
    writer = known.writer
    ended = run_child(lambda: writer.write(folder), stdout=_rows(writer, folder))
    if ended.status:
        raise Broken(f"{writer.name}: the next run ended with {ended.status}: {_first(ended)}")
    stray = sorted(path.name for path in folder.rglob(".*"))
    if stray:
        raise Broken(f"{writer.name}: after the next run there is still {_masked(stray[0])}")
    if _found(known, folder) != "new":
        raise Broken(f"{writer.name}: the next run wrote something else")
    writer.check(folder, None)


def _rows(writer: Writer, folder: Path) -> Path | None:
    return folder / "rows" if writer.prints else None


def _found(known: Known, folder: Path) -> str:
    if known.writer.state is not None:
        return known.writer.state(folder)
    older, newer, found = known.older, known.newer, _digests(folder)
    if found == newer:
        return "new"
    if found == older:
        return "old"
    if known.writer.together:
        raise Broken(f"{known.writer.name}: {_difference(found, older, newer)}")
    for name in sorted(older.keys() | newer.keys() | found.keys()):
        allowed = {older.get(name), newer.get(name)}
        if found.get(name) not in allowed:
            raise Broken(f"{known.writer.name}: {name} is neither the older nor the newer file")
    return "files old and new"


def _difference(found: Digests, older: Mapping[str, str], newer: Mapping[str, str]) -> str:
    if not found:
        return "nothing is left"
    states = {
        name: "old" if digest == older.get(name) else "new" if digest == newer.get(name) else "none"
        for name, digest in found.items()
    }
    if "none" in states.values():
        bad = min(name for name, state in states.items() if state == "none")
        return f"{bad} is neither the older nor the newer file"
    return (
        f"a mixture: {', '.join(sorted(set(states.values())))}, {len(found)} of {len(newer)} files"
    )


def _digests(folder: Path) -> Digests:
    """Return what is there, but for hidden names and printed rows.

    A folder that is only there under the name it has while it is replaced counts as itself: loading finds it.
    """
    found = {}
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        top, *rest = inside.parts
        name = top.removeprefix(".").removesuffix(".old")
        if top == f".{name}.old" and not (folder / name).exists():
            inside = Path(name, *rest)
        if any(part.startswith(".") for part in inside.parts) or inside.name == "rows":
            continue
        if path.is_file():
            found[inside.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return found


def _first(ended: Ended) -> str:
    return _without_paths(ended.said.strip().partition("\n")[0])


def _last(ended: Ended) -> str:
    return _without_paths(ended.said.strip().rpartition("\n")[2])


def _without_paths(line: str) -> str:
    return " ".join(_masked(word.rpartition("/")[2]) for word in line.split())[:150]


def _masked(name: str) -> str:
    """Leave random digits out, so that equal faults have equal words."""
    parts = name.split(".")
    return ".".join("*" if len(part) == 16 and part.isalnum() else part for part in parts)
