"""The page in a browser, used as people use it: real clicks, keys, drops and chosen files."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chromium import Tab

_KEYS = {
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Tab": 9, "Home": 36, " ": 32,
}  # fmt: skip
_CENTRE = """(() => {{
    const found = {find};
    if (!found) return null;
    found.scrollIntoView({{ block: "center", behavior: "instant" }});
    const box = found.getBoundingClientRect();
    return [box.left + box.width * {x}, box.top + box.height / 2];
}})()"""


class PageTab:
    """A tab with the page open."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def open(self, url: str, *, width: int = 1280, theme: str = "light") -> None:
        """Load the page, and wait until the engine is open or said why not."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.tab.send("Emulation.setEmulatedMedia", features=features)
        self.tab.open(url, width=width)
        self.wait(
            "document.getElementById('model').textContent || !document.getElementById('trouble').hidden"
            " || document.getElementById('token').open"
        )

    def value(self, expression: str) -> Any:
        return self.tab.value(expression)

    def text(self, selector: str) -> str:
        """What is shown in an element."""
        return str(self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def wait(self, expression: str, *, seconds: float = 15) -> Any:
        """Return the first true value of an expression."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.value(expression)
            if value:
                return value
            shown = self.value("document.body.innerText")
            assert time.monotonic() < deadline, f"{expression} did not come true: {shown}"
            time.sleep(0.02)

    def wait_for_jobs(self, count: int) -> list[str]:
        """Wait until so many jobs are there and none is waiting or running; return their states."""
        states = "[...document.querySelectorAll('.job')].map(row => row.classList[1])"
        over = f"document.querySelectorAll('.job').length === {count}"
        self.wait(f"{over} && !document.querySelector('.job.waiting, .job.running')", seconds=60)
        return list(self.value(states))

    def click(self, selector: str, *, text: str = "", x: float = 0.5) -> None:
        """Press and release the mouse in the middle of an element."""
        every = f"[...document.querySelectorAll({json.dumps(selector)})]"
        find = f"{every}.find(one => one.textContent.includes({json.dumps(text)}))"
        place = self.value(_CENTRE.format(find=find, x=x))
        assert place, f"nothing to click: {selector} {text}"
        for kind in ("mousePressed", "mouseReleased"):
            self.tab.send(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )  # fmt: skip

    def press(self, key: str, *, times: int = 1) -> None:
        """Press a key, where the focus is."""
        code = _KEYS.get(key, 0)
        text = {"text": "\r"} if key == "Enter" else {"text": key} if key == " " else {}
        for _ in range(times):
            common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.tab.send("Input.dispatchKeyEvent", type="keyDown", **common, **text)
            self.tab.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type where the focus is."""
        self.tab.send("Input.insertText", text=text)

    def focus(self, selector: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).focus(), null")

    def drop(self, paths: Sequence[Path], *, x: float = 600, y: float = 300) -> None:
        """Drag files and folders from outside into the window and let go."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.tab.send("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def choose(self, paths: Sequence[Path], *, field: str = "files") -> None:
        """Choose files as the dialogue of the system would."""
        root = self.tab.send("DOM.getDocument")["root"]["nodeId"]
        node = self.tab.send("DOM.querySelector", nodeId=root, selector=f"#{field}")["nodeId"]
        self.tab.send("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def paste(self, name: str, kind: str, content: bytes) -> None:
        """Paste a file. The clipboard of a headless browser holds no files, so the event is made here."""
        self.value(
            f"""(() => {{
                const transfer = new DataTransfer();
                const bytes = Uint8Array.from({list(content)});
                transfer.items.add(new File([bytes], {json.dumps(name)}, {{ type: {json.dumps(kind)} }}));
                document.body.dispatchEvent(
                    new ClipboardEvent("paste", {{ clipboardData: transfer, bubbles: true, cancelable: true }}));
                return null;
            }})()"""
        )

    def downloads_to(self, folder: Path) -> None:
        self.tab.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def wait_for_file(self, path: Path) -> None:
        """Wait until a download is complete."""
        deadline = time.monotonic() + 15
        while not path.exists():
            assert time.monotonic() < deadline, (
                f"no {path.name} among {sorted(path.parent.iterdir())}"
            )
            time.sleep(0.02)

    def faults(self) -> list[str]:
        """What the browser complained about since the page was opened: errors, warnings, refused content."""
        self.value("null")  # events that came meanwhile
        thrown = [str(one["exceptionDetails"]) for one in self.tab.seen("Runtime.exceptionThrown")]
        told = [
            str(one["args"])
            for one in self.tab.seen("Runtime.consoleAPICalled")
            if one["type"] in ("error", "warning", "assert")
        ]
        logged = [
            one["entry"]["text"]
            for one in self.tab.seen("Log.entryAdded")
            if one["entry"]["level"] in ("error", "warning")
        ]
        return thrown + told + logged

    def hosts(self) -> set[str]:
        """Where the page sent requests to."""
        urls = [str(one["request"]["url"]) for one in self.tab.seen("Network.requestWillBeSent")]
        return {
            url.split("/")[2] for url in urls if not url.startswith(("blob:", "data:", "about:"))
        }
