"""Debian's Orthanc as the hospital's archive: started in a network of its own, asked over HTTP on the loopback device.

Version 1.10.1 listens at all addresses whatever its settings say, so the caller must be in a network namespace that has
no other device (``unshare -n``, ``ip link set lo up``).
"""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PLUGINS = Path("/usr/share/orthanc/plugins")
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def program() -> str | None:
    """Its path, or None where it or its DICOMweb plugin is not installed."""
    if not (PLUGINS / "libOrthancDicomWeb.so").exists():
        return None
    return shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")


class Orthanc:
    """An archive in a folder.

    Args:
        folder: Of its files.
        dicom_port: Of C-STORE, to and from the node.
        http_port: Of REST and DICOMweb.
        node_port: Of the node, which it knows as ``brain``.
    """

    def __init__(self, folder: Path, *, dicom_port: int, http_port: int, node_port: int) -> None:
        self._folder, self.http_port = folder, http_port
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "orthanc.json"
        settings = {
            "Name": "PACS",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": http_port,
            "DicomPort": dicom_port,
            "DicomAet": "PACS",
            "DicomCheckCalledAet": True,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StableAge": 3,
            "DicomModalities": {"brain": ["BRAIN", "127.0.0.1", node_port]},
            "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so")],
        }
        self._config.write_text(json.dumps(settings))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        found = program()
        assert found
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen([found, str(self._config)], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.get("/system")
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < deadline, (self._folder / "log.txt").read_text()
                assert self._process.poll() is None, (self._folder / "log.txt").read_text()
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Stop it; what it has is kept."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=30)

    @property
    def dicomweb(self) -> str:
        """Address of its DICOMweb service."""
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def get(self, path: str) -> Any:
        """Return what a GET answers."""
        with _LOCAL.open(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as answer:
            return json.loads(answer.read())

    def post(self, path: str, body: object) -> Any:
        """Return what a POST answers."""
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data=data)
        with _LOCAL.open(request, timeout=120) as answer:
            return json.loads(answer.read())

    def find(self, level: str, **query: str) -> list[dict[str, Any]]:
        """Return what it holds of a level."""
        body = {"Level": level, "Query": query, "Expand": True}
        return list(self.post("/tools/find", body))

    def file(self, instance: str) -> bytes:
        """Return a file."""
        url = f"http://127.0.0.1:{self.http_port}/instances/{instance}/file"
        with _LOCAL.open(url, timeout=30) as answer:
            return bytes(answer.read())
