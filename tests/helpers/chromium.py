"""A headless Chromium, driven over two pipes by the DevTools protocol: no port, no other program.

https://chromedevtools.github.io/devtools-protocol/; with --remote-debugging-pipe Chromium reads commands from file
descriptor 3 and writes answers and events to 4, as JSON with a zero byte after each.
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

# What a test asks of a page.
DECODED = "Promise.all([...document.images].map(image => image.decode())).then(() => null)"
WIDTHS = "[...document.images].map(image => [image.naturalWidth, image.naturalHeight, image.width, image.height])"
PAGE = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
#: Elements that reach over the right or left edge of the window.
OUTSIDE = """[...document.querySelectorAll("body *")].filter(element => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && (box.left < 0 || box.right > document.documentElement.clientWidth);
}).map(element => `${element.tagName} ${element.textContent.slice(0, 40)}`)"""
#: Texts of cells that run into the next cell of their row.
COLLIDING = """[...document.querySelectorAll("tr")].flatMap(row => {
    const inner = cell => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return range.getBoundingClientRect();
    };
    const cells = [...row.cells].map(cell => [cell.textContent.trim(), inner(cell)]);
    return cells.filter(([, box], index) => index + 1 < cells.length && box.width > 1
        && Math.abs(cells[index + 1][1].top - box.top) < 5
        && box.right > cells[index + 1][1].left).map(([text]) => text);
})"""


def installed() -> str | None:
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page, and the events that Chromium sent about it."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = os.fdopen(commands, "wb")
        self._answers = os.fdopen(answers, "rb")
        self._buffer = b""
        self._sent = 0
        self._session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters, **self._session}
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._sent:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def open(self, url: str, *, width: int) -> None:
        """Load a page in a window of this width and wait for its load event."""
        self.events.clear()
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Emulation.setScrollbarsHidden", hidden=True)  # as on a telephone
        self.send("Page.navigate", url=url)
        while not self.seen("Page.loadEventFired"):
            self.events.append(self._next())

    def seen(self, method: str) -> list[dict[str, Any]]:
        """Parameters of the events of a kind since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are waited for."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"]["value"]

    def screenshot(self, path: Path) -> None:
        """Save the whole page as PNG."""
        answer = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        self.send("Browser.close")
        self._commands.close()
        self._answers.close()

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._answers.fileno(), 1 << 20)
            assert chunk, "Chromium went away"
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def browser(profile: Path, *flags: str) -> Iterator[Tab]:
    """Start Chromium with a new, empty profile folder, and with further flags."""
    program = installed()
    assert program
    reads_commands, commands = os.pipe()
    answers, writes_answers = os.pipe()
    # bash puts the pipes where Chromium looks for them; subprocess cannot.
    placed = f'exec "$@" 3<&{reads_commands} 4>&{writes_answers}'
    own = ("--remote-debugging-pipe", f"--user-data-dir={profile / 'user-data'}")
    with (profile / "stderr.txt").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", placed, "bash", program, *FLAGS, *own, *flags],
            pass_fds=(reads_commands, writes_answers),
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "HOME": str(profile)},
        )
    os.close(reads_commands)
    os.close(writes_answers)
    try:
        tab = Tab(commands, answers)
        yield tab
        tab.close()
    finally:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
