"""A static folder served as a workstation would, and opened in a headless Chromium; what goes over the network."""

import base64
import functools
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromium import Tab

#: Makes what the page answers JSON: arrays and the image of the view as base64.
_ASK = """async (files) => {
    const letters = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    const packed = async (blob) => btoa(letters(new Uint8Array(await blob.arrayBuffer())));
    const engine = await (await import("./engine.js")).openEngine();
    window.waited ??= [];
    const lines = [];
    for (const [name, content] of files) {
        const started = performance.now();
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        for await (const line of engine.classify(new File([bytes], name), {})) {
            window.waited.push(performance.now() - started);
            if (line.view) {
                const { shape, data } = line.view.evidence;
                line.view.evidence = { shape, data: [...data] };
                line.view.image = await packed(line.view.image);
            }
            lines.push(line);
        }
    }
    return lines;
}"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder with Python's own server and no header of ours; yield its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def ask(tab: Tab, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Have the page's engine classify files; it is opened with the first call."""
    # A list, since JavaScript puts the keys of an object in another order where they look like numbers.
    given = [(name, base64.b64encode(content).decode()) for name, content in files.items()]
    lines: list[dict[str, Any]] = tab.value(f"({_ASK})({json.dumps(given)})")
    return lines


def requested(tab: Tab) -> list[str]:
    """The addresses that the page and its worker asked for since it was opened."""
    return [event["request"]["url"] for event in tab.seen("Network.requestWillBeSent")]
