"""A node in a process of its own, what is sent to it, and a destination that counts what arrives."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dicom_files import mr_series
from pynetdicom import AE, evt
from pynetdicom.sop_class import MRImageStorage, Verification

from edge_infer.node.socket_guard import send_at_once

HELPERS = Path(__file__).parent
RESULT_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.7",  # secondary capture
    "1.2.840.10008.5.1.4.1.1.88.34",  # comprehensive 3D SR
)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], *, seconds: float = 15, what: str = "it") -> Any:
    """Return the first true value of the condition."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


def study(
    name: str, *, slices: int = 3, size: int = 32, first: int = 1, **options: Any
) -> list[Any]:
    """Slices of a small drawn study; ``first`` is the number of its first slice."""
    volume = np.full((slices + first - 1, size, size), 300, np.uint16)
    volume[:, size // 4 : -size // 4, size // 4 : -size // 4] = 900
    return mr_series(volume, study=name, **options)[first - 1 :]


class Destination:
    """A DICOM node that keeps in mind what it gets."""

    def __init__(self, port: int, *, status: int = 0, tls: Any = None) -> None:
        self.port, self.status, self._tls = port, status, tls
        self.came: Counter[str] = Counter()
        self.objects: dict[str, Any] = {}
        self._server: Any = None

    def start(self) -> None:
        """Be there."""
        entity = AE(ae_title="PACS")
        for uid in (*RESULT_CLASSES, Verification):
            entity.add_supported_context(uid)
        handlers = [(evt.EVT_C_STORE, self._store)]
        self._server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=handlers, ssl_context=self._tls
        )

    def stop(self) -> None:
        """Be gone."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _store(self, event: Any) -> int:
        dataset = event.dataset
        if self.status == 0:
            self.came[str(dataset.SOPInstanceUID)] += 1
            self.objects[str(dataset.SOPInstanceUID)] = dataset
        return self.status


class Node:
    """A node with a stub for its classifier, in a folder of its own.

    ``answerer`` is ``stub``, ``real`` for ``brain-node`` itself, or the path of a program that gets the configuration.
    """

    def __init__(self, folder: Path, *, answerer: str = "stub", **tables: dict[str, Any]) -> None:
        self.folder, self.spool = folder, folder / "spool"
        self.port, self.destination_port = free_port(), free_port()
        self._answerer = answerer
        self.config = folder / "node.toml"
        self.log = folder / "log.txt"
        defaults: dict[str, dict[str, Any]] = {
            "receive": {"ae_title": "BRAIN", "port": self.port, "spool": "spool"},
            "destination": {
                "ae_title": "PACS",
                "host": "127.0.0.1",
                "port": self.destination_port,
                "retry_first_s": 0.3,
                "retry_most_s": 1,
            },
            "complete": {"quiet_s": 0.5, "after_abort_s": 3},
            "limits": {"min_free_mb": 0},
            "model": {"threads": 1},
        }
        for name, table in tables.items():
            replaces = name == "destination" and "folder" in table
            defaults[name] = table if replaces else {**defaults.get(name, {}), **table}
        self.config.write_text(_toml(defaults))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        script = {
            "stub": [str(HELPERS / "stub_node.py"), str(self.config)],
            "real": ["-m", "edge_infer.node_cli", "run", "--config", str(self.config)],
        }.get(self._answerer, [self._answerer, str(self.config)])
        paths = [str(HELPERS), os.environ.get("PYTHONPATH", "")]
        variables = {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *script],
                stdout=log,
                stderr=log,
                env={**os.environ, **variables},
                cwd=self.folder,
            )
        wait_for(self._listens, seconds=60, what="listening")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a loss of power would end it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it in order and return its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=30)

    def end(self) -> None:
        """End it, if it runs, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()

    def command(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command of ``brain-node`` with the same configuration."""
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "edge_infer.node_cli",
                name,
                "--config",
                str(self.config),
                *words,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        """What it last wrote of its state."""
        return dict(json.loads((self.spool / "status.json").read_bytes()))

    @property
    def log_text(self) -> str:
        return self.log.read_text()

    def rounds(self, stage: str) -> list[Path]:
        """Folders of the rounds in a stage."""
        folder = self.spool / stage
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def note(self, stage: str, place: int = 0) -> dict[str, Any]:
        """The note of a round."""
        return dict(json.loads((self.rounds(stage)[place] / "note.json").read_bytes()))

    def wait_for_round(self, stage: str, count: int = 1, *, seconds: float = 15) -> list[Path]:
        """Wait until so many rounds are in a stage."""
        what = f"{count} in {stage}"
        return list(
            wait_for(
                lambda: (found := self.rounds(stage)) and len(found) >= count and found,
                seconds=seconds,
                what=what,
            )
        )

    def associate(
        self, *, called: str = "BRAIN", calling: str = "MODALITY", tls: Any = None
    ) -> Any:
        """An association to it, established or not."""
        entity: Any = AE(ae_title=calling)
        entity.acse_timeout = entity.dimse_timeout = 3  # a node that was killed does not answer
        entity.add_requested_context(MRImageStorage)
        entity.add_requested_context(Verification)
        handlers = [(evt.EVT_CONN_OPEN, lambda event: send_at_once(event.assoc))]
        return entity.associate(
            "127.0.0.1",
            self.port,
            ae_title=called,
            evt_handlers=handlers,
            tls_args=None if tls is None else (tls, "localhost"),
        )

    def send(
        self, datasets: Sequence[Any], *, ending: str = "release", tls: Any = None
    ) -> list[int]:
        """Send images in one association and return the statuses."""
        association = self.associate(tls=tls)
        assert association.is_established
        statuses = [association.send_c_store(one).get("Status", -1) for one in datasets]
        association.release() if ending == "release" else association.abort()
        return statuses

    def send_until_taken(self, datasets: Sequence[Any]) -> None:
        """Send as a PACS does: again and again, until every image was taken."""

        def is_taken() -> bool:
            association = self.associate()
            if not association.is_established:
                return False
            try:
                answers = [association.send_c_store(one).get("Status") for one in datasets]
                association.release()
            except (
                RuntimeError,
                ValueError,
                OSError,
                AttributeError,
            ):  # pynetdicom's, when the other side is gone
                return False
            return answers == [0] * len(datasets)

        wait_for(is_taken, seconds=120, what="sending")


def _toml(tables: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        # JSON's texts, numbers, booleans and lists are TOML's, too.
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"
