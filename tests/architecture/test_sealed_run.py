"""A run of brain-infer opens no socket and writes nothing but its named output.

Watched by Python's audit hook, which names the file, and by strace, which sees what onnxruntime's
native code does. Each has a negative control, so that a blind watcher would be noticed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_bundle import bundle_files, manifest_body, scan

from edge_infer.bundle import write_bundle

ROOT = Path(__file__).parents[2]

WATCHED = """
import os, sys
def watch(event, arguments):
    if event.startswith("socket."):
        os.write(2, f"AUDIT {event}\\n".encode())
    elif event == "open":
        path, mode, flags = arguments
        if isinstance(path, (str, bytes)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            os.write(2, f"AUDIT write {os.fsdecode(path)}\\n".encode())
    elif event in ("os.mkdir", "os.rename", "os.symlink", "os.link"):
        os.write(2, f"AUDIT write {os.fsdecode(arguments[0])}\\n".encode())
sys.addaudithook(watch)
"""
MAIN = "from edge_infer.cli import main\nmain(sys.argv[1:])\n"


@pytest.fixture
def arena(tmp_path: Path) -> Path:
    """An own home, working folder, inputs and output folder."""
    for name in ("home", "work", "out", "scans", "tmp"):
        (tmp_path / name).mkdir()
    write_bundle(tmp_path / "bundle", bundle_files(), manifest_body())
    for number in range(3):
        scan(number).save(tmp_path / "scans" / f"{number}.png")
    return tmp_path


def environment(arena: Path) -> dict[str, str]:
    # Without ORT_DISABLE_TELEMETRY: it is the package that must set it.
    return {
        "HOME": str(arena / "home"),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(arena / "tmp"),
    }


def arguments(arena: Path) -> list[str]:
    return [
        *("--json", "--bundle", str(arena / "bundle")),
        *("--heatmap", str(arena / "out"), str(arena / "scans")),
    ]


def run(arena: Path, command: list[str], **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=arena / "work",
        env={**environment(arena), **changes},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_run_opens_no_socket_and_writes_only_its_output(arena: Path) -> None:
    before = {name: files(arena / name) for name in ("bundle", "scans")}
    finished = run(arena, [sys.executable, "-c", WATCHED + MAIN, *arguments(arena)])
    assert finished.returncode == 0, finished.stderr
    seen = [line for line in finished.stderr.splitlines() if line.startswith("AUDIT")]
    assert len(seen) >= 3, "the hook saw the heatmaps being written"
    assert [line for line in seen if f"write {arena / 'out'}" not in line] == []
    assert files(arena / "out") == [f"{number}.heatmap.png" for number in range(3)]
    assert files(arena / "home") == files(arena / "work") == files(arena / "tmp") == []
    assert {name: files(arena / name) for name in ("bundle", "scans")} == before


def test_the_hook_sees_a_socket_and_a_foreign_file(arena: Path) -> None:
    guilty = "import socket\nsocket.socket().close()\nopen('stray', 'w').close()\n"
    finished = run(arena, [sys.executable, "-c", WATCHED + guilty])
    assert "AUDIT socket.__new__" in finished.stderr
    assert "AUDIT write stray" in finished.stderr


def traced(arena: Path, program: str, *rest: str) -> list[str]:
    log = arena / "strace.log"
    calls = "trace=socket,connect,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2"
    strace = ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", str(log)]
    finished = run(arena, [*strace, sys.executable, "-c", program, *rest])
    if "ptrace" in finished.stderr and not log.exists():
        pytest.skip("strace is not allowed to trace here")
    assert finished.returncode == 0, finished.stderr
    return log.read_text(errors="replace").splitlines()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_native_code_opens_no_socket_and_writes_only_the_output(arena: Path) -> None:
    lines = traced(arena, "import sys\n" + MAIN, *arguments(arena))
    assert [line for line in lines if " socket(" in line or " connect(" in line] == []
    writes = [line for line in lines if "O_WRONLY" in line or "O_RDWR" in line or "mkdir" in line]
    foreign = [line for line in writes if str(arena / "out") not in line and "/dev/" not in line]
    assert foreign == []
    assert any(str(arena / "out") in line for line in writes)
    assert files(arena / "home") == files(arena / "work") == files(arena / "tmp") == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_strace_sees_a_socket(arena: Path) -> None:
    lines = traced(arena, "import socket\nsocket.socket().close()\n")
    assert any(" socket(AF_INET" in line for line in lines)


def test_without_the_switch_onnxruntime_may_write_to_the_home_folder(arena: Path) -> None:
    """The reason for the switch; shows that an empty home above is no accident."""
    finished = run(arena, [sys.executable, "-c", "import onnxruntime"])
    if finished.returncode != 0 or files(arena / "home") == []:
        pytest.skip("this build of onnxruntime has no telemetry")
    other = arena / "other"
    other.mkdir()
    code = "import edge_infer, onnxruntime"
    assert run(arena, [sys.executable, "-c", code], HOME=str(other)).returncode == 0
    assert files(other) == []


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_a_run_needs_no_network_at_all(arena: Path) -> None:
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if run(arena, [*alone, "true"]).returncode != 0:
        pytest.skip("network namespaces are not allowed here")
    command = [sys.executable, "-m", "edge_infer", *arguments(arena)]
    finished = run(arena, [*alone, *command])
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count('"status": "ok"') == 3
