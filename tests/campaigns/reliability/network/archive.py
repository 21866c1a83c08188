"""dcmtk's ``storescp`` as the archive of a hospital, and what dicom3tools says of what it was sent."""

import functools
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pydicom

__all__ = ["Archive", "errors_of", "not_installed"]


def not_installed() -> str | None:
    """Return what is missing of it here."""
    absent = [name for name in ("setpriv", "dciodvfy") if shutil.which(name) is None]
    absent += [] if _storescp() else ["storescp of dcmtk"]
    return f"{', '.join(absent)} not installed" if absent else None


@functools.cache
def _storescp() -> str | None:
    """Return dcmtk's program; pynetdicom puts one of the same name into the folder of Python."""
    for folder in os.get_exec_path():
        found = shutil.which("storescp", path=folder)
        if found and b"dcmtk" in subprocess.run([found, "--version"], capture_output=True).stdout:
            return found
    return None


class Archive:
    """An archive that may be down; what it has taken stays in its folder, a file for each time that it came."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        folder.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._known: set[Path] = set()

    def start(self) -> None:
        """Be up, until stopped or the end of this process."""
        if self._process is not None:
            return
        words = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            str(_storescp()),
            "-q",
            "-aet",
            "PACS",
            "+uf",
            "-od",
            str(self._folder),
            str(self._port),
        ]
        self._process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
        )
        while not self._listens():
            if self._process.poll() is not None:
                raise RuntimeError(f"storescp ended with {self._process.returncode}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Be down, as after a loss of power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def came(self) -> list[tuple[Path, Any]]:
        """Return the objects that came since this was asked before, whole ones."""
        files = sorted(set(self._folder.iterdir()) - self._known)
        self._known.update(files)
        return [(path, pydicom.dcmread(path)) for path in files if path.stat().st_size]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def errors_of(path: Path) -> list[str]:
    """Return what dciodvfy calls an error."""
    done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]
