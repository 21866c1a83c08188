"""The files below a URL, folder by folder: each folder's list is asked for once, and held while it is gone through."""

from collections.abc import Iterator

from edge_infer.batch.locations import base_name
from edge_infer.batch.remote import RemoteEntry, entries_of_url
from edge_infer.folder_walk import is_litter

__all__ = ["remote_files"]

#: No archive is deeper; links may lead in a circle.
_MOST_LEVELS = 64


def remote_files(url: str) -> Iterator[RemoteEntry | str]:
    """Yield the files of a folder before those of its subfolders, in order of name; litter is passed by.

    Args:
        url: Of a folder.

    Yields:
        A file; or the URL of a folder that is too deep.

    Raises:
        UnreadableInput: A folder cannot be listed. A plan without it could never be mended.
    """
    waiting = [(url, 0)]
    while waiting:
        folder, level = waiting.pop()
        if level > _MOST_LEVELS:
            yield folder
            continue
        kept = [one for one in entries_of_url(folder) if not is_litter(base_name(one.url))]
        yield from (one for one in kept if not one.is_folder)
        waiting.extend((one.url, level + 1) for one in reversed(kept) if one.is_folder)
