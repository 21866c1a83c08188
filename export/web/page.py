"""The page's own files as a static folder holds them: with its policy inside, and with the engine of the browser."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from edge_infer.page import page_files

__all__ = ["CONTENT_SECURITY_POLICY", "engine_files", "static_page"]

#: A static server sends no header, so the page carries the policy itself: nothing but its own folder may be fetched.
#: The worker starts from a blob, because only such a worker is bound by the policy of its page.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self' blob:",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)

_ENGINE = "engine.js"
_FRONT = "index.html"
_POLICY = f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">'


def static_page() -> dict[str, bytes]:
    """Return the files of the page by name, all but those of the engine; the policy is the first thing in its head."""
    page = dict(page_files())
    front = page[_FRONT].decode("utf-8")
    head = '<head>\n  <meta charset="utf-8">'
    if front.count(head) != 1:
        raise ValueError(f"{_FRONT} has no place for the policy: {head!r} is not there once")
    page[_FRONT] = front.replace(head, f"{head}\n  {_POLICY}").encode()
    return page


def engine_files() -> dict[str, bytes]:
    """Return the modules of the browser's engine by path: ``engine.js``, and the others in ``engine``."""
    modules = dict(_tree(files(__package__) / "js"))
    return {
        name if name == _ENGINE else f"engine/{name}": content for name, content in modules.items()
    }


def _tree(folder: Traversable, prefix: str = "") -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found |= _tree(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".js"):
            found[prefix + entry.name] = entry.read_bytes()
    return found
