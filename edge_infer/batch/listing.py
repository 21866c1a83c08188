"""What is to be answered, unit by unit: files, folders, archives, lists and URLs, in an order that stays the same.

Held are the names of one folder, those of subfolders that wait, and a number for each folder that was read. Images
are told by the endings of their names, and every other file is looked into, as ``brain-infer`` does; what was named
itself is looked into whatever it is called.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from edge_infer.batch.folders import FolderWalk
from edge_infer.batch.left_out import Left, LeftOut
from edge_infer.batch.lists import listed
from edge_infer.batch.locations import base_name, is_url, located
from edge_infer.batch.remote import entry_of_url, start_of_url
from edge_infer.batch.remote_folders import remote_files
from edge_infer.batch.sorting import Sorting
from edge_infer.batch.units import Unit
from edge_infer.errors import NoInputs, UnreadableInput
from edge_infer.folder_walk import is_folder
from edge_infer.inputs import IMAGE_ENDINGS, first_bytes
from edge_infer.names import shown_name
from edge_infer.scan_files import START_BYTES

__all__ = ["Listing", "list_units"]


def list_units(
    inputs: Sequence[str | os.PathLike[str]], *, lists: Sequence[str | os.PathLike[str]] = ()
) -> "Listing":
    """Return the units of inputs, lazily; the same files give the same units in the same order.

    Args:
        inputs: Files and folders of this machine, ZIP archives, and URLs of fsspec. In folders, linked ones included,
            images and scans are taken, without heatmaps, hidden files and what programs leave; archives in a folder
            are left out. What is missing is a unit, which fails when it is answered.
        lists: Files that name more of them; see ``edge_infer.batch.lists``.

    Raises:
        NoInputs: When it comes to its end without anything to answer.
        UnreadableInput: When it comes to a list that cannot be read, or a folder at a URL that cannot be listed.
        DataRefused: When it comes to a list that is none, or a URL that is refused.
        MissingDependency: When it comes to a scan or a URL that nothing installed here can read.
    """
    named = (os.fspath(given) for given in inputs)
    return Listing(chain(named, chain.from_iterable(listed(Path(one)) for one in lists)))


class Listing(Iterator[Unit]):
    """The units, one after the other, and what was left out so far.

    Args:
        places: Paths and URLs, as given.
    """

    def __init__(self, places: Iterable[str]) -> None:
        self._left_out = LeftOut()
        self._sorting = Sorting(self._left_out)
        self._walk = FolderWalk()
        self._units = self._all(places)

    def __next__(self) -> Unit:
        return next(self._units)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was met and is no unit: a phrase for each kind, with the first names."""
        return self._left_out.phrases

    @property
    def left_out_counts(self) -> dict[str, int]:
        """How many of which kind."""
        return self._left_out.counts

    def _all(self, places: Iterable[str]) -> Iterator[Unit]:
        for given in places:
            place = located(given)
            before = self._sorting.taken, self._repeated
            yield from self._remote(place) if is_url(place) else self._local(place)
            if before == (self._sorting.taken, self._repeated):
                # It was asked for: the reader says what is there instead.
                yield Unit(kind="study", source=place)
        yield from self._sorting.rest()
        if not self._sorting.taken:
            beside = f"; left out: {'; '.join(self.left_out)}" if self.left_out else ""
            raise NoInputs(
                f"nothing to classify was found{beside}",
                hint=f"images end in {', '.join(IMAGE_ENDINGS)}; scans are told by their content",
            )

    @property
    def _repeated(self) -> int:
        return self.left_out_counts.get(Left.REPEATED.name.lower(), 0)

    def _local(self, place: str) -> Iterator[Unit]:
        if not is_folder(Path(place)):
            yield from self._sorting.named(place, partial(_start, place))
            return
        yield from self._sorting.rest()  # a folder is a study of its own
        for folder in self._walk.folders(place):
            if folder.is_repeated:
                self._left_out.add(Left.REPEATED, base_name(folder.path))
            if folder.is_unreadable:
                yield self._sorting.unreadable(folder.path)
            for name in folder.files:
                file = os.path.join(folder.path, name)  # noqa: PTH118 -- ten times faster than Path
                yield from self._sorting.found(file, partial(_start, file))
            yield from self._sorting.rest()

    def _remote(self, place: str) -> Iterator[Unit]:
        if place.lower().endswith(IMAGE_ENDINGS):  # unasked: each answer of a store takes its time
            yield from self._sorting.named(place, bytes)
            return
        try:
            entry = entry_of_url(place)
        except UnreadableInput:
            yield self._sorting.unreadable(place)
            return
        if not entry.is_folder:
            yield from self._sorting.named(place, partial(start_of_url, entry, START_BYTES))
            return
        yield from self._sorting.rest()
        for one in remote_files(place):
            if isinstance(one, str):
                yield self._sorting.unreadable(one)
            else:
                yield from self._sorting.found(one.url, partial(start_of_url, one, START_BYTES))
        yield from self._sorting.rest()


def _start(file: str) -> bytes:
    """Return the first bytes of a file; nothing of an empty or a special one.

    Raises:
        UnreadableInput: It is missing, as what a link leads to may be, or may not be read.
    """
    start = first_bytes(Path(file))
    if not start:
        try:
            found = Path(file).stat()
        except (OSError, ValueError):  # ValueError: a null character in the name
            raise UnreadableInput(f"{shown_name(file)}: cannot be read") from None
        if stat.S_ISREG(found.st_mode) and found.st_size:
            raise UnreadableInput(f"{shown_name(file)}: cannot be read")
    return start
