"""Runs one command of the project under strace, in a sandbox that has no network, no home and one folder to write to.

    python sealed_program.py JOB TRACE

``reliability.runtime.sealed`` starts it in the sandbox: inputs are in ``IN``, outputs belong to ``OUT``. What asks a
service or sends to a node is this program, which is not traced.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

#: The one folder of the sandbox that is not the machine's, a file system in memory.
BOX = os.path.join(os.sep, "tmp")  # noqa: PTH118 -- the sandbox's own
IN, OUT = f"{BOX}/in", f"{BOX}/out"
_CALLS = (
    "trace=socket,connect,bind,listen,sendto,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,"
    "symlink,symlinkat,mknod,mknodat,unlink,unlinkat,rmdir,truncate,chmod,fchmodat,utimensat"
)

_COMMANDS = {
    "infer": "from edge_infer.cli import main; main()",
    "doctor": "from edge_infer.doctor_cli import main; main()",
    "serve": "from edge_infer.serve_cli import main; main()",
    "node": "from edge_infer.node_cli import main; main()",
    # The defence taken out: onnxruntime is there before the package, without the variable.
    "infer, unguarded": "import onnxruntime; from edge_infer.cli import main; main()",
    "onnxruntime": "import onnxruntime",
}

#: Commands that run to their end: words, what standard input is, exit statuses.
SIMPLE: dict[str, tuple[str, Sequence[str], str | None, Sequence[int]]] = {
    "image": ("infer", [f"{IN}/images/0.jpg"], None, [0]),
    "images, JSON": ("infer", ["--json", f"{IN}/images"], None, [100]),
    "images, CSV, heat maps": (
        "infer",
        ["--csv", "--heatmap", f"{OUT}/maps", f"{IN}/images"],
        None,
        [100],
    ),
    "standard input": ("infer", ["--json", "--timeout", "60", "-"], f"{IN}/images/0.jpg", [0]),
    "series": (
        "infer",
        [
            *("--json", "--heatmap", f"{OUT}/sheets", "--dicom-out", f"{OUT}/results"),
            f"{IN}/series",
        ],
        None,
        [0],
    ),
    "volume": ("infer", ["--heatmap", f"{OUT}/sheets", f"{IN}/volume.nii.gz"], None, [0]),
    "archive": ("infer", ["--json", f"{IN}/study.zip"], None, [0]),
    "audit log": (
        "infer",
        ["--json", "--audit", f"{OUT}/audit.jsonl", f"{IN}/images"],
        None,
        [100],
    ),
    "missing": ("infer", ["--debug", f"{IN}/none.png"], None, [20]),
    "damaged bundle": ("infer", ["--bundle", f"{IN}/images", f"{IN}/images/0.jpg"], None, [30]),
    "doctor": ("doctor", [], None, [0]),
    "doctor, JSON": ("doctor", ["--json"], None, [0]),
    "task": ("node", ["task", "--input", f"{IN}/series", "--output", f"{OUT}/results"], None, [0]),
    "infer, unguarded": ("infer, unguarded", [f"{IN}/images/0.jpg"], None, [0]),
    "onnxruntime": ("onnxruntime", [], None, [0]),
}

_NODE = f"""
[receive]
ae_title = "BRAIN"
port = 11112
callers = ["*"]
spool = "{OUT}/spool"
[destination]
folder = "{OUT}/results"
[complete]
quiet_s = 0.5
[limits]
min_free_mb = 0
[model]
threads = 1
"""


def traced(name: str, words: Sequence[str], trace: str) -> list[str]:
    """Return the command line."""
    strace = [
        "strace",
        "-f",
        "-y",
        "-qq",
        "-A",
        "-s",
        "300",
        "-e",
        _CALLS,
        "-e",
        "signal=none",
        "-o",
        trace,
    ]
    return [*strace, sys.executable, "-c", _COMMANDS[name], *words]


def run(job: str, trace: str) -> None:
    """Run a command to its end."""
    name, words, source, statuses = SIMPLE[job]
    with Path(source or "/dev/null").open("rb") as stream:
        finished = subprocess.run(
            traced(name, words, trace), stdin=stream, capture_output=True, text=True, check=False
        )
    if finished.returncode not in statuses:
        raise SystemExit(f"{job}: exit status {finished.returncode}: {finished.stderr[-400:]}")


def serve(job: str, trace: str) -> None:
    """Ask a service for everything it has."""
    is_unix = "unix" in job
    where = ["--unix-socket", f"{OUT}/socket"] if is_unix else ["--port", "8765"]
    words = [*where, "--workers", "1", "--access-log", "--audit", f"{OUT}/audit.jsonl"]
    process = subprocess.Popen(
        traced("serve", words, trace), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{job}: {process.communicate()[1][-400:]}")
    for path in ("/", "/metrics", "/openapi.json", "/v1/model", "/readyz"):
        _ask(is_unix, "GET", path, None)
    for file in sorted(
        [*Path(f"{IN}/images").iterdir(), Path(f"{IN}/study.zip"), Path(f"{IN}/volume.nii.gz")]
    ):
        _ask(is_unix, "POST", "/v1/classify?view=1", file.read_bytes())
    _stop(process, trace)


def _ask(is_unix: bool, method: str, path: str, body: bytes | None) -> None:
    connection = http.client.HTTPConnection(
        "localhost" if is_unix else "127.0.0.1", 8765, timeout=120
    )
    if is_unix:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(f"{OUT}/socket")
    connection.request(method, path, body)
    response = connection.getresponse()
    response.read()
    connection.close()
    if response.status >= 500 or (method == "GET" and response.status != 200):
        raise SystemExit(f"{method} {path}: {response.status}")


def host(job: str, trace: str) -> None:
    """Be a host program of --serve-stdio."""
    process = subprocess.Popen(
        traced("infer", ["--serve-stdio"], trace), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    image = Path(f"{IN}/images/0.jpg").read_bytes()
    first = {"id": 1, "method": "classify", "length": len(image), "view": True}
    requests = [json.dumps(first).encode() + b"\n" + image]
    for one in ("series", "none"):
        asked = {"id": one, "method": "classify", "path": f"{IN}/{one}"}
        requests.append(json.dumps(asked).encode())
    out, _ = process.communicate(b"\n".join(requests) + b"\n")
    if process.returncode or out.count(b'"done"') < 3:
        raise SystemExit(f"{job}: exit status {process.returncode}: {out[-400:]!r}")


def node(job: str, trace: str) -> None:
    """Check, start, send a series to, ask and stop a node."""
    import pydicom
    from pynetdicom import AE

    config = Path(f"{OUT}/node.toml")
    config.write_text(_NODE)
    Path(f"{OUT}/results").mkdir()
    process = subprocess.Popen(
        traced("node", ["run", "--config", str(config)], trace), stderr=subprocess.PIPE, text=True
    )
    _until(lambda: process.poll() is not None or _listens(), "listening")
    images = [pydicom.dcmread(file) for file in sorted(Path(f"{IN}/series").iterdir())]
    entity = AE(ae_title="MODALITY")
    entity.add_requested_context(images[0].SOPClassUID, images[0].file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", 11112, ae_title="BRAIN")
    statuses = [association.send_c_store(one).get("Status") for one in images]
    association.release()
    if any(statuses):
        raise SystemExit(f"{job}: store {statuses}")
    _until(lambda: any(Path(f"{OUT}/results").rglob("*.dcm")), "an answer")
    asking = traced("node", ["status", "--config", str(config), "--json"], f"{trace}.status")
    status = subprocess.run(asking, check=False, capture_output=True)
    if status.returncode:
        raise SystemExit(f"{job}: status ended with {status.returncode}")
    _stop(process, trace)


def _listens() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", 11112)) == 0


def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 200
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not happen in time")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[str], trace: str) -> None:
    traced_process = int(Path(trace).read_text(errors="replace").split(maxsplit=1)[0])
    os.kill(traced_process, signal.SIGTERM)
    told = process.communicate(timeout=120)[1]
    if process.returncode:
        raise SystemExit(f"exit status {process.returncode}: {told[-400:]}")


JOBS = {
    **dict.fromkeys(SIMPLE, run),
    "service, unix socket": serve,
    "service, loopback": serve,
    "host program": host,
    "node": node,
}

if __name__ == "__main__":
    JOBS[sys.argv[1]](sys.argv[1], sys.argv[2])
