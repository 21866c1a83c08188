"""Workers of a cluster that is there: with certificates on both sides, and refused if they are not like ours."""

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_runs import answered_in, archive_of, batch, batch_process, kill, rows_of, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
]

UNITS = 60

#: In a worker's sitecustomize: another version of the package.
_OTHER_VERSION = "import edge_infer.version\nedge_infer.version.__version__ = '99'\n"
#: Or a machine without the folder of the output.
_NO_FOLDER = """
import sys

def _hide(event, arguments):
    if event == "open" and "/out/" in str(arguments[0]):
        raise FileNotFoundError(2, "No such file or directory")

sys.addaudithook(_hide)
"""
#: Or without the archive.
_NO_ARCHIVE = """
import os

real = os.stat
def _stat(path, **more):
    if str(path).endswith("/archive"):
        raise FileNotFoundError(2, "No such file or directory")
    return real(path, **more)

os.stat = _stat
"""
#: Or without the package.
_NO_PACKAGE = """
import sys

class _Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "edge_infer":
            raise ModuleNotFoundError("No module named 'edge_infer'", name="edge_infer")

sys.meta_path.insert(0, _Absent())
"""


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    """An authority, a certificate that it has signed, and its key, by option."""
    folder = tmp_path / "tls"
    folder.mkdir()
    files = {name: str(folder / f"{name}.pem") for name in ("ca", "cert", "key")}
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2"]
    authority = ["-keyout", f"{folder}/ca.key", "-out", files["ca"], "-subj", "/CN=ca"]
    signed = ["-CA", files["ca"], "-CAkey", f"{folder}/ca.key"]
    own = ["-keyout", files["key"], "-out", files["cert"], "-subj", "/CN=node"]
    for words in (authority, [*signed, *own]):
        subprocess.run([*new, *words], check=True, capture_output=True)
    return files


@contextlib.contextmanager
def process(*words: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    started = subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", **environment},
    )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextlib.contextmanager
def scheduler(tls: dict[str, str]) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--host", "tls://127.0.0.1", "--port", str(port), "--no-dashboard"]
    with process("distributed.cli.dask_scheduler", *where, *dask_options(tls)) as started:
        wait_for(lambda: is_open(port))
        yield f"tls://127.0.0.1:{port}", started


@contextlib.contextmanager
def worker(address: str, tls: dict[str, str], folder: Path, **environment: str) -> Iterator[None]:
    shape = ["--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
    scratch = ["--local-directory", str(folder)]
    words = [address, *shape, *scratch, *dask_options(tls)]
    with process("distributed.cli.dask_worker", *words, **environment):
        yield


def dask_options(tls: dict[str, str]) -> list[str]:
    return ["--tls-ca-file", tls["ca"], "--tls-cert", tls["cert"], "--tls-key", tls["key"]]


def own_options(address: str, tls: dict[str, str]) -> list[str]:
    files = [word for name in ("ca", "cert", "key") for word in (f"--tls-{name}", tls[name])]
    return ["--cluster", address, *files]


def is_open(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def words(tmp_path: Path, bundle_path: Path) -> list[object]:
    archive = archive_of(tmp_path / "archive", UNITS)
    size = ("--partition-size", 10)
    where = ("--output", tmp_path / "out" / "run")
    return [archive, "--bundle", bundle_path, "--format", "jsonl", *size, *where]


def test_a_cluster_answers_what_one_process_does_and_stays(
    words: list[object], certificates: dict[str, str], tmp_path: Path
) -> None:
    with scheduler(certificates) as (address, started):
        with worker(address, certificates, tmp_path / "scratch"):
            ended = batch(*words, *own_options(address, certificates))
            assert ended.returncode == 0, ended.stderr
            assert started.poll() is None
        with pytest.raises((ssl.SSLError, OSError)):
            without_certificate(address)
    rows = rows_of(tmp_path / "out" / "run")
    words[words.index(tmp_path / "out" / "run")] = tmp_path / "one"
    assert batch(*words, "--workers", 1).returncode == 0
    assert rows == rows_of(tmp_path / "one")


def without_certificate(address: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = address.removeprefix("tls://").split(":")
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain) as wrapped,
    ):
        wrapped.sendall(b"\0" * 8)
        if wrapped.recv(1) == b"":
            raise ConnectionResetError("closed")


@pytest.mark.parametrize(
    ("site", "message", "status"),
    [
        (_OTHER_VERSION, "brain-edge 0.2.0 there, 99 here", 32),
        (_NO_FOLDER, "holds no run on this machine", 40),
        (_NO_ARCHIVE, "archive: is not there any more, or not on all workers", 20),
        (_NO_PACKAGE, "lacks edge_infer", 87),
    ],
    ids=["version", "output", "archive", "package"],
)
def test_a_worker_that_is_not_like_ours_ends_the_run_and_writes_no_rows(
    words: list[object],
    certificates: dict[str, str],
    tmp_path: Path,
    site: str,
    message: str,
    status: int,
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(site, encoding="utf-8")
    path = f"{tmp_path / 'site'}{os.pathsep}{Path(__file__).parents[3]}"
    with (
        scheduler(certificates) as (address, _),
        worker(address, certificates, tmp_path / "scratch", PYTHONPATH=path),
    ):
        ended = batch(*words, *own_options(address, certificates))
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode == status
    assert not rows_of(tmp_path / "out" / "run")


def test_a_scheduler_that_is_killed_ends_the_run_in_two_lines(
    words: list[object], certificates: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "out" / "run"
    archive_of(tmp_path / "archive", 4 * UNITS)
    with (
        scheduler(certificates) as (address, started),
        worker(address, certificates, tmp_path / "scratch"),
    ):
        running = batch_process(*words, *own_options(address, certificates))
        wait_for(lambda: answered_in(output) > 5)
        kill(started.pid)
        began = time.monotonic()
        _, err = running.communicate(timeout=60)
    assert running.returncode == 80
    assert "Traceback" not in err
    assert "scheduler went away" in err
    assert time.monotonic() - began < 20
    assert json.loads((output / "run.json").read_bytes())["units"] == 4 * UNITS
