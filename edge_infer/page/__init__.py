"""The page that ``brain-serve`` shows, and that also runs without a server: its files, as package data.

No build step and no other host. ``engine.js`` is what answers: the server maps it to ``engine_server.js``, and the
folder of ``brain-export --web`` holds another module under that name. All other files are the same in both.
"""

from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath

__all__ = ["page_files", "static_file"]

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FRONT = "index.html"
_ENGINE = "engine.js"
#: Modules of one of the engines; what they are imported by says which.
_OF_AN_ENGINE = "engine_"


def page_files() -> dict[str, bytes]:
    """Return the files of the page by name, all but those of an engine."""
    return {
        name: content for name, content in _files().items() if not name.startswith(_OF_AN_ENGINE)
    }


def static_file(path: str) -> tuple[bytes, str] | None:
    """Return a file of the page as the server shows it.

    Args:
        path: Of a request, such as ``/``, ``/main.js`` or ``main.js``. Nothing of the disk is looked up by it.

    Returns:
        Its content and its Content-Type; None if the page has no such file.
    """
    name = path.removeprefix("/") or _FRONT
    content = _files().get("engine_server.js" if name == _ENGINE else name)
    return None if content is None else (content, _TYPES[PurePosixPath(name).suffix])


@cache
def _files() -> dict[str, bytes]:
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(files(__name__).iterdir(), key=lambda entry: entry.name)
        if PurePosixPath(entry.name).suffix in _TYPES
    }
