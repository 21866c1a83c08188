"""Nothing of a patient is in logs, metrics or errors; nothing is written; nobody is called."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dicom_files import file_bytes, mr_series
from scan_slices import GLIOMA
from service_contents import STUDY, archive, png
from service_runs import Service, request_bytes, wait_until

Start = Callable[..., Service]
CANARY = "CANARY"
ROOT = Path(__file__).parents[3]


def hostile_contents() -> list[bytes]:
    (slice_,) = mr_series(GLIOMA[None].astype("uint16"))
    whole = file_bytes(slice_)
    assert whole.count(b"CANARY") > 10
    spoiled = whole.replace(b"MONOCHROME2 ", b"CANARY COLOR")
    return [
        whole,
        spoiled,
        whole[: len(whole) // 2],
        archive({"CANARY^NAME/1.dcm": whole, "CANARY.txt": b"CANARY", "CANARY.png": png()[:90]}),
        b"CANARY" * 20,
        png() + b"CANARY",
    ]


def test_planted_texts_are_in_no_log_no_metric_and_no_refusal(start: Start) -> None:
    service = start("--access-log")
    planted = {
        "x_request_id": "CANARY NAME",
        "user_agent": CANARY,
        "referer": f"http://{CANARY}/",
        "cookie": f"name={CANARY}",
        "content_disposition": f'attachment; filename="{CANARY}.dcm"',
        "content_type": f"image/{CANARY}",
        "x_forwarded_for": CANARY,
        "authorization": f"Bearer {CANARY}",
    }
    for content in hostile_contents():
        service.classify(content, **planted)
    refused = [
        service.classify(b"", query=f"?name={CANARY}", **planted),
        service.classify(b"", query=f"?view={CANARY}"),
        service.ask("GET", f"/{CANARY}", **planted),
        service.ask("POST", f"/v1/models/{CANARY}", b"x"),
        service.ask("GET", "/livez", host=CANARY),
        service.classify(b"", origin=f"http://{CANARY}"),
        service.classify(b"", content_encoding=CANARY),
        service.classify(b"", content_length=CANARY),
    ]
    with service.connect() as connection:
        connection.send(f"{CANARY} {CANARY}\r\n\r\n".encode())
        refused.append(connection.receive())
    with service.connect() as connection:
        head = request_bytes("POST", "/v1/classify", host=service.host, transfer_encoding="chunked")
        connection.send(head + b"CANARY\r\n")
    texts = [one.body.decode() + str(one.headers) for one in refused]
    assert all(one.status in (400, 403, 404, 405, 415) for one in refused)
    texts.append(service.ask("GET", "/metrics").body.decode())
    assert service.stop() == 0
    texts.append(service.log.read_text())
    assert [text for text in texts if CANARY in text.upper().replace("\\u", "")] == []
    assert sum(line["event"] == "request" for line in service.log_lines) > 10


def test_the_search_finds_a_request_id_that_is_allowed(start: Start) -> None:
    service = start("--access-log")
    response = service.ask("GET", "/livez", x_request_id="CANARY-1")
    assert response.headers["x-request-id"] == "CANARY-1"
    wait_until(lambda: CANARY in service.log.read_text())
    long = service.ask("GET", "/livez", x_request_id="a" * 65).headers["x-request-id"]
    assert len(long) == 16


def test_without_an_access_log_requests_leave_no_line(start: Start) -> None:
    service = start()
    service.classify(png())
    service.classify(b"words")
    assert [line["event"] for line in service.log_lines] == ["ready"]


WATCHED = """
import os, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        os.write(LOG, f"AUDIT {event}\\n".encode())
    elif event == "socket.bind":
        os.write(LOG, f"AUDIT {event} {arguments[1][0]}\\n".encode())
    elif event == "open":
        path, mode, flags = arguments
        is_write = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if isinstance(path, (str, bytes)) and is_write and path != os.devnull:
            os.write(LOG, f"AUDIT write {os.fsdecode(path)}\\n".encode())
    elif event in ("os.mkdir", "os.rename", "os.symlink", "os.link"):
        os.write(LOG, f"AUDIT write {os.fsdecode(arguments[0])}\\n".encode())
LOG = os.dup(2)
sys.addaudithook(watch)
from edge_infer.serve_cli import main
main()
"""


def sealed(folder: Path) -> dict[str, str]:
    for name in ("home", "tmp", "work"):
        (folder / name).mkdir()
    return {
        "HOME": str(folder / "home"),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder / "tmp"),
    }


def exercise(service: Service) -> None:
    for content in (png(), STUDY, b"words", png()[:100], *hostile_contents()):
        service.classify(content, query="?view=1")
    for path in ("/", "/metrics", "/openapi.json", "/v1/model"):
        assert service.ask("GET", path).status == 200


def test_a_service_calls_nobody_and_writes_nothing(start: Start, tmp_path: Path) -> None:
    service = start(program=("-c", WATCHED), env=sealed(tmp_path), cwd=tmp_path / "work")
    exercise(service)
    assert service.stop() == 0
    seen = [line for line in service.log.read_text().splitlines() if line.startswith("AUDIT")]
    # With requests installed, pydicom's import lets urllib3 see whether this machine has IPv6.
    assert [line for line in seen if line != "AUDIT socket.bind ::1"] == [
        "AUDIT socket.bind 127.0.0.1"
    ]
    left = [path for name in ("home", "tmp", "work") for path in (tmp_path / name).rglob("*")]
    assert left == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_native_code_of_a_service_calls_nobody_either(bundle: Path, tmp_path: Path) -> None:
    calls = "trace=connect,sendto,openat,creat,mkdir,rename"
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", str(trace)]
    environment = sealed(tmp_path)
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("strace is not allowed to trace here")
    code = (
        "import os, sys\n"
        f"os.execvp('strace', {[*command, sys.executable, '-m', 'edge_infer.serve_cli']!r} + sys.argv[1:])"
    )
    log = tmp_path / "log"
    with Service(
        *("--bundle", bundle, "--workers", 1),
        program=("-c", code),
        log=log,
        env=environment,
        cwd=tmp_path / "work",
    ) as service:
        exercise(service)
        os.kill(int(trace.read_text().split()[0]), 15)
        assert service.process.wait(20) == 0
    lines = trace.read_text(errors="replace").splitlines()
    calls = [line for line in lines if " connect(" in line or " sendto(" in line]
    assert [line for line in calls if "AF_UNIX" not in line and "sin_addr" in line] == []
    writes = [line for line in lines if "O_WRONLY" in line or "O_RDWR" in line or " mkdir(" in line]
    assert [line for line in writes if '"/dev/null"' not in line and "ENOENT" not in line] == []
    assert any("O_RDONLY" in line for line in lines), "strace saw the files that were read"
